//! What drivers, preparers and handlers know of the cluster they work for.

use std::collections::BTreeMap;

use muster_protocol::model::cluster::ClusterSpec;
use muster_protocol::{ClusterId, InstanceId, Name, SecretString};
use serde::{Deserialize, Serialize};

/// A cluster, as far as it never changes while the cluster lives.
#[derive(Clone, Debug)]
pub struct ClusterContext {
    /// The daemon's installation: the owner.
    pub instance: InstanceId,
    /// The cluster's id.
    pub cluster: ClusterId,
    /// What was asked for when it was created. Numbers of machines may have changed since; nothing here depends on them.
    pub spec: ClusterSpec,
    /// Keys and certificates of this cluster.
    pub material: Material,
}

impl ClusterContext {
    /// The cluster's name.
    pub fn name(&self) -> &Name {
        &self.spec.name
    }
}

/// Keys and certificates of one cluster, by names that the provisioner and the handler agree on.
/// Made once, before the cluster's first machine; kept sealed in the store.
#[derive(Clone, Default, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Material(pub BTreeMap<String, SecretString>);

impl Material {
    /// The material of this name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(SecretString::expose)
    }
}

/// The marks that every outside resource of ours carries, so that it can be found again and is
/// never taken for somebody else's. Drivers write them as labels or tags at creation.
pub mod mark {
    /// Names the daemon's installation ([`super::ClusterContext::instance`]).
    pub const INSTANCE: &str = "io.muster.instance";
    /// Names the cluster by its id.
    pub const CLUSTER: &str = "io.muster.cluster";
    /// Names the cluster as its user does. For people; nothing relies on it.
    pub const CLUSTER_NAME: &str = "io.muster.cluster-name";
    /// Names the resource within its cluster: a [`crate::ledger::ResourceKey`] as text.
    pub const KEY: &str = "io.muster.key";
    /// Says what the cluster was asked to be, for the day on which the store is lost: see [`crate::spec_mark`].
    pub const SPEC: &str = "io.muster.spec";
    /// Says for which generation of a service it was made.
    pub const GENERATION: &str = "io.muster.generation";
}
