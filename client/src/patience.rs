//! How long and how often to try again after the connection was lost.

use std::time::Duration;

use tokio::time::{Instant, sleep};

const FIRST_DELAY: Duration = Duration::from_millis(50);
const LONGEST_DELAY: Duration = Duration::from_secs(1);

/// Growing pauses between tries, until the limit has passed since the first failure. A failure of a connection that was
/// there for as long as the limit counts as a first one, so a watch may last for ever.
pub(crate) struct Patience {
    limit: Duration,
    first_failure: Option<Instant>,
    /// Since when there is a connection, if the last try brought one.
    connected_at: Option<Instant>,
    delay: Duration,
}

impl Patience {
    pub(crate) const fn new(limit: Duration) -> Self {
        Self { limit, first_failure: None, connected_at: None, delay: FIRST_DELAY }
    }

    /// All went well again.
    pub(crate) const fn restore(&mut self) {
        self.first_failure = None;
        self.delay = FIRST_DELAY;
    }

    /// There is a connection, which may last. A try that takes long without one is no time without failures.
    pub(crate) fn connected(&mut self) {
        self.connected_at = Some(Instant::now());
    }

    /// After a failure: pauses and returns true, or returns false at once if it is time to give up.
    pub(crate) async fn pause(&mut self) -> bool {
        let now = Instant::now();
        if self.connected_at.take().is_some_and(|since| now.duration_since(since) >= self.limit) {
            self.restore();
        }
        let first_failure = *self.first_failure.get_or_insert(now);
        let left = self.limit.saturating_sub(now.duration_since(first_failure));
        if left.is_zero() {
            return false;
        }
        sleep(self.delay.min(left)).await;
        self.delay = (self.delay * 2).min(LONGEST_DELAY);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_ends_when_the_limit_has_passed_since_the_first_failure() {
        let began = Instant::now();
        let mut patience = Patience::new(Duration::from_secs(10));
        while patience.pause().await {}
        assert_eq!(began.elapsed(), Duration::from_secs(10));
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_after_a_long_quiet_time_is_a_first_failure() {
        let mut patience = Patience::new(Duration::from_secs(10));
        assert!(patience.pause().await);
        patience.connected();
        sleep(Duration::from_secs(3600)).await;
        assert!(patience.pause().await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_try_that_reaches_nobody_is_no_quiet_time_however_long_it_takes() {
        let mut patience = Patience::new(Duration::from_secs(10));
        patience.connected();
        assert!(patience.pause().await);
        sleep(Duration::from_secs(3600)).await;
        assert!(!patience.pause().await);
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_limit_it_never_pauses() {
        assert!(!Patience::new(Duration::ZERO).pause().await);
    }
}
