//! Containers: the running copies of services.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{ClusterId, Name, ServiceId, Timestamp};

/// How a container is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ContainerPhase {
    /// Not on a machine yet.
    Pending,
    /// On a machine, not running yet.
    Starting,
    /// Runs.
    Running,
    /// Ended by itself with success.
    Complete,
    /// Ended by itself without success, or could not start.
    Failed,
    /// Was stopped.
    Stopped,
}

impl fmt::Display for ContainerPhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Pending => "pending",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Complete => "complete",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
        })
    }
}

/// One running copy of a service (Swarm: a task; Kubernetes: a container of a pod; Mesos: a task).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContainerInfo {
    /// The orchestrator's id of it.
    pub id: String,
    /// Its name, for example `web.2`.
    pub name: String,
    /// The cluster's id.
    pub cluster_id: ClusterId,
    /// The cluster's name.
    pub cluster: Name,
    /// The service's id.
    pub service_id: ServiceId,
    /// The service's name.
    pub service: Name,
    /// The machine it is on, by its name within the cluster.
    pub machine: Option<Name>,
    /// How it is.
    pub phase: ContainerPhase,
    /// Whether its health check passes, where it has one.
    pub healthy: Option<bool>,
    /// Its own address, where it has one.
    pub address: Option<String>,
    /// The image it runs.
    pub image: String,
    /// When it entered its phase.
    pub since: Option<Timestamp>,
    /// With which code it ended.
    pub exit_code: Option<i64>,
    /// The orchestrator's words about it.
    pub message: Option<String>,
}
