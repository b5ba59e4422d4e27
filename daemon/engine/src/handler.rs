//! The orchestrator event handler: forms and joins clusters, runs services, observes.

use async_trait::async_trait;
use futures::stream::BoxStream;
use muster_protocol::model::host::Role;
use muster_protocol::model::service::{LogLine, ServiceSpec};
use muster_protocol::{Error, Name, ServiceId};

use crate::failure::Failure;
use crate::ledger::{MachineAccess, Present};
use crate::observed::OrchestratorView;

/// One orchestrator cluster. Each instance is made for one cluster and may keep sessions to it.
///
/// Rules for every method: already so is a success. A failure says honestly whether it may have been
/// applied. `members` are the machines that are prepared and could be asked; any live control plane will do.
#[async_trait]
pub trait Handler: Send + Sync {
    /// Refuses what this orchestrator cannot honour, naming the field, before anything is changed. Pure.
    fn validate(&self, service: &ServiceSpec) -> Result<(), Error>;

    /// Forms the orchestrator's cluster on this machine; if the machine is in one already, that is it. The id is the cluster's own.
    async fn form(&self, first: &Member) -> Result<Present, Failure>;

    /// The orchestrator's cluster, if this machine is in one.
    async fn look_up_cluster(&self, first: &Member) -> Result<Option<Present>, Failure>;

    /// Makes the machine a member with its role. The id is the orchestrator's id of the node.
    async fn join(&self, members: &[Member], machine: &Member) -> Result<Present, Failure>;

    /// The machine's node, if the control plane lists it as a member that is not down for good. As long as a control plane
    /// may become a member by itself it is not absent: that is a failure.
    async fn look_up_node(&self, members: &[Member], machine: &Member) -> Result<Option<Present>, Failure>;

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
}

/// A prepared machine, as the handler reaches it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Member {
    /// Its name within the cluster.
    pub machine: Name,
    /// What it is for.
    pub role: Role,
    /// How it is reached.
    pub access: MachineAccess,
    /// The orchestrator's id of its node, once it has joined.
    pub node_id: Option<String>,
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
}
