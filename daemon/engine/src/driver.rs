//! The infrastructure driver: gets networks and machines, and nothing else.

use std::time::Duration;

use async_trait::async_trait;
use muster_protocol::model::account::Finding;
use muster_protocol::model::cluster::{ClusterSpec, MachineShape};
use muster_protocol::model::host::Role;
use muster_protocol::{ClusterId, InstanceId, Name};

use crate::context::ClusterContext;
use crate::failure::Failure;
use crate::ledger::{Present, ResourceKey};
use crate::observed::ObservedMachine;

/// One account at one infrastructure.
///
/// Rules for every method: a resource is made with its owner marks in the same call that makes it
/// ([`crate::context::mark`]). What is already so is a success. Nothing without our marks is ever touched.
/// A failure says honestly whether it may have been applied. Dropping a future may leave the call's effect
/// in doubt, nothing worse.
#[async_trait]
pub trait Driver: Send + Sync {
    /// How long a listing may lag behind a creation: not being listed means not being there
    /// only when this has passed since the last creation could have happened.
    fn listing_lag(&self) -> Duration;

    /// Looks at everything this account needs: reachable, credentials, quota, images. For `account check` and `doctor`.
    async fn check(&self) -> Vec<Finding>;

    /// Whether this cluster could be made: image there, names valid, capacity left. Changes nothing.
    async fn preflight(&self, spec: &ClusterSpec) -> Result<(), Failure>;

    /// Makes a network or machine, or finds that it is there already.
    async fn create(&self, cluster: &ClusterContext, order: &MachineOrder) -> Result<Present, Failure>;

    /// Finds a network or machine by its key, whether a creation's answer was lost or not. Only one with our marks counts.
    async fn look_up(&self, cluster: &ClusterContext, key: &ResourceKey) -> Result<Option<Present>, Failure>;

    /// Starts a machine that was stopped. One that runs is left alone.
    async fn start(&self, cluster: &ClusterContext, key: &ResourceKey, id: &str) -> Result<Present, Failure>;

    /// Removes a network or machine with all that belongs to it (disks, addresses). One that is gone is a success.
    async fn remove(&self, cluster: &ClusterContext, key: &ResourceKey, id: &str) -> Result<(), Failure>;

    /// The machines of a cluster as the infrastructure sees them now.
    async fn observe(&self, cluster: &ClusterContext) -> Result<Vec<ObservedMachine>, Failure>;

    /// Everything at this account that carries the marks of this installation: of one cluster, or of all.
    async fn list_owned(&self, instance: InstanceId, cluster: Option<ClusterId>) -> Result<Vec<Owned>, Failure>;
}

/// The order for one network or machine.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MachineOrder {
    /// Which resource: [`ResourceKey::Network`] or [`ResourceKey::Machine`].
    pub key: ResourceKey,
    /// What a machine is for; none for a network.
    pub role: Option<Role>,
    /// What a machine should be.
    pub shape: MachineShape,
    /// A number that differs between tries of which it is known that the earlier ones had no effect;
    /// part of idempotency tokens.
    pub attempt: u32,
}

impl MachineOrder {
    /// The machine's name within its cluster, if it is for a machine.
    pub fn machine(&self) -> Option<&Name> {
        match &self.key {
            ResourceKey::Machine(name) => Some(name),
            ResourceKey::Network | ResourceKey::Orchestrator | ResourceKey::Node(_) | ResourceKey::Service(_) => None,
        }
    }
}

/// A resource at the infrastructure that carries our marks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Owned {
    /// The cluster it is marked with.
    pub cluster: ClusterId,
    /// Its key; none if the mark cannot be read as one.
    pub key: Option<ResourceKey>,
    /// What was seen.
    pub present: Present,
}
