//! Clusters: what was asked for, and what is known.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::plan::Step;
use crate::quantity::{Bytes, CpuMillis};
use crate::{Cause, ClusterId, Name, OperationId, Timestamp};

/// The kind of container orchestrator.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Orchestrator {
    /// Kubernetes, by kubeadm.
    Kubernetes,
    /// Docker Swarm.
    Swarm,
    /// Apache Mesos, with Muster as its framework.
    Mesos,
    /// The simulated twin, for trials and tests. Runs nothing.
    Sim,
}

/// The kind of infrastructure.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Infrastructure {
    /// Machine containers on the local Docker Engine.
    Local,
    /// Hosts that one already has.
    Hosts,
    /// Amazon EC2.
    Ec2,
    /// Cloudit virtual machines.
    ClouditVm,
    /// Cloudit bare metal.
    ClouditBaremetal,
    /// The simulated twin, for trials and tests. Makes nothing.
    Sim,
}

macro_rules! kind_words {
    ($kind:ident { $($variant:ident => $word:literal),+ $(,)? }) => {
        impl $kind {
            /// Every kind, in the order of the design.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The word for it in flags, files and JSON.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word),+
                }
            }
        }

        impl fmt::Display for $kind {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl FromStr for $kind {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let known = Self::ALL.iter().copied().find(|kind| kind.as_str() == text);
                known.ok_or_else(|| {
                    let words: Vec<&str> = Self::ALL.iter().map(|kind| kind.as_str()).collect();
                    format!("`{text}` is none of {}", words.join(", "))
                })
            }
        }
    };
}

kind_words!(Orchestrator { Kubernetes => "kubernetes", Swarm => "swarm", Mesos => "mesos", Sim => "sim" });
kind_words!(Infrastructure {
    Local => "local",
    Hosts => "hosts",
    Ec2 => "ec2",
    ClouditVm => "cloudit-vm",
    ClouditBaremetal => "cloudit-baremetal",
    Sim => "sim",
});

/// What a user asks for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
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
    /// The user's own labels.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

fn one() -> u32 {
    1
}

impl ClusterSpec {
    /// More managers make consensus slower and no safer (Docker's and etcd's own advice).
    pub const MAX_CONTROL_PLANES: u32 = 7;
    /// What the planner and the store are tested for.
    pub const MAX_WORKERS: u32 = 500;
}

/// What a machine should be; what is left out is the infrastructure's default.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
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

/// How a cluster is, in one word.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClusterPhase {
    /// It never was ready and is being made.
    Creating,
    /// Everything that was asked for was seen to be there and healthy.
    Ready,
    /// It was ready and is being changed.
    Updating,
    /// Something that was asked for is missing or failing; the cause says what.
    Degraded,
    /// It is being removed.
    Deleting,
    /// Nothing of it is left.
    Deleted,
    /// Deletion ended, but the listed leftovers may still exist; Muster goes on with them.
    Released,
}

impl ClusterPhase {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Creating => "creating",
            Self::Ready => "ready",
            Self::Updating => "updating",
            Self::Degraded => "degraded",
            Self::Deleting => "deleting",
            Self::Deleted => "deleted",
            Self::Released => "released",
        }
    }
}

impl fmt::Display for ClusterPhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// How many are ready of how many are wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
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
    /// Where its orchestrator answers.
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
}

/// A resource at an infrastructure that could not be removed, or whose removal could not be confirmed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Leftover {
    /// Its key, for example `machine/worker-1`; `unknown` if it carries the cluster's mark, but none that says what it is.
    pub key: String,
    /// The provider's id, where it is known.
    pub provider_id: Option<String>,
    /// Why it may be left.
    pub cause: Option<Cause>,
}
