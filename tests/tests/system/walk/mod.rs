//! The whole way, by the command line: a Swarm of three machines, a service that answers, changes of both, and back to
//! nothing. One cluster for all of it, as its user would have.
//!
//! Covers: getOperation.

mod change;
mod create;
mod scale;
mod serve;

use anyhow::Result;
use muster_protocol::model::operation::{OperationInfo, OperationPhase};
use muster_protocol::model::plan::Plan;

use crate::lab::{Lab, calls_made, calls_of, files_with, with_lab};

/// The cluster of this story.
const DEMO: &str = "demo";

/// A secret of a service. It must be nowhere but in the service's containers.
const SECRET: &str = "hush-6a1f0c9e-nobody-else-knows";

#[tokio::test]
async fn one_command_makes_a_swarm_that_serves_changes_and_goes_without_a_trace() -> Result<()> {
    let name = "one_command_makes_a_swarm_that_serves_changes_and_goes_without_a_trace";
    with_lab(name, &["busybox:1.36"], async |lab| {
        create::a_plan_is_shown_and_then_performed(lab).await?;
        create::hosts_and_cluster_are_shown_as_they_are(lab).await?;
        serve::a_service_of_a_template_answers_at_its_endpoint(lab).await?;
        serve::containers_and_output_are_shown(lab).await?;
        serve::output_is_followed_as_it_comes(lab).await?;
        serve::a_secret_reaches_its_service_and_nothing_else(lab).await?;
        change::copies_are_added_and_taken_away(lab).await?;
        change::a_change_is_rolled_out(lab).await?;
        change::a_change_that_does_not_work_is_withdrawn(lab).await?;
        scale::workers_go_and_come(lab).await?;
        scale::a_name_that_somebody_else_has_is_left_alone(lab).await?;
        events_are_one_log_without_gap(lab).await?;
        delete_is_as_planned_and_total(lab).await
    })
    .await
}

async fn events_are_one_log_without_gap(lab: &Lab) -> Result<()> {
    let all = lab.cli().events(0).await?;
    let numbers: Vec<u64> = all.iter().map(|event| event.number).collect();
    let expected: Vec<u64> = (1..=numbers.len() as u64).collect();
    assert_eq!(numbers, expected);
    let middle = numbers.len() / 2;
    let behind = lab.cli().events(numbers[middle]).await?;
    assert_eq!(behind[..all.len() - middle - 1], all[middle + 1..], "a cursor is where one goes on");
    Ok(())
}

async fn delete_is_as_planned_and_total(lab: &Lab) -> Result<()> {
    let plan: Plan = lab.cli().json(&["cluster", "plan", DEMO, "--delete"]).await?;
    let cursor = lab.cursor().await?;
    let operation = lab.delete(DEMO).await?;
    assert_eq!(operation.phase, OperationPhase::Succeeded);
    assert_eq!(calls_made(&lab.cli().events(cursor).await?), calls_of(&plan));
    // The operation outlives its cluster.
    let id = operation.id.to_string();
    let kept: OperationInfo = lab.cli().json(&["operation", "info", &id]).await?;
    assert_eq!(kept, operation);
    assert_eq!(files_with(SECRET, lab.daemon.folder())?, [""; 0], "the secret is in clear");
    Ok(())
}
