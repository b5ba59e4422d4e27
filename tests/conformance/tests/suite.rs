//! The suite as tests. `cargo xtask conformance --orchestrator …` runs it alone.

use anyhow::Result;
use muster_tests::skip::docker_is_wanted;
use muster_tests_conformance::column::Column;
use muster_tests_conformance::page;
use muster_tests_conformance::run::{Ended, Which, run};
use muster_tests_conformance::stage::Stage;
use muster_tests_conformance::verdict::Verdict;

/// The cases that failed, with why: a log that is cut shows the end of it.
fn failed(ended: &[Ended]) -> Vec<String> {
    ended.iter().filter(|end| matches!(end.verdict, Verdict::Failed(_))).map(Ended::to_string).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_case_holds_on_the_simulated_twin_and_the_page_says_so() -> Result<()> {
    let stage = Stage::sim().await?;
    let (ended, totals) = run(&stage, Which::All, |end| println!("{end}")).await;
    assert_eq!(failed(&ended), [""; 0], "{totals}");
    assert!(totals.cases >= 100, "{totals}");
    let written = std::fs::read_to_string(page::path())?;
    let current = page::with_column(&written, Column::Orchestrator(stage.orchestrator), &ended);
    assert_eq!(written, current, "run: cargo xtask conformance --orchestrator sim --write-docs");
    Ok(())
}

/// The whole takes longer than a test should: `cargo xtask conformance --orchestrator swarm` has it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_cases_about_services_hold_on_a_real_swarm() -> Result<()> {
    if !docker_is_wanted("the_cases_about_services_hold_on_a_real_swarm") {
        return Ok(());
    }
    let stage = Stage::swarm().await?;
    let (ended, totals) = run(&stage, Which::Only("services"), |end| println!("{end}")).await;
    assert_eq!(failed(&ended), [""; 0], "{totals}");
    assert!(totals.passed >= 13, "{totals}");
    Ok(())
}
