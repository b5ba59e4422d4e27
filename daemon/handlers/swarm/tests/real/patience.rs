//! Waiting for what becomes so by itself, on a host that may have other things to do.

use std::fmt::Debug;
use std::time::{Duration, Instant};

/// Far more than anything takes.
const LIMIT: Duration = Duration::from_secs(300);
const POLL: Duration = Duration::from_millis(200);

/// Looks again and again until the answer is there; what was seen instead is told if it never is.
pub async fn until<T, U: Debug>(what: &str, mut look: impl AsyncFnMut() -> Result<T, U>) -> T {
    let deadline = Instant::now() + LIMIT;
    loop {
        match look().await {
            Ok(answer) => return answer,
            Err(seen) => assert!(Instant::now() < deadline, "{what}: still {seen:#?}"),
        }
        tokio::time::sleep(POLL).await;
    }
}
