//! Idempotency keys that may have an answer in the store, so that the store is asked about those only. Nearly every key
//! is new, and a new one should not cost a read.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use muster_protocol::{Principal, Timestamp};

/// Hashes of keys: two that share one cost a read and nothing else. Kept for `span` at least and twice that at most.
pub struct RecentKeys {
    span: Duration,
    hasher: RandomState,
    seen: Mutex<KeyGenerations>,
}

struct KeyGenerations {
    young: HashSet<u64>,
    old: HashSet<u64>,
    /// When the young ones began.
    since: Timestamp,
}

impl RecentKeys {
    /// Keys that are remembered for `span`, from now on.
    pub fn new(span: Duration, now: Timestamp) -> Self {
        let seen = KeyGenerations { young: HashSet::new(), old: HashSet::new(), since: now };
        Self { span, hasher: RandomState::new(), seen: Mutex::new(seen) }
    }

    /// Notes a caller's key, **before** anything is written with it. Whether it may have been noted before.
    pub fn note(&self, caller: &Principal, key: &str, now: Timestamp) -> bool {
        let hash = self.hasher.hash_one((caller, key));
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if now.since(seen.since) >= self.span {
            seen.old = std::mem::take(&mut seen.young);
            seen.since = now;
        }
        let is_old = seen.old.contains(&hash);
        !seen.young.insert(hash) || is_old
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_remembered_for_the_span_and_forgotten_after_twice_that() {
        let span = Duration::from_secs(100);
        let at = |seconds: u64| Timestamp::from_millis(seconds * 1000);
        let keys = RecentKeys::new(span, at(0));
        let (anna, otto) = (&Principal::user("anna"), &Principal::user("otto"));
        assert!(!keys.note(anna, "first", at(1)));
        assert!(!keys.note(otto, "first", at(1)), "another caller's key is another");
        assert!(!keys.note(anna, "late", at(99)));
        assert!(keys.note(anna, "late", at(100)));
        assert!(!keys.note(anna, "between", at(150)));
        assert!(keys.note(otto, "first", at(199)), "still known, although the young ones began anew");
        assert!(!keys.note(anna, "first", at(200)));
    }
}
