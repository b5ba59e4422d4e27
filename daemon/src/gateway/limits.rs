//! How much the gateway lets in.

use std::time::Duration;

/// How much is let in, and how long it may take.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GatewayLimits {
    /// Connections in all.
    pub sessions: usize,
    /// Connections of one user.
    pub sessions_per_user: usize,
    /// Requests that one connection may have under way.
    pub requests_per_session: usize,
    /// Changes that one user may have under way, whatever became of the connection that asked for them.
    pub changes_per_user: usize,
    /// Changes of one cluster that may wait for its supervisor.
    pub changes_per_cluster: usize,
    /// Until a new connection must have said hello.
    pub handshake: Duration,
    /// Until a frame that has begun must have ended, and until a peer must have taken one that is sent to it.
    pub frame: Duration,
    /// How long a connection is kept on which nothing is asked for and nothing is under way.
    pub idle: Duration,
    /// Until a request that changes nothing must be answered.
    pub read: Duration,
    /// Until a request that changes something must be answered.
    pub change: Duration,
}

impl Default for GatewayLimits {
    fn default() -> Self {
        Self {
            sessions: 2048,
            sessions_per_user: 1024,
            requests_per_session: 64,
            changes_per_user: 1024,
            changes_per_cluster: 32,
            handshake: Duration::from_secs(5),
            frame: Duration::from_secs(30),
            idle: Duration::from_secs(600),
            read: Duration::from_secs(30),
            change: Duration::from_secs(60),
        }
    }
}
