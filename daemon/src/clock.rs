//! The time, as a value that can be paused.

use std::time::{SystemTime, UNIX_EPOCH};

use muster_protocol::Timestamp;
use tokio::time::Instant;

/// Where the time comes from.
#[derive(Clone, Copy, Debug)]
pub enum Clock {
    /// The system's clock.
    System,
    /// tokio's clock, counted from a fixed date: it can be paused and then jumps over waiting. For tests.
    Tokio {
        /// The moment that counts as [`Clock::EPOCH`].
        started: Instant,
    },
}

impl Clock {
    /// What [`Clock::Tokio`] shows when it starts.
    pub const EPOCH: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    /// A clock that follows tokio's, starting now.
    pub fn tokio() -> Self {
        Self::Tokio { started: Instant::now() }
    }

    /// The time now.
    pub fn now(self) -> Timestamp {
        match self {
            Self::System => {
                let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                Timestamp::from_millis(u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX))
            }
            Self::Tokio { started } => Self::EPOCH + started.elapsed(),
        }
    }
}
