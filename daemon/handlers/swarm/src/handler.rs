//! The handler: the trait's methods, each given to the module that knows it.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::BoxStream;
use muster_engine::access::AccessOrder;
use muster_engine::context::ClusterContext;
use muster_engine::duplex::{Duplex, ExecOrder, ForwardOrder};
use muster_engine::failure::Failure;
use muster_engine::handler::{Handler, ServiceOrder};
use muster_engine::ledger::Present;
use muster_engine::member::Member;
use muster_engine::observed::OrchestratorView;
use muster_engine::recipe::MachineStep;
use muster_engine::session::{Kept, SessionHost};
use muster_protocol::model::access::AccessFile;
use muster_protocol::model::service::{LogLine, ServiceSpec};
use muster_protocol::{Error, Name};
use tokio::sync::Notify;

use crate::connect::{Connector, TlsConnector};
use crate::managers::Managers;
use crate::{access, exec, forward, logs, membership, observe, services};

/// Handles one Docker Swarm cluster.
pub struct SwarmHandler {
    cluster: Arc<ClusterContext>,
    managers: Managers,
    /// Heard by the session: a service was submitted.
    submitted: Notify,
    /// Heard by the session: a service was submitted or removed, so that an image may be needed no more.
    changed: Notify,
    images: observe::Images,
}

impl SwarmHandler {
    /// A handler that reaches the machines over mutual TLS with the cluster's own keys.
    pub fn new(cluster: Arc<ClusterContext>) -> Self {
        let connector = Arc::new(TlsConnector::new(&cluster.material));
        Self::with_connector(cluster, connector)
    }

    /// A handler that reaches the machines in another way.
    pub fn with_connector(cluster: Arc<ClusterContext>, connector: Arc<dyn Connector>) -> Self {
        let managers = Managers::new(Arc::clone(&cluster), connector);
        Self { cluster, managers, submitted: Notify::new(), changed: Notify::new(), images: observe::Images::default() }
    }
}

#[async_trait]
impl Handler for SwarmHandler {
    fn validate(&self, service: &ServiceSpec) -> Result<(), Error> {
        services::validate(service)
    }

    fn validate_on(&self, service: &ServiceSpec, seen: &OrchestratorView) -> Result<(), Error> {
        services::mesh::validate(service, seen)
    }

    async fn form(&self, first: &Member) -> Result<Present, Failure> {
        membership::form(&self.cluster, &self.managers.engine(first)?, first).await
    }

    async fn look_up_cluster(&self, first: &Member) -> Result<Option<Present>, Failure> {
        membership::look_up_cluster(&self.cluster, &self.managers.engine(first)?, first).await
    }

    async fn join(&self, members: &[Member], machine: &Member) -> Result<Present, Failure> {
        membership::join(&self.cluster, &self.managers, members, machine).await
    }

    async fn look_up_node(&self, members: &[Member], machine: &Member) -> Result<Option<Present>, Failure> {
        membership::look_up_node(&self.cluster, &self.managers, members, machine).await
    }

    async fn step(&self, members: &[Member], machine: &Member, step: MachineStep) -> Result<(), Failure> {
        membership::step(&self.managers, members, machine, step).await
    }

    async fn remove_node(&self, members: &[Member], node_id: &str, machine: Option<&Member>) -> Result<(), Failure> {
        membership::remove_node(&self.managers, members, node_id, machine).await
    }

    async fn deploy(&self, members: &[Member], order: &ServiceOrder) -> Result<Present, Failure> {
        let manager = self.managers.find(members).await?;
        let submitted = services::deploy(&self.cluster, &manager.engine, order).await;
        // Also after a failure, which may have come too late.
        self.submitted.notify_one();
        self.changed.notify_one();
        submitted
    }

    async fn look_up_service(&self, members: &[Member], service: &Name) -> Result<Option<Present>, Failure> {
        let manager = self.managers.find(members).await?;
        services::look_up_service(&self.cluster, &manager.engine, service).await
    }

    async fn remove_service(&self, members: &[Member], service: &Name) -> Result<(), Failure> {
        let manager = self.managers.find(members).await?;
        let removed = services::remove_service(&self.cluster, &manager.engine, service).await;
        self.changed.notify_one();
        removed
    }

    async fn observe(&self, members: &[Member]) -> Result<OrchestratorView, Failure> {
        let manager = self.managers.find(members).await?;
        let mut view = observe::observe(&self.cluster, &manager.engine, members).await?;
        membership::forget_those_that_left(&self.managers, members, &mut view).await;
        self.images.tell_health(&self.managers, members, &mut view).await;
        Ok(view)
    }

    async fn session(&self, host: Arc<dyn SessionHost>, _kept: BTreeMap<String, Kept>) -> Failure {
        tokio::select! {
            failure = services::keep_holding(&self.cluster, &self.managers, host.members(), &self.submitted) => failure,
            failure = services::keep_clean(&self.cluster, &self.managers, host.members(), &self.changed) => failure,
        }
    }

    async fn logs(
        &self,
        members: &[Member],
        service: &Name,
        follow: bool,
        tail: Option<u32>,
    ) -> Result<BoxStream<'static, Result<LogLine, Failure>>, Failure> {
        let manager = self.managers.find(members).await?;
        logs::logs(&self.cluster, &manager.engine, service, follow, tail).await
    }

    async fn exec(&self, members: &[Member], order: &ExecOrder) -> Result<Duplex, Failure> {
        exec::exec(&self.cluster, &self.managers, members, order).await
    }

    async fn port_forward(&self, members: &[Member], order: &ForwardOrder) -> Result<Duplex, Failure> {
        forward::port_forward(&self.cluster, &self.managers, members, order).await
    }

    async fn access(&self, members: &[Member], order: &AccessOrder) -> Result<AccessFile, Failure> {
        access::access(&self.cluster, &self.managers, members, order).await
    }
}
