//! The handler: the trait's methods, each given to the module that knows it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use futures::stream::BoxStream;
use muster_engine::access::AccessOrder;
use muster_engine::context::ClusterContext;
use muster_engine::duplex::{Duplex, ExecOrder, ForwardOrder};
use muster_engine::failure::Failure;
use muster_engine::handler::{Handler, ServiceOrder};
use muster_engine::ledger::Present;
use muster_engine::machine::Machines;
use muster_engine::member::Member;
use muster_engine::observed::OrchestratorView;
use muster_engine::recipe::MachineStep;
use muster_engine::session::{Kept, SessionHost};
use muster_protocol::model::access::AccessFile;
use muster_protocol::model::host::Role;
use muster_protocol::model::service::{LogLine, ServiceSpec};
use muster_protocol::{ClusterId, Error, Name};

use crate::access::{self, AuthorityConnector, Clients, Connector};
use crate::control_planes::ControlPlanes;
use crate::expected::{Done, Expected};
use crate::failures::Answer as _;
use crate::lifecycle::Lifecycle;
use crate::logs;
use crate::nodes;
use crate::observe::{self, ClusterObjects};
use crate::registry::{Registries, Unasked};
use crate::services;
use crate::watches::{LookNow, Watches};

/// Handles one Kubernetes cluster.
pub struct KubernetesHandler {
    pub(crate) cluster: Arc<ClusterContext>,
    lifecycle: Lifecycle,
    control_planes: ControlPlanes,
    registries: Arc<dyn Registries>,
    watches: tokio::sync::Mutex<Option<Arc<Watches>>>,
    expected: Expected,
    look_now: Arc<Mutex<Option<LookNow>>>,
}

impl KubernetesHandler {
    /// A handler that reaches the cluster with certificates of the cluster's own authority. `machines` run what is done on
    /// the machines themselves.
    pub fn new(cluster: Arc<ClusterContext>, machines: Arc<dyn Machines>) -> Self {
        let connector = Arc::new(AuthorityConnector::new(Arc::clone(&cluster)));
        Self::with_connector(cluster, machines, connector)
    }

    /// A handler that reaches the cluster in another way.
    pub fn with_connector(
        cluster: Arc<ClusterContext>,
        machines: Arc<dyn Machines>,
        connector: Arc<dyn Connector>,
    ) -> Self {
        Self {
            lifecycle: Lifecycle::new(Arc::clone(&cluster), machines),
            cluster,
            control_planes: ControlPlanes::new(connector),
            registries: Arc::new(Unasked),
            watches: tokio::sync::Mutex::default(),
            expected: Expected::default(),
            look_now: Arc::default(),
        }
    }

    /// The same, asking these what the tags of images mean.
    #[must_use]
    pub fn asking(self, registries: Arc<dyn Registries>) -> Self {
        Self { registries, ..self }
    }

    /// The cluster's id.
    pub fn cluster_id(&self) -> ClusterId {
        self.cluster.cluster
    }

    /// Says whom to tell when something is new in the cluster. A hint to look soon, and no more.
    pub(crate) fn on_change(&self, look_now: LookNow) {
        *self.look_now.lock().unwrap_or_else(PoisonError::into_inner) = Some(look_now);
    }

    /// Clients of a server that is ready.
    pub(crate) async fn api(&self, members: &[Member]) -> Result<Arc<Clients>, Failure> {
        self.control_planes.find(members).await
    }

    /// What the watches of this server have seen, our own changes among it.
    pub(crate) async fn seen(&self, clients: &Arc<Clients>) -> Result<ClusterObjects, Failure> {
        let watches = self.watches(clients).await;
        self.expected.seen(&watches).await
    }

    /// The watches that there are, if the cluster was observed already.
    pub(crate) async fn present_watches(&self) -> Option<Arc<Watches>> {
        self.watches.lock().await.clone()
    }

    /// The watches of this server. Those of another one end.
    pub(crate) async fn watches(&self, clients: &Arc<Clients>) -> Arc<Watches> {
        let mut watches = self.watches.lock().await;
        if let Some(running) = watches.as_ref().filter(|running| running.are_of(clients)) {
            return Arc::clone(running);
        }
        let target = Arc::clone(&self.look_now);
        let look_now: LookNow = Arc::new(move || {
            let look_now = target.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if let Some(look_now) = look_now {
                look_now();
            }
        });
        let started = Arc::new(Watches::start(&self.cluster, Arc::clone(clients), look_now));
        *watches = Some(Arc::clone(&started));
        started
    }
}

#[async_trait]
impl Handler for KubernetesHandler {
    fn validate(&self, service: &ServiceSpec) -> Result<(), Error> {
        services::validate(service)
    }

    async fn form(&self, first: &Member) -> Result<Present, Failure> {
        self.lifecycle.form(first).await
    }

    async fn look_up_cluster(&self, first: &Member) -> Result<Option<Present>, Failure> {
        self.lifecycle.look_up_cluster(first).await
    }

    async fn join(&self, members: &[Member], machine: &Member) -> Result<Present, Failure> {
        self.lifecycle.join(members, machine).await
    }

    async fn look_up_node(&self, members: &[Member], machine: &Member) -> Result<Option<Present>, Failure> {
        self.lifecycle.look_up_node(members, machine).await
    }

    async fn step(&self, members: &[Member], machine: &Member, step: MachineStep) -> Result<(), Failure> {
        nodes::step(self, members, &machine.machine, step).await
    }

    async fn remove_node(&self, members: &[Member], node_id: &str, machine: Option<&Member>) -> Result<(), Failure> {
        // The last control plane takes all with it: there is nowhere to drain to.
        let stays = |member: &&Member| machine.is_some_and(|machine| machine.machine != member.machine);
        let others: Vec<Member> = members.iter().filter(stays).cloned().collect();
        if let Some(machine) = machine.filter(|_| others.iter().any(|member| member.role == Role::ControlPlane)) {
            nodes::step(self, &others, &machine.machine, MachineStep::Drain).await?;
        }
        self.lifecycle.remove_node(members, node_id, machine).await
    }

    async fn deploy(&self, members: &[Member], order: &ServiceOrder) -> Result<Present, Failure> {
        let clients = self.api(members).await?;
        let present = services::deploy(&self.cluster, &clients.requests, &*self.registries, order).await?;
        self.expected.note(&order.spec.name, Done::Submitted(order.generation));
        Ok(present)
    }

    async fn look_up_service(&self, members: &[Member], service: &Name) -> Result<Option<Present>, Failure> {
        let clients = self.api(members).await?;
        services::look_up_service(&self.cluster, &clients.requests, service).await
    }

    async fn remove_service(&self, members: &[Member], service: &Name) -> Result<(), Failure> {
        let clients = self.api(members).await?;
        services::remove_service(&self.cluster, &clients.requests, service).await?;
        self.expected.note(service, Done::Removed);
        Ok(())
    }

    async fn observe(&self, members: &[Member]) -> Result<OrchestratorView, Failure> {
        let clients = self.api(members).await?;
        let version = async { clients.requests.apiserver_version().await.reading("ask for the version") };
        let (mut seen, version) = tokio::try_join!(self.seen(&clients), version)?;
        seen.version = Some(version.git_version);
        let mut view = observe::view(&self.cluster, members, &seen);
        if view.endpoints.is_empty() {
            view.endpoints.push(clients.url.clone());
        }
        Ok(view)
    }

    async fn logs(
        &self,
        members: &[Member],
        service: &Name,
        follow: bool,
        tail: Option<u32>,
    ) -> Result<BoxStream<'static, Result<LogLine, Failure>>, Failure> {
        logs::logs(self, members, service, follow, tail).await
    }

    /// The watches run by themselves as soon as the cluster is observed; a session has them say when something is new, and
    /// holds services where their volumes are.
    async fn session(&self, host: Arc<dyn SessionHost>, _kept: BTreeMap<String, Kept>) -> Failure {
        self.on_change(Arc::new(move || host.look_now()));
        services::keep_holding(self).await
    }

    async fn exec(&self, members: &[Member], order: &ExecOrder) -> Result<Duplex, Failure> {
        self.exec_in(members, order).await
    }

    async fn port_forward(&self, members: &[Member], order: &ForwardOrder) -> Result<Duplex, Failure> {
        self.connect_to(members, order).await
    }

    async fn access(&self, members: &[Member], order: &AccessOrder) -> Result<AccessFile, Failure> {
        let clients = self.api(members).await?;
        access::person(&self.cluster, &clients, order).await
    }
}
