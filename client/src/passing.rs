//! Which failures may pass by themselves.

use std::io;

use muster_protocol::{Error, ErrorCode, Retry};

use crate::ClientError;

/// Whether the daemon says that it is starting or stopping, or that a part of it is. Unless it says that nobody knows, it
/// has changed nothing, so anything may be asked again.
pub(crate) fn is_passing(error: &Error) -> bool {
    error.code == ErrorCode::Unavailable && error.retry == Retry::Later
}

/// Whether it is the daemon that starts or stops, and not only its part that takes care of one cluster: that error names
/// the cluster.
pub(crate) fn is_of_daemon(error: &Error) -> bool {
    !error.details.contains_key("cluster")
}

/// Whether another try to connect and ask may go better.
pub(crate) fn may_pass(error: &ClientError) -> bool {
    match error {
        ClientError::Connect { source, .. } => source.kind() != io::ErrorKind::PermissionDenied,
        ClientError::Refused { .. } | ClientError::Lost { .. } => true,
        ClientError::Remote(error) => is_passing(error),
        ClientError::Handshake { .. }
        | ClientError::VersionMismatch { .. }
        | ClientError::Protocol { .. }
        | ClientError::TooLarge { .. }
        | ClientError::Encode { .. } => false,
    }
}
