//! Operations: the durable record of one change that was asked for.

use serde::{Deserialize, Serialize};

use crate::growing::growing_words;
use crate::{Cause, ClusterId, Name, OperationId, Principal, Timestamp};

growing_words! {
    /// What was asked for.
    pub enum OperationKind {
        /// Create a cluster.
        ClusterCreate = 0 => "cluster-create",
        /// Change its numbers of machines.
        ClusterScale = 1 => "cluster-scale",
        /// Remove it.
        ClusterDelete = 2 => "cluster-delete",
        /// Try again now what failed.
        ClusterRetry = 3 => "cluster-retry",
        /// Create a service.
        ServiceCreate = 4 => "service-create",
        /// Change a service.
        ServiceUpdate = 5 => "service-update",
        /// Change its number of copies.
        ServiceScale = 6 => "service-scale",
        /// Remove a service.
        ServiceDelete = 7 => "service-delete",
        /// Bring its machines to another version of its orchestrator, or to the recipe of this release.
        ClusterUpgrade = 8 => "cluster-upgrade",
        /// Give its machines new certificates.
        ClusterRenew = 9 => "cluster-renew",
        /// Run what a service's tag means by now.
        ServiceRefresh = 10 => "service-refresh",
    }
}

growing_words! {
    /// How an operation stands.
    pub enum OperationPhase {
        /// Being worked on.
        Running = 0 => "running",
        /// What was asked for was seen to be so.
        Succeeded = 1 => "succeeded",
        /// It ended without that; the cause says why.
        Failed = 2 => "failed",
        /// It was cancelled; what was asked for before is being restored.
        Cancelled = 3 => "cancelled",
        /// A later operation took its place.
        Superseded = 4 => "superseded",
    }
}

impl OperationPhase {
    /// Whether it is over. A phase of a later release counts as not over: whoever waits goes on waiting.
    pub const fn is_ended(self) -> bool {
        match self {
            Self::Running | Self::Unknown(_) => false,
            Self::Succeeded | Self::Failed | Self::Cancelled | Self::Superseded => true,
        }
    }
}

/// One change that was asked for, from the asking to its end.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct OperationInfo {
    /// Its id.
    pub id: OperationId,
    /// What was asked for.
    pub kind: OperationKind,
    /// The cluster's id.
    pub cluster_id: ClusterId,
    /// The cluster's name.
    pub cluster: Name,
    /// The services concerned, if it is about services.
    pub services: Vec<Name>,
    /// How it stands.
    pub phase: OperationPhase,
    /// Who asked.
    pub requested_by: Principal,
    /// When it was asked.
    pub created_at: Timestamp,
    /// Until when it may run; then it fails.
    pub deadline: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Steps done of its plan.
    pub steps_done: u32,
    /// Steps of its plan in all, as far as known now.
    pub steps_total: u32,
    /// What is being done, in words.
    pub message: String,
    /// What hinders it, or why it ended without success.
    pub cause: Option<Cause>,
}
