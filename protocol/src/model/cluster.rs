//! Clusters: what was asked for, and what is known.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::host::Role;
use super::plan::Step;
use crate::growing::growing_words;
use crate::quantity::{Bytes, CpuMillis};
use crate::{Cause, ClusterId, Name, OperationId, Timestamp};

growing_words! {
    /// The kind of container orchestrator.
    pub enum Orchestrator {
        /// Kubernetes, by kubeadm.
        Kubernetes = 0 => "kubernetes",
        /// Docker Swarm.
        Swarm = 1 => "swarm",
        /// Apache Mesos, with Muster as its framework.
        Mesos = 2 => "mesos",
        /// The simulated twin, for trials and tests. Runs nothing.
        Sim = 3 => "sim",
    }
}

growing_words! {
    /// The kind of infrastructure.
    pub enum Infrastructure {
        /// Machine containers on the local Docker Engine.
        Local = 0 => "local",
        /// Hosts that one already has.
        Hosts = 1 => "hosts",
        /// Amazon EC2.
        Ec2 = 2 => "ec2",
        /// Cloudit virtual machines.
        ClouditVm = 3 => "cloudit-vm",
        /// Cloudit bare metal.
        ClouditBaremetal = 4 => "cloudit-baremetal",
        /// The simulated twin, for trials and tests. Makes nothing.
        Sim = 5 => "sim",
    }
}

/// What a user asks for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClusterSpec {
    /// Unique among the clusters that exist.
    pub name: Name,
    /// Which orchestrator to run.
    pub orchestrator: Orchestrator,
    /// Where its machines come from.
    pub infrastructure: Infrastructure,
    /// The account at the infrastructure; without one, the infrastructure's default account.
    #[serde(default)]
    pub account: Option<Name>,
    /// The orchestrator's version; without one, what its machines are prepared with. Swarm takes none.
    #[serde(default)]
    pub version: Option<String>,
    /// Machines that run the control plane (Swarm: managers). Odd, at most 7.
    #[serde(default = "one")]
    pub control_planes: u32,
    /// Machines that only run services. At most 500.
    #[serde(default)]
    pub workers: u32,
    /// What each machine should be.
    #[serde(default)]
    pub machine: MachineShape,
    /// More groups of machines, each with a shape of its own. `controlPlanes` and `workers` count the machines of the two
    /// default pools, which are named `control-plane` and `worker`.
    #[serde(default)]
    pub pools: Vec<Pool>,
    /// The user's own labels.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Settings of the orchestrator and the infrastructure, by name. Each kind says which it knows.
    #[serde(default)]
    pub options: BTreeMap<String, String>,
}

/// A group of like machines of a cluster, which are named `<pool>-1`, `<pool>-2` and so on.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Pool {
    /// Unique in its cluster. The name of a pool of control planes begins with `control-plane-`, that of a pool of
    /// workers does not: a machine's name tells its role.
    pub name: Name,
    /// What its machines are for.
    #[serde(default = "worker")]
    pub role: Role,
    /// How many machines it has.
    pub count: u32,
    /// What each of its machines should be; what is left out is as in `machine`.
    #[serde(default)]
    pub shape: MachineShape,
    /// Labels of its machines at the orchestrator.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Settings of the orchestrator and the infrastructure for its machines, in place of the cluster's.
    #[serde(default)]
    pub options: BTreeMap<String, String>,
}

fn worker() -> Role {
    Role::Worker
}

impl Pool {
    /// A pool of so many machines, with nothing else said.
    pub fn new(name: Name, role: Role, count: u32) -> Self {
        let shape = MachineShape::default();
        Self { name, role, count, shape, labels: BTreeMap::new(), options: BTreeMap::new() }
    }
}

fn one() -> u32 {
    1
}

impl ClusterSpec {
    /// A cluster of one control plane and no workers, with nothing else said.
    pub fn new(name: Name, orchestrator: Orchestrator, infrastructure: Infrastructure) -> Self {
        Self {
            name,
            orchestrator,
            infrastructure,
            account: None,
            version: None,
            control_planes: one(),
            workers: 0,
            machine: MachineShape::default(),
            pools: Vec::new(),
            labels: BTreeMap::new(),
            options: BTreeMap::new(),
        }
    }

    /// More managers make consensus slower and no safer (Docker's and etcd's own advice).
    pub const MAX_CONTROL_PLANES: u32 = 7;
    /// What the planner and the store are tested for.
    pub const MAX_WORKERS: u32 = 500;
    /// The name of the default pool of control planes.
    pub const CONTROL_PLANE_POOL: &str = "control-plane";
    /// The name of the default pool of workers.
    pub const WORKER_POOL: &str = "worker";

    /// All pools of a role as name and number of machines, the default one first.
    pub fn pools_of(&self, role: Role) -> impl Iterator<Item = (&str, u32)> {
        let default = match role {
            Role::ControlPlane => Some((Self::CONTROL_PLANE_POOL, self.control_planes)),
            Role::Worker => Some((Self::WORKER_POOL, self.workers)),
            Role::Unknown(_) => None,
        };
        let others = self.pools.iter().filter(move |pool| pool.role == role);
        default.into_iter().chain(others.map(|pool| (pool.name.as_str(), pool.count)))
    }

    /// How many machines have a role.
    pub fn count(&self, role: Role) -> u32 {
        self.pools_of(role).fold(0, |all, (_, count)| all.saturating_add(count))
    }
}

/// What a machine should be; what is left out is the infrastructure's default.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MachineShape {
    /// Processor time.
    #[serde(default)]
    pub cpu: Option<CpuMillis>,
    /// Memory in bytes.
    #[serde(default)]
    pub memory: Option<Bytes>,
    /// Disk in bytes.
    #[serde(default)]
    pub disk: Option<Bytes>,
    /// The infrastructure's name of the machine image.
    #[serde(default)]
    pub image: Option<String>,
}

growing_words! {
    /// How a cluster is, in one word.
    pub enum ClusterPhase {
        /// It never was ready and is being made.
        Creating = 0 => "creating",
        /// Everything that was asked for was seen to be there and healthy.
        Ready = 1 => "ready",
        /// It was ready and is being changed.
        Updating = 2 => "updating",
        /// Something that was asked for is missing or failing; the cause says what.
        Degraded = 3 => "degraded",
        /// It is being removed.
        Deleting = 4 => "deleting",
        /// Nothing of it is left.
        Deleted = 5 => "deleted",
        /// Deletion ended, but the listed leftovers may still exist; Muster goes on with them.
        Released = 6 => "released",
    }
}

/// How many are ready of how many are wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Tally {
    /// Seen to be ready.
    pub ready: u32,
    /// Asked for.
    pub wanted: u32,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}/{}", self.ready, self.wanted))
    }
}

/// One line of the list of clusters.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct ClusterSummary {
    /// Its id.
    pub id: ClusterId,
    /// Its name.
    pub name: Name,
    /// Its orchestrator.
    pub orchestrator: Orchestrator,
    /// Its infrastructure.
    pub infrastructure: Infrastructure,
    /// How it is.
    pub phase: ClusterPhase,
    /// Control-plane machines.
    pub control_planes: Tally,
    /// Worker machines.
    pub workers: Tally,
    /// How many services it has.
    pub services: u32,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// The first of the causes of trouble that hold: one that needs somebody goes before those that may pass.
    pub cause: Option<Cause>,
}

/// Everything about one cluster that is not in a list of its own.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct ClusterInfo {
    /// The line of the list.
    pub summary: ClusterSummary,
    /// What was asked for.
    pub spec: ClusterSpec,
    /// Counts the changes of what is asked for, from 1.
    pub generation: u64,
    /// Since when it is in its phase.
    pub phase_since: Timestamp,
    /// The orchestrator's version as seen.
    pub version: Option<String>,
    /// Where its orchestrator answers; last, as `host:port`, the address that the infrastructure gives all its control planes, if
    /// it gives one.
    pub endpoints: Vec<String>,
    /// What is still to be done, running or waiting, and on what.
    pub steps: Vec<Step>,
    /// Every cause that holds.
    pub causes: Vec<Cause>,
    /// Operations on it that have not ended.
    pub operations: Vec<OperationId>,
    /// What may be left of a released cluster.
    pub leftovers: Vec<Leftover>,
    /// When the orchestrator and infrastructure were last looked at with success.
    pub observed_at: Option<Timestamp>,
    /// Whether this release of Muster has a newer recipe than the cluster's machines: `cluster upgrade` adopts it.
    pub recipe_offered: bool,
}

/// A resource at an infrastructure that could not be removed, or whose removal could not be confirmed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Leftover {
    /// Its key, for example `machine/worker-1`; `unknown` if it carries the cluster's mark, but none that says what it is.
    pub key: String,
    /// The provider's id, where it is known.
    pub provider_id: Option<String>,
    /// Why it may be left.
    pub cause: Option<Cause>,
}
