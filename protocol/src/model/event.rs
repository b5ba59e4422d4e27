//! Events: the durable, numbered log of what happened.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Cause, ClusterId, Name, OperationId, Timestamp};

/// What happened.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EventKind {
    /// A change was asked for.
    OperationStarted,
    /// A change ended; the message says how.
    OperationEnded,
    /// A cluster went to another phase.
    ClusterPhase,
    /// A step of a plan was begun.
    StepStarted,
    /// A step of a plan was done.
    StepDone,
    /// A step failed; the cause says why.
    StepFailed,
    /// A service went to another phase.
    ServicePhase,
    /// A machine that should be there was lost.
    Host,
    /// An account was added, changed or removed.
    Account,
    /// The daemon itself: started, stopped, repaired its store.
    Daemon,
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::OperationStarted => "operation-started",
            Self::OperationEnded => "operation-ended",
            Self::ClusterPhase => "cluster-phase",
            Self::StepStarted => "step-started",
            Self::StepDone => "step-done",
            Self::StepFailed => "step-failed",
            Self::ServicePhase => "service-phase",
            Self::Host => "host",
            Self::Account => "account",
            Self::Daemon => "daemon",
        })
    }
}

/// One entry of the event log.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// Its number: 1 for the first event ever, without gaps. Also the cursor to go on from.
    pub number: u64,
    /// When it was written.
    pub at: Timestamp,
    /// What happened.
    pub kind: EventKind,
    /// The cluster's id, if it is about a cluster.
    pub cluster_id: Option<ClusterId>,
    /// The cluster's name.
    pub cluster: Option<Name>,
    /// The operation it belongs to.
    pub operation: Option<OperationId>,
    /// The service it is about.
    pub service: Option<Name>,
    /// In words.
    pub message: String,
    /// Why, if something failed.
    pub cause: Option<Cause>,
}
