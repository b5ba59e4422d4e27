//! Hosts: the machines of clusters, as the paper's getHostInfoById shows them.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::quantity::{Bytes, CpuMillis};
use crate::{Cause, ClusterId, MachineId, Name, Timestamp};

/// What a machine is for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Runs the orchestrator's control plane (Swarm: a manager).
    ControlPlane,
    /// Runs services only.
    Worker,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::ControlPlane => "control-plane",
            Self::Worker => "worker",
        })
    }
}

/// How a machine is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HostPhase {
    /// Being made at the infrastructure.
    Creating,
    /// There; being prepared, or joining.
    Preparing,
    /// Seen ready by the orchestrator.
    Ready,
    /// There, but the orchestrator does not see it ready.
    NotReady,
    /// It was there and cannot be found any more.
    Missing,
    /// Being removed.
    Removing,
}

impl fmt::Display for HostPhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Creating => "creating",
            Self::Preparing => "preparing",
            Self::Ready => "ready",
            Self::NotReady => "not-ready",
            Self::Missing => "missing",
            Self::Removing => "removing",
        })
    }
}

/// One machine of a cluster.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HostInfo {
    /// Its id.
    pub id: MachineId,
    /// Its name within its cluster, for example `worker-1`.
    pub name: Name,
    /// The cluster's id.
    pub cluster_id: ClusterId,
    /// The cluster's name.
    pub cluster: Name,
    /// What it is for.
    pub role: Role,
    /// How it is.
    pub phase: HostPhase,
    /// Its address, as far as known.
    pub address: Option<String>,
    /// The infrastructure's id of it.
    pub provider_id: Option<String>,
    /// The orchestrator's id of it.
    pub node_id: Option<String>,
    /// The orchestrator's version on it.
    pub version: Option<String>,
    /// Processor time that it has.
    pub cpu: Option<CpuMillis>,
    /// Memory that it has, in bytes.
    pub memory: Option<Bytes>,
    /// The orchestrator's labels on it.
    pub labels: BTreeMap<String, String>,
    /// How many containers run on it.
    pub containers: u32,
    /// When it was first asked for.
    pub created_at: Option<Timestamp>,
    /// What is wrong with it.
    pub cause: Option<Cause>,
}
