//! Events: the durable, numbered log of what happened.

use serde::{Deserialize, Serialize};

use crate::growing::growing_words;
use crate::{Cause, ClusterId, Name, OperationId, Principal, Timestamp};

growing_words! {
    /// What happened.
    pub enum EventKind {
        /// A change was asked for.
        OperationStarted = 0 => "operation-started",
        /// A change ended; the message says how.
        OperationEnded = 1 => "operation-ended",
        /// A cluster went to another phase.
        ClusterPhase = 2 => "cluster-phase",
        /// A step of a plan was begun.
        StepStarted = 3 => "step-started",
        /// A step of a plan was done.
        StepDone = 4 => "step-done",
        /// A step failed; the cause says why.
        StepFailed = 5 => "step-failed",
        /// A service went to another phase.
        ServicePhase = 6 => "service-phase",
        /// A machine that should be there was lost.
        Host = 7 => "host",
        /// An account was added, changed or removed.
        Account = 8 => "account",
        /// The daemon itself: started, stopped, repaired its store.
        Daemon = 9 => "daemon",
        /// Somebody ran a command in a container, or connected to a port of a service.
        Session = 10 => "session",
        /// Somebody was given a file with which a cluster is reached.
        Access = 11 => "access",
        /// A token was made or revoked.
        Token = 12 => "token",
        /// A copy of a service had to be killed, because it did not end in its time.
        ContainerKilled = 13 => "container-killed",
        /// A service was removed by somebody else's hand.
        Service = 14 => "service",
    }
}

/// One entry of the event log.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
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
    /// Who asked for what happened, if somebody did.
    pub who: Option<Principal>,
    /// In words.
    pub message: String,
    /// Why, if something failed.
    pub cause: Option<Cause>,
}
