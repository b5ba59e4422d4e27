//! The infrastructure driver: gets machines, and what machines stand on.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use muster_protocol::model::account::Finding;
use muster_protocol::model::cluster::{ClusterSpec, MachineShape};
use muster_protocol::model::host::Role;
use muster_protocol::{ClusterId, InstanceId, Name};

use crate::context::ClusterContext;
use crate::desired::Desired;
use crate::failure::Failure;
use crate::ledger::{InfraKey, InfraKind, Present, ResourceKey};
use crate::observed::ObservedResource;
use crate::options::KnownOption;

/// What clusters need of an infrastructure. Pure: the planner asks at every plan.
pub trait Needs: Send + Sync {
    /// Everything that a cluster needs, each behind what it stands on; machines are among it, by the names of
    /// [`Desired::machines`]. Nothing if the cluster is to be absent.
    fn needs(&self, desired: &Desired) -> Vec<Need>;

    /// The resource by which all control planes are reached at one address, if the infrastructure makes one:
    /// [`Present::endpoint`] says the address. It stands on the control planes' machines and is brought up to date as they
    /// come and go. No machine is prepared before it is there.
    fn endpoint(&self, _desired: &Desired) -> Option<InfraKey> {
        None
    }
}

/// One resource that a cluster needs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Need {
    /// Which.
    pub key: InfraKey,
    /// What it stands on: made before it, removed after it.
    pub after: Vec<InfraKey>,
    /// A digest of what it is made from. When it differs from that of the one that is there, the driver is asked to make
    /// the resource again, and brings it up to date. Machines are never brought up to date like this.
    pub input: u64,
}

impl Need {
    /// A resource that never changes.
    pub const fn new(key: InfraKey, after: Vec<InfraKey>) -> Self {
        Self { key, after, input: 0 }
    }
}

/// The needs of an infrastructure where machines stand on one network and on nothing else.
pub fn network_and_machines(network: InfraKind, desired: &Desired) -> Vec<Need> {
    if desired.absent {
        return Vec::new();
    }
    let network = InfraKey::only(network);
    let machines = desired.machines().map(|(name, _)| Need::new(InfraKey::for_machine(name), vec![network.clone()]));
    std::iter::once(Need::new(network.clone(), Vec::new())).chain(machines).collect()
}

/// Counts the machines that other clusters of the account were promised and do not have yet. To count takes time, so only
/// a driver with a limit asks.
pub type Promised<'a> = &'a (dyn Fn() -> usize + Send + Sync);

/// One account at one infrastructure.
///
/// Rules for every method: a resource is made with its owner marks in the same call that makes it
/// ([`crate::context::mark`]). What is already so is a success. Nothing without our marks is ever touched.
/// A failure says honestly whether it may have been applied. Dropping a future may leave the call's effect
/// in doubt, nothing worse.
#[async_trait]
pub trait Driver: Needs {
    /// How long a listing may lag behind a creation: not being listed means not being there
    /// only when this has passed since the last creation could have happened.
    fn listing_lag(&self) -> Duration;

    /// The options that this infrastructure knows.
    fn options(&self) -> &'static [KnownOption] {
        &[]
    }

    /// The networks (`10.0.0.0/16`) in which it makes machines, as far as that is known before there is one.
    fn machine_networks(&self) -> Vec<String> {
        Vec::new()
    }

    /// Looks at everything this account needs: reachable, credentials, quota, images. For `account check` and `doctor`.
    async fn check(&self) -> Vec<Finding>;

    /// Whether this cluster could be made: image there, names valid, capacity left. Changes nothing.
    async fn preflight(&self, spec: &ClusterSpec, promised: Promised<'_>) -> Result<(), Failure>;

    /// Makes a resource, or finds that it is there already and brings it up to date.
    async fn create(&self, cluster: &ClusterContext, order: &InfraOrder) -> Result<Present, Failure>;

    /// Finds a resource by its key, whether a creation's answer was lost or not. Only one with our marks counts.
    async fn look_up(&self, cluster: &ClusterContext, key: &InfraKey) -> Result<Option<Present>, Failure>;

    /// Finds a resource that was there, as `known` says. An infrastructure that gives ids is asked for the id: somebody may
    /// have taken the resource's marks away while it lives, and then it is not lost.
    async fn look_up_known(
        &self,
        cluster: &ClusterContext,
        key: &InfraKey,
        _known: &Present,
    ) -> Result<Option<Present>, Failure> {
        self.look_up(cluster, key).await
    }

    /// Starts a machine that was stopped. One that runs is left alone.
    async fn start(&self, cluster: &ClusterContext, key: &InfraKey, id: &str) -> Result<Present, Failure>;

    /// Removes a resource with all that belongs to it (disks, addresses). One that is gone is a success.
    async fn remove(&self, cluster: &ClusterContext, key: &InfraKey, id: &str) -> Result<(), Failure>;

    /// The resources of a cluster as the infrastructure sees them now: its machines at least.
    async fn observe(&self, cluster: &ClusterContext) -> Result<Vec<ObservedResource>, Failure>;

    /// Everything at this account that carries the marks of this installation: of one cluster, or of all.
    async fn list_owned(&self, instance: InstanceId, cluster: Option<ClusterId>) -> Result<Vec<Owned>, Failure>;

    /// Everything at this account that carries the marks of any installation: for a daemon whose store is lost, which does
    /// not know its own installation any more.
    async fn list_marked(&self) -> Result<Vec<Marked>, Failure>;

    /// Whether [`Driver::look_up`] gives a machine the cluster's keys if it has others: those that it had were lost with the store.
    fn gives_keys_anew(&self) -> bool {
        false
    }
}

/// The order for one resource.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InfraOrder {
    /// Which resource.
    pub key: InfraKey,
    /// What a machine should be; none for anything else.
    pub machine: Option<MachineOrder>,
    /// What is there of this one already, if it is only to be brought up to date.
    pub present: Option<Present>,
    /// What is there of the cluster's other resources that are no machines, and of what this one stands on.
    pub known: BTreeMap<InfraKey, Present>,
    /// A number that differs between tries of which it is known that the earlier ones had no effect;
    /// part of idempotency tokens.
    pub attempt: u32,
}

/// What a machine should be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MachineOrder {
    /// Its name within its cluster.
    pub name: Name,
    /// What it is for.
    pub role: Role,
    /// Its size and image.
    pub shape: MachineShape,
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

/// A resource that carries the marks of some installation, and what these say.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Marked {
    /// The installation.
    pub instance: InstanceId,
    /// The resource.
    pub owned: Owned,
    /// The cluster's name, if the marks say it.
    pub cluster_name: Option<Name>,
    /// What the cluster was asked to be when the resource was made; none if the marks do not say it.
    pub spec: Option<ClusterSpec>,
}
