//! Containers: the running copies of services.

use serde::{Deserialize, Serialize};

use crate::growing::growing_words;
use crate::{ClusterId, Name, ServiceId, Timestamp};

growing_words! {
    /// How a container is.
    pub enum ContainerPhase {
        /// Not on a machine yet.
        Pending = 0 => "pending",
        /// On a machine, not running yet.
        Starting = 1 => "starting",
        /// Runs.
        Running = 2 => "running",
        /// Ended by itself with success.
        Complete = 3 => "complete",
        /// Ended by itself without success, or could not start.
        Failed = 4 => "failed",
        /// Was stopped.
        Stopped = 5 => "stopped",
    }
}

/// One running copy of a service (Swarm: a task; Kubernetes: a container of a pod; Mesos: a task).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
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
