//! Every crash point of every scenario, as a test. `cargo xtask crash` also lets every call go wrong.

use std::sync::{Mutex, PoisonError};

use muster_crash::{Options, prove};

#[test]
fn a_crash_at_any_point_leaves_nothing_behind_double_lost_or_stuck() {
    let report = Mutex::new(Vec::new());
    let note = |line: &str| report.lock().unwrap_or_else(PoisonError::into_inner).push(line.to_owned());
    let totals = prove(&Options { crashes_only: true, ..Options::default() }, note);
    assert!(totals.is_clean(), "{totals}\n{}", report.lock().unwrap().join("\n"));
    // Fewer would mean that the proof looks past something.
    assert!(totals.points >= 900, "{totals}");
}
