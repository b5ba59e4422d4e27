//! What is told to systemd.

use tracing::warn;

/// Tells systemd, if it started us.
pub(crate) fn notify(state: &[sd_notify::NotifyState<'_>]) {
    if let Err(cause) = sd_notify::notify(state) {
        warn!(%cause, "cannot tell systemd");
    }
}
