//! Idempotency keys that may have an answer in the store, so that the store is asked about those only. Nearly every key
//! is new, and a new one should not cost a read.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use muster_protocol::{Principal, Timestamp};

/// The most keys of one generation: some 20 MB of memory.
const MOST: usize = 1_000_000;

/// Hashes of keys: two that share one cost a read and nothing else. Kept for `span` at least and twice that at most. Of
/// more keys than fit, none is kept: until the generation is forgotten, any key may have been noted before.
pub struct RecentKeys {
    span: Duration,
    most: usize,
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
        Self { span, most: MOST, hasher: RandomState::new(), seen: Mutex::new(seen) }
    }

    /// Notes a caller's key, **before** anything is written with it. Whether it may have been noted before.
    pub fn note(&self, caller: &Principal, key: &str, now: Timestamp) -> bool {
        let hash = self.hasher.hash_one((caller, key));
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if now.since(seen.since) >= self.span {
            seen.old = std::mem::take(&mut seen.young);
            seen.since = now;
        }
        let is_known = seen.old.contains(&hash) || seen.young.contains(&hash);
        let is_full = |keys: &HashSet<u64>| keys.len() >= self.most;
        let may_be_missing = is_full(&seen.old) || is_full(&seen.young);
        if !is_full(&seen.young) {
            seen.young.insert(hash);
        }
        is_known || may_be_missing
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
    #[test]
    fn of_more_keys_than_fit_none_is_kept_and_any_may_have_been_noted() {
        let span = Duration::from_secs(100);
        let at = |seconds: u64| Timestamp::from_millis(seconds * 1000);
        let keys = RecentKeys { most: 3, ..RecentKeys::new(span, at(0)) };
        let anna = &Principal::user("anna");
        for key in ["1", "2", "3"] {
            assert!(!keys.note(anna, key, at(1)), "{key}");
        }
        for number in 4..1000 {
            assert!(keys.note(anna, &number.to_string(), at(2)), "{number}");
        }
        assert_eq!(keys.seen.lock().unwrap().young.len(), 3);
        assert!(keys.note(anna, "999", at(100)), "it may be one that was not kept");
        assert!(!keys.note(anna, "1000", at(200)), "by now it would be forgotten");
    }
}
