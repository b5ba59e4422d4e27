//! Tests that need more than this workspace.

use std::fs;
use std::io::Write;
use std::path::PathBuf;

/// Whether tests with Docker are to run: `cargo xtask test` sets `MUSTER_TEST_DOCKER=1` when all they need is there.
/// If not, says which test was skipped, past the test runner's capture.
pub fn docker_is_wanted(test: &str) -> bool {
    let wanted = std::env::var_os("MUSTER_TEST_DOCKER").is_some_and(|value| value == "1");
    if wanted {
        stands_on_real_parts(test);
    } else {
        let _nobody_reads = writeln!(std::io::stderr(), "skipped: {test} (needs MUSTER_TEST_DOCKER=1)");
    }
    wanted
}

/// Leaves word in `MUSTER_TEST_DIR/real` that this test stands on programs that are not ours, as engines, moto and a
/// browser are: one that fails may be run once more.
pub fn stands_on_real_parts(test: &str) {
    if let Some(folder) = std::env::var_os("MUSTER_TEST_DIR").map(|folder| PathBuf::from(folder).join("real")) {
        let _is_not_run_again = fs::create_dir_all(&folder).and_then(|()| fs::write(folder.join(test), ""));
    }
}

/// Says past the test runner's capture that a test was skipped, and what it needs.
#[allow(dead_code, reason = "not every crate that shares this file has such tests")]
pub fn note(test: &str, needs: &str) {
    let _nobody_reads = writeln!(std::io::stderr(), "skipped: {test} (needs {needs})");
}
