//! What every operation of the gateway works with.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use muster_engine::state::Asked;
use muster_protocol::model::account::Finding;
use muster_protocol::{Error, ErrorCode, Name, OperationId, Timestamp};
use muster_store::{CommitError, Store};
use ractor::ActorRef;
use tokio::sync::RwLock;
use tokio_util::sync::CancellationToken;

use super::catalog::shelf::Shelf;
use super::recent_keys::RecentKeys;
use super::roles::{Access, Caller};
use crate::fleet::FleetMessage;
use crate::permits::Permits;
use crate::provisioner::Provisioner;

/// What every operation of the gateway works with.
pub struct Context {
    /// Checks accounts and resources; has the board, the journal and the vault that all share.
    pub provisioner: Arc<Provisioner>,
    /// For history: events, answers, accounts.
    pub store: Store,
    /// Supervises what is created.
    pub fleet: ActorRef<FleetMessage>,
    /// The catalog.
    pub shelf: Shelf,
    /// Who may do what.
    pub access: Access,
    /// How much is let in.
    pub limits: Limits,
    /// Requests with the same idempotency key wait for each other.
    pub keys: Permits<(u32, String)>,
    /// Idempotency keys that may have an answer in the store.
    pub recent_keys: RecentKeys,
    /// Changes of one cluster that may wait for its supervisor.
    pub changes: Permits<Name>,
    /// Held for reading while a cluster is made with an account, for writing while accounts change.
    pub accounts: RwLock<()>,
    /// What the collector found and could not mend.
    pub findings: Mutex<Vec<Finding>>,
    /// Where the store lies, for its disk's free space.
    pub state_dir: std::path::PathBuf,
    /// Ends streams and refuses requests.
    pub stopping: CancellationToken,
}

/// How much is let in, and how long it may take.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Connections in all.
    pub sessions: usize,
    /// Connections of one user.
    pub sessions_per_user: usize,
    /// Requests that one connection may have under way.
    pub requests_per_session: usize,
    /// Changes of one cluster that may wait for its supervisor.
    pub changes_per_cluster: usize,
    /// Until a new connection must have said hello.
    pub handshake: Duration,
    /// Until a frame that has begun must have ended, and until a peer must have taken one that is sent to it.
    pub frame: Duration,
    /// Until a request that changes nothing must be answered.
    pub read: Duration,
    /// Until a request that changes something must be answered.
    pub change: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            sessions: 2048,
            sessions_per_user: 1024,
            requests_per_session: 64,
            changes_per_cluster: 32,
            handshake: Duration::from_secs(5),
            frame: Duration::from_secs(30),
            read: Duration::from_secs(30),
            change: Duration::from_secs(60),
        }
    }
}

impl Context {
    /// The time now.
    pub fn now(&self) -> Timestamp {
        self.provisioner.shared.clock.now()
    }

    /// A new change that this caller asks for now.
    pub fn asked(&self, caller: &Caller) -> Asked {
        Asked { operation: OperationId::generate(), by: caller.uid, at: self.now() }
    }

    /// What the collector found and could not mend.
    pub fn findings(&self) -> Vec<Finding> {
        self.findings.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The answer while the daemon stops.
pub fn stopping() -> Error {
    Error::new(ErrorCode::Unavailable, "the daemon is stopping")
        .with_remedy("ask again when it runs again")
        .retry_later()
}

/// The answer when a change was not written, or nobody knows whether it was.
pub fn commit_error(error: CommitError) -> Error {
    match error {
        CommitError::NotApplied(reason) => store_error(reason),
        CommitError::MaybeApplied { cause } => {
            unanswered(&format!("the store failed in the middle of a write: {cause}"))
        }
    }
}

/// The answer when a change may have been made. With the same idempotency key it can be asked for again in either case.
pub fn unanswered(message: &str) -> Error {
    Error::new(ErrorCode::Unavailable, message)
        .with_remedy(
            "the change may have been made: ask again with the same idempotency key, or see `muster operation list`",
        )
        .maybe_applied()
        .retry_later()
}

/// The answer when the store could not be read or written; nothing was changed.
pub fn store_error(error: impl std::fmt::Display) -> Error {
    Error::new(ErrorCode::Store, format!("the store failed: {error}"))
        .with_remedy("see `muster doctor` and the daemon's log; check that the disk is healthy and not full")
}

#[cfg(test)]
mod tests {
    use muster_protocol::Retry;
    use muster_store::NotApplied;

    use super::*;

    #[test]
    fn a_change_that_may_be_on_disk_is_not_said_to_have_failed() {
        let error = commit_error(CommitError::MaybeApplied { cause: "fsync: EIO".to_owned() });
        assert!(error.is_maybe_applied());
        assert_eq!((error.code, error.retry), (ErrorCode::Unavailable, Retry::Later));
        let error = commit_error(CommitError::NotApplied(NotApplied::Closed));
        assert!(!error.is_maybe_applied());
        assert_eq!(error.code, ErrorCode::Store);
    }
}
