//! How fast one account is asked: a token bucket for reads and one for changes, both slower while EC2 asks for patience.
//!
//! EC2 gives every account such buckets of its own, of sizes that it does not tell reliably. A call that is answered with
//! "throttled" halves the rate; every call that goes well gives a little of it back.

use std::sync::Mutex;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// What a call costs the account.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Class {
    /// It only asks.
    Read,
    /// It makes, changes or removes something.
    Change,
}

/// The two buckets of an account.
#[derive(Debug)]
pub(crate) struct Limiter {
    reads: Bucket,
    changes: Bucket,
}

/// What may come at once after a quiet time, in seconds' worth of calls.
const READ_BURST: f64 = 5.0;
const CHANGE_BURST: f64 = 10.0;
/// A rate is never lowered below this part of its full value.
const FLOOR: f64 = 1.0 / 32.0;
/// What a call that went well gives back of the full rate.
const RECOVERY: f64 = 1.0 / 50.0;

#[derive(Clone, Copy, Debug)]
struct Rate {
    per_second: f64,
    burst: f64,
}

#[derive(Debug)]
struct Bucket {
    full: Rate,
    level: Mutex<Level>,
}

#[derive(Debug)]
struct Level {
    /// Below zero: so many callers wait.
    tokens: f64,
    per_second: f64,
    at: Instant,
}

impl Limiter {
    /// So many reads and changes in a second.
    pub(crate) fn new(reads: f64, changes: f64) -> Self {
        let bucket = |per_second: f64, burst: f64| Bucket::new(Rate { per_second, burst: per_second * burst });
        Self { reads: bucket(reads, READ_BURST), changes: bucket(changes, CHANGE_BURST) }
    }

    /// Waits for this call's turn.
    pub(crate) async fn turn(&self, class: Class) {
        let at = self.bucket(class).reserve(Instant::now());
        sleep_until(at).await;
    }

    /// EC2 has asked for patience.
    pub(crate) fn throttled(&self, class: Class) {
        self.bucket(class).slower(Instant::now());
    }

    /// EC2 has answered.
    pub(crate) fn went_well(&self, class: Class) {
        self.bucket(class).faster(Instant::now());
    }

    /// When a throttled call is worth another try.
    pub(crate) fn patience(&self, class: Class) -> Duration {
        self.bucket(class).pause()
    }

    fn bucket(&self, class: Class) -> &Bucket {
        match class {
            Class::Read => &self.reads,
            Class::Change => &self.changes,
        }
    }
}

impl Bucket {
    fn new(full: Rate) -> Self {
        let level = Level { tokens: full.burst, per_second: full.per_second, at: Instant::now() };
        Self { full, level: Mutex::new(level) }
    }

    /// Takes a token, which may only be there later: the answer says when.
    fn reserve(&self, now: Instant) -> Instant {
        self.with_level(now, |level, _| {
            level.tokens -= 1.0;
            let missing = (-level.tokens).max(0.0);
            now + Duration::from_secs_f64(missing / level.per_second)
        })
    }

    fn slower(&self, now: Instant) {
        self.with_level(now, |level, full| {
            level.per_second = (level.per_second / 2.0).max(full.per_second * FLOOR);
            level.tokens = level.tokens.min(0.0);
        });
    }

    fn faster(&self, now: Instant) {
        self.with_level(now, |level, full| {
            level.per_second = full.per_second.mul_add(RECOVERY, level.per_second).min(full.per_second);
        });
    }

    fn pause(&self) -> Duration {
        self.with_level(Instant::now(), |level, _| Duration::from_secs_f64((2.0 / level.per_second).max(1.0)))
    }

    fn with_level<T>(&self, now: Instant, change: impl FnOnce(&mut Level, Rate) -> T) -> T {
        // Nothing in here panics, so a poisoned lock still guards a whole value.
        let mut level = self.level.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let passed = now.saturating_duration_since(level.at).as_secs_f64();
        level.tokens = passed.mul_add(level.per_second, level.tokens).min(self.full.burst);
        level.at = now;
        change(&mut level, self.full)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When the last of so many calls has its turn, if all are asked for at once.
    fn last_turn(bucket: &Bucket, now: Instant, calls: usize) -> f64 {
        let turns = (0..calls).map(|_| bucket.reserve(now));
        turns.last().map_or(0.0, |at| (at - now).as_secs_f64())
    }

    fn about(seconds: f64, expected: f64) {
        assert!((seconds - expected).abs() < 0.1, "{seconds} s, not {expected} s");
    }

    #[tokio::test]
    async fn a_burst_goes_at_once_and_the_rest_at_the_rate() {
        let (limiter, now) = (Limiter::new(10.0, 2.5), Instant::now());
        about(last_turn(&limiter.changes, now, 25), 0.0);
        about(last_turn(&limiter.changes, now, 25), 10.0);
        // After a quiet time there is a burst again.
        about(last_turn(&limiter.changes, now + Duration::from_secs(60), 25), 0.0);
    }

    #[tokio::test]
    async fn throttling_halves_the_rate_and_good_answers_bring_it_back() {
        let (limiter, now) = (Limiter::new(10.0, 2.5), Instant::now());
        limiter.changes.slower(now);
        about(last_turn(&limiter.changes, now, 5), 4.0);
        for _ in 0..25 {
            limiter.changes.faster(now);
        }
        about(last_turn(&limiter.changes, now + Duration::from_secs(2), 5), 2.0);
    }

    #[tokio::test]
    async fn reads_do_not_wait_for_changes_and_the_rate_has_a_floor() {
        let (limiter, now) = (Limiter::new(10.0, 2.5), Instant::now());
        for _ in 0..100 {
            limiter.changes.slower(now);
        }
        about(last_turn(&limiter.reads, now, 1), 0.0);
        about(last_turn(&limiter.changes, now, 1), 12.8);
    }
}
