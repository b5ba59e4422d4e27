//! Every crash point of every scenario, and every disturbance of one, as tests. `cargo xtask crash` has all of all.
//!
//! Covers: createOrchestrator, deleteOrchestrator, scaleOrchestrator, upgradeOrchestrator, renewOrchestrator,
//! retryOrchestrator, createOrchestratorService, updateOrchestratorService, scaleOrchestratorService,
//! deleteOrchestratorService, cancelOperation, addAccount, removeAccount.

use std::sync::{Mutex, PoisonError};

use muster_crash::{Options, prove};

#[test]
fn a_crash_at_any_point_leaves_nothing_behind_double_lost_or_stuck() {
    let report = Mutex::new(Vec::new());
    let note = |line: &str| report.lock().unwrap_or_else(PoisonError::into_inner).push(line.to_owned());
    let totals = prove(&Options { crashes_only: true, ..Options::default() }, note);
    assert!(totals.is_clean(), "{totals}\n{}", report.lock().unwrap().join("\n"));
    // Fewer would mean that the proof looks past something.
    assert!(totals.points >= 1500, "{totals}");
}

#[test]
fn a_call_that_goes_wrong_once_needs_nobodys_help_unless_it_is_refused_for_good() {
    let report = Mutex::new(Vec::new());
    let note = |line: &str| report.lock().unwrap_or_else(PoisonError::into_inner).push(line.to_owned());
    let totals = prove(&Options { only: Some("service scale".to_owned()), ..Options::default() }, note);
    assert!(totals.is_clean(), "{totals}\n{}", report.lock().unwrap().join("\n"));
    // What is given up is the submission, and that of the return to what was before, where the cancellation came before the
    // version counted as good. Calls are refused by their number, and a look more or less beside them may have two numbers
    // meet the same submission: each counts twice at most. Looks, questions and removals, which are dozens, are always tried
    // again.
    assert!((1..=4).contains(&totals.helped), "{}", totals.help());
}
