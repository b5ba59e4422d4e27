//! The answers when the daemon itself is why a request fails.

use muster_engine::words;
use muster_protocol::{Error, ErrorCode};
use muster_store::CommitError;

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
pub fn store_error(error: impl std::error::Error) -> Error {
    Error::new(ErrorCode::Store, format!("the store failed: {}", words::chain(&error)))
        .with_remedy("see `muster doctor` and the daemon's log; check that the disk is healthy and not full")
}

/// The answer when a request has panicked.
pub fn broken_off() -> Error {
    Error::new(ErrorCode::Internal, "the request broke off by a mistake in Muster")
        .with_remedy("see the daemon's log, and report it")
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
