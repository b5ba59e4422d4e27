//! Limits by rate: for each token and each address so many a minute, with as much at once.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Keys that are remembered. When there are more, those that are full again are forgotten, which changes nothing.
const REMEMBERED: usize = 20_000;

/// A bucket for each key: it holds as many as may come in a minute, and fills evenly.
pub struct Rate<K> {
    a_minute: f64,
    buckets: Mutex<HashMap<K, Bucket>>,
}

struct Bucket {
    left: f64,
    at: Instant,
}

impl<K: Hash + Eq> Rate<K> {
    /// So many a minute for each key.
    pub fn new(a_minute: u32) -> Self {
        Self { a_minute: a_minute.into(), buckets: Mutex::default() }
    }

    /// Takes one; how long to wait if there is none.
    ///
    /// # Errors
    /// How long it takes until there is one.
    pub fn take(&self, key: K, now: Instant) -> Result<(), Duration> {
        self.with(key, now, |bucket, a_minute| {
            if bucket.left >= 1.0 {
                bucket.left -= 1.0;
                return Ok(());
            }
            Err(Duration::from_secs_f64((1.0 - bucket.left) * 60.0 / a_minute))
        })
    }

    fn with<T>(&self, key: K, now: Instant, use_it: impl FnOnce(&mut Bucket, f64) -> T) -> T {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= REMEMBERED && !buckets.contains_key(&key) {
            buckets.retain(|_, bucket| self.filled(bucket, now) < self.a_minute);
            if buckets.len() >= REMEMBERED {
                // All are in use: whoever is new is not limited by this, only by the number of connections.
                return use_it(&mut Bucket { left: self.a_minute, at: now }, self.a_minute);
            }
        }
        let bucket = buckets.entry(key).or_insert(Bucket { left: self.a_minute, at: now });
        bucket.left = self.filled(bucket, now);
        bucket.at = now;
        use_it(bucket, self.a_minute)
    }

    fn filled(&self, bucket: &Bucket, now: Instant) -> f64 {
        let seconds = now.saturating_duration_since(bucket.at).as_secs_f64();
        (bucket.left + seconds * self.a_minute / 60.0).min(self.a_minute)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_has_a_minutes_worth_at_once_and_then_as_it_fills() {
        let rate = Rate::new(60);
        let start = Instant::now();
        assert!((0..60).all(|_| rate.take("a", start).is_ok()));
        let wait = rate.take("a", start).unwrap_err();
        assert_eq!(wait.as_secs_f64().round() as u64, 1);
        assert!(rate.take("b", start).is_ok(), "another key is another bucket");
        assert!(rate.take("a", start + Duration::from_millis(1_001)).is_ok());
        assert!(rate.take("a", start + Duration::from_millis(1_002)).is_err());
    }

    #[test]
    fn keys_that_are_full_again_are_forgotten() {
        let rate = Rate::new(60);
        let start = Instant::now();
        for key in 0..REMEMBERED {
            rate.take(key, start).unwrap();
        }
        rate.take(REMEMBERED, start + Duration::from_secs(60)).unwrap();
        assert_eq!(rate.buckets.lock().unwrap().len(), 1);
    }
}
