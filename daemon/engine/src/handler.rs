//! The orchestrator event handler: forms and joins clusters, runs services, observes.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::BoxStream;
use muster_protocol::model::access::{AccessFile, AccessKind};
use muster_protocol::model::service::{LogLine, ServiceSpec};
use muster_protocol::{Error, ErrorCode, Name, ServiceId};

use crate::access::AccessOrder;
use crate::duplex::{Duplex, ExecOrder, ForwardOrder, unsupported};
use crate::failure::Failure;
use crate::ledger::Present;
use crate::login::RegistryLogin;
use crate::member::Member;
use crate::observed::OrchestratorView;
use crate::recipe::MachineStep;
use crate::session::{Kept, SessionHost};

/// One orchestrator cluster. Each instance is made for one cluster and may keep sessions to it.
///
/// Rules for every method: already so is a success. A failure says honestly whether it may have been
/// applied. `members` are the machines that are prepared and could be asked; any live control plane will do.
#[async_trait]
pub trait Handler: Send + Sync {
    /// Refuses what this orchestrator cannot honour, naming the field, before anything is changed. Pure.
    fn validate(&self, service: &ServiceSpec) -> Result<(), Error>;

    /// Refuses what the cluster's machines, as they were last seen, cannot do for a service, naming the field. Pure.
    fn validate_on(&self, _service: &ServiceSpec, _seen: &OrchestratorView) -> Result<(), Error> {
        Ok(())
    }

    /// Forms the orchestrator's cluster on this machine; if the machine is in one already, that is it. The id is the cluster's own.
    async fn form(&self, first: &Member) -> Result<Present, Failure>;

    /// The orchestrator's cluster, if this machine is in one.
    async fn look_up_cluster(&self, first: &Member) -> Result<Option<Present>, Failure>;

    /// Makes the machine a member with its role. The id is the orchestrator's id of the node.
    async fn join(&self, members: &[Member], machine: &Member) -> Result<Present, Failure>;

    /// The machine's node, if the control plane lists it as a member that is not down for good. As long as a control plane
    /// may become a member by itself it is not absent: that is a failure.
    async fn look_up_node(&self, members: &[Member], machine: &Member) -> Result<Option<Present>, Failure>;

    /// Cordons, drains or uncordons a member's machine. One step at a time; already so is success.
    async fn step(&self, members: &[Member], machine: &Member, step: MachineStep) -> Result<(), Failure>;

    /// Takes a node out: drains it, takes its role from it, lets it leave, forgets it. `machine` is none if the machine itself is lost.
    async fn remove_node(&self, members: &[Member], node_id: &str, machine: Option<&Member>) -> Result<(), Failure>;

    /// Submits a service: creates it, or changes it to this generation.
    async fn deploy(&self, members: &[Member], order: &ServiceOrder) -> Result<Present, Failure>;

    /// The service as submitted, with the generation that it was last submitted for. Only one with our marks counts.
    /// What was made for one that did not come to be goes before it is said to be absent.
    async fn look_up_service(&self, members: &[Member], service: &Name) -> Result<Option<Present>, Failure>;

    /// Removes a service with its secrets and configuration files. Its volumes stay with the machines.
    async fn remove_service(&self, members: &[Member], service: &Name) -> Result<(), Failure>;

    /// Nodes, services and containers as the control plane sees them now.
    async fn observe(&self, members: &[Member]) -> Result<OrchestratorView, Failure>;

    /// A service's output: the last `tail` lines of each container (all, if none), then new ones as they come if `follow`.
    async fn logs(
        &self,
        members: &[Member],
        service: &Name,
        follow: bool,
        tail: Option<u32>,
    ) -> Result<BoxStream<'static, Result<LogLine, Failure>>, Failure>;

    /// Runs for as long as the cluster is supervised, with what earlier sessions of the cluster kept. It ends by a failure
    /// only; then it is started again, after a delay that grows.
    async fn session(&self, _host: Arc<dyn SessionHost>, _kept: BTreeMap<String, Kept>) -> Failure {
        std::future::pending().await
    }

    /// Runs a command in a container of a service. Its last item is the exit code.
    async fn exec(&self, _members: &[Member], _order: &ExecOrder) -> Result<Duplex, Failure> {
        Err(unsupported("exec"))
    }

    /// Connects to a port of a service.
    async fn port_forward(&self, _members: &[Member], _order: &ForwardOrder) -> Result<Duplex, Failure> {
        Err(unsupported("port-forward"))
    }

    /// Makes a file with which a tool of the asker's own reaches the cluster. Each has a new certificate that ends by itself,
    /// and with the next renewal of the cluster's certificates.
    async fn access(&self, _members: &[Member], order: &AccessOrder) -> Result<AccessFile, Failure> {
        Err(unsupported(order.kind.map_or("access", AccessKind::as_str)))
    }
}

/// The order for one service.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServiceOrder {
    /// Our id of it.
    pub id: ServiceId,
    /// For which generation; written to the orchestrator with the service.
    pub generation: u64,
    /// What to run, with the values of its secrets.
    pub spec: ServiceSpec,
    /// Counts the changes of the secrets' values, for orchestrators whose secrets cannot be changed in place.
    pub secrets_version: u64,
    /// The digest that this version of the service ran with before. If there is none, a handler that can resolves the image's
    /// tag, and shows the digest with the service.
    pub digest: Option<String>,
    /// Whether somebody asked to run what the tag means by now: without an answer of its registry nothing is changed.
    pub refresh: bool,
    /// The login at the image's registry, if there is one. Whoever sends the order puts it in; no state has it.
    pub login: Option<RegistryLogin>,
}

impl ServiceOrder {
    /// Whether the tag is to be resolved although the copies that are there could stay.
    pub fn asks_anew(&self) -> bool {
        self.refresh && self.digest.is_none()
    }

    /// How a refresh fails if the registry does not say what the tag means. Nothing is changed then, and whoever asked asks again.
    pub fn not_refreshed(&self, why: &str) -> Failure {
        let image = &self.spec.image;
        let message = format!("what `{image}` means by now is not known, so every copy stays as it is: {why}");
        Failure::not_applied(ErrorCode::Unreachable, message).permanent().with_field("image").with_remedy(
            "refresh the service once its registry answers, or name the image by another tag or by its digest",
        )
    }
}
