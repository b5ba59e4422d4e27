//! When a failed call is made again.

use std::time::Duration;

use muster_protocol::{Retry, Timestamp};

use crate::action::Action;
use crate::failure::Failure;
use crate::ledger::LedgerEntry;

const FIRST_DELAY: Duration = Duration::from_secs(1);
const LONGEST_DELAY: Duration = Duration::from_secs(60);

/// Twice as long after each failure, up to a limit, shifted by up to a quarter so that the calls of many
/// clusters that failed together do not come back together. The shift is computed, not drawn: the same
/// history gives the same times.
pub(super) fn delay(failures: u32, salt: &str) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    let delay = FIRST_DELAY.saturating_mul(1 << doublings).min(LONGEST_DELAY);
    let hash = salt
        .bytes()
        .fold(u64::from(failures), |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    let shift_per_mille = u32::try_from(hash % 250).unwrap_or(0);
    delay + delay * shift_per_mille / 1000
}

/// Notes a failure at the resource that it happened to.
pub(super) fn note_failure(entry: &mut LedgerEntry, action: &Action, failure: Failure, salt: &str, now: Timestamp) {
    entry.failures += 1;
    let wished = failure.retry_after.unwrap_or_default();
    entry.next_try = Some(now + delay(entry.failures, salt).max(wished));
    let mut cause = failure.into_cause(action.to_string(), now);
    // Finding out and cleaning up are never given up.
    if matches!(action, Action::LookUp(_) | Action::Remove(_) | Action::Sweep) {
        cause.retry = Retry::Later;
    }
    entry.cause = Some(cause);
}

/// Whether there is anything to clear.
pub(super) fn has_failed(entry: &LedgerEntry) -> bool {
    entry.failures > 0 || entry.next_try.is_some() || entry.cause.is_some()
}

/// Notes that all is well again.
pub(super) fn clear_failure(entry: &mut LedgerEntry) {
    entry.failures = 0;
    entry.next_try = None;
    entry.cause = None;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_to_a_limit_and_never_beyond() {
        let mut previous = Duration::ZERO;
        for failures in 1..100 {
            let now = delay(failures, "a cluster/machine/worker-1");
            assert!(now >= FIRST_DELAY && now <= LONGEST_DELAY * 5 / 4);
            assert!(now >= previous || now >= LONGEST_DELAY);
            previous = now.min(LONGEST_DELAY);
        }
    }

    #[test]
    fn clusters_that_failed_together_do_not_come_back_together() {
        assert_ne!(delay(5, "one"), delay(5, "other"));
    }
}
