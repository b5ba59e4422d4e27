//! Hosts: the machines of clusters, as the paper's getHostInfoById shows them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::growing::growing_words;
use crate::quantity::{Bytes, CpuMillis};
use crate::{Cause, ClusterId, MachineId, Name, Timestamp};

growing_words! {
    /// What a machine is for.
    pub enum Role {
        /// Runs the orchestrator's control plane (Swarm: a manager).
        ControlPlane = 0 => "control-plane",
        /// Runs services only.
        Worker = 1 => "worker",
    }
}

growing_words! {
    /// How a machine is.
    pub enum HostPhase {
        /// Being made at the infrastructure.
        Creating = 0 => "creating",
        /// There; being prepared, or joining.
        Preparing = 1 => "preparing",
        /// Seen ready by the orchestrator.
        Ready = 2 => "ready",
        /// There, but the orchestrator does not see it ready.
        NotReady = 3 => "not-ready",
        /// It was there and cannot be found any more.
        Missing = 4 => "missing",
        /// Being removed.
        Removing = 5 => "removing",
    }
}

/// One machine of a cluster.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
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
