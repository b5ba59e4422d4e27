//! Waiting for the swarm to settle, never for ever.

use std::time::Duration;

use muster_engine::failure::Failure;
use tokio::time::Instant;

/// How often the swarm is asked while waiting.
const POLL: Duration = Duration::from_millis(250);

/// Polls until `look` sees it, or `limit` has passed: then nothing. Failures in between are waited out, as the
/// leader may be changing; the last one is the answer if the time ends with it.
pub(crate) async fn until<T, Look>(limit: Duration, mut look: impl FnMut() -> Look) -> Result<Option<T>, Failure>
where
    Look: Future<Output = Result<Option<T>, Failure>>,
{
    let deadline = Instant::now() + limit;
    loop {
        let seen = look().await;
        if let Ok(Some(seen)) = seen {
            return Ok(Some(seen));
        }
        if Instant::now() >= deadline {
            return seen;
        }
        tokio::time::sleep(POLL).await;
    }
}
