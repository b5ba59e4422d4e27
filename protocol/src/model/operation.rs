//! Operations: the durable record of one change that was asked for.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Cause, ClusterId, Name, OperationId, Timestamp};

/// What was asked for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OperationKind {
    /// Create a cluster.
    ClusterCreate,
    /// Change its numbers of machines.
    ClusterScale,
    /// Remove it.
    ClusterDelete,
    /// Try again now what failed.
    ClusterRetry,
    /// Create a service.
    ServiceCreate,
    /// Change a service.
    ServiceUpdate,
    /// Change its number of copies.
    ServiceScale,
    /// Remove a service.
    ServiceDelete,
}

impl fmt::Display for OperationKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::ClusterCreate => "cluster-create",
            Self::ClusterScale => "cluster-scale",
            Self::ClusterDelete => "cluster-delete",
            Self::ClusterRetry => "cluster-retry",
            Self::ServiceCreate => "service-create",
            Self::ServiceUpdate => "service-update",
            Self::ServiceScale => "service-scale",
            Self::ServiceDelete => "service-delete",
        })
    }
}

/// How an operation stands.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OperationPhase {
    /// Being worked on.
    Running,
    /// What was asked for was seen to be so.
    Succeeded,
    /// It ended without that; the cause says why.
    Failed,
    /// It was cancelled; what was asked for before is being restored.
    Cancelled,
    /// A later operation took its place.
    Superseded,
}

impl OperationPhase {
    /// Whether it is over.
    pub const fn is_ended(self) -> bool {
        match self {
            Self::Running => false,
            Self::Succeeded | Self::Failed | Self::Cancelled | Self::Superseded => true,
        }
    }
}

impl fmt::Display for OperationPhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Superseded => "superseded",
        })
    }
}

/// One change that was asked for, from the asking to its end.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
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
    /// The user who asked, by number.
    pub requested_by: u32,
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
