//! Tests that need more than this workspace.

use std::io::Write;

/// Whether tests with Docker are to run: `cargo xtask test` sets `MUSTER_TEST_DOCKER=1` when all they need is there.
/// If not, says which test was skipped, past the test runner's capture.
pub fn docker_is_wanted(test: &str) -> bool {
    let wanted = std::env::var_os("MUSTER_TEST_DOCKER").is_some_and(|value| value == "1");
    if !wanted {
        let _nobody_reads = writeln!(std::io::stderr(), "skipped: {test} (needs MUSTER_TEST_DOCKER=1)");
    }
    wanted
}
