//! The cluster changes.
//!
//! Covers: scaleOrchestrator, retryOrchestrator, scaleOrchestratorService, listHosts.

use anyhow::{Context, Result};
use muster_protocol::ErrorCode;
use muster_protocol::model::cluster::{ClusterInfo, ClusterPhase, Tally};
use muster_protocol::model::host::HostInfo;
use muster_protocol::model::operation::{OperationInfo, OperationPhase};
use muster_protocol::model::plan::Plan;
use muster_protocol::model::service::ServiceInfo;
use muster_tests::images::docker::docker;

use super::DEMO;
use crate::lab::{LIMIT, Lab, calls_made, calls_of};

pub async fn workers_go_and_come(lab: &Lab) -> Result<()> {
    // What cannot be on fewer machines would hinder the service, not the cluster.
    let _: OperationInfo =
        lab.cli().json(&["service", "scale", "web", "--replicas", "2", "--cluster", DEMO, "--wait"]).await?;
    for workers in [1_usize, 2] {
        let number = workers.to_string();
        let plan: Plan = lab.cli().json(&["cluster", "plan", DEMO, "--workers", &number]).await?;
        let cursor = lab.cursor().await?;
        let operation: OperationInfo =
            lab.cli().json(&["cluster", "scale", DEMO, "--workers", &number, "--wait"]).await?;
        assert_eq!(operation.phase, OperationPhase::Succeeded);
        assert_eq!(calls_made(&lab.cli().events(cursor).await?), calls_of(&plan));
        let hosts: Vec<HostInfo> = lab.cli().json(&["host", "list", "--cluster", DEMO]).await?;
        assert_eq!(hosts.len(), 1 + workers);
        // No node is left behind.
        let nodes = ["docker", "node", "ls", "-q"];
        let are_as_many = |listed: &str| listed.lines().count() == 1 + workers;
        lab.on_machine_until(DEMO, "control-plane-1", &nodes, are_as_many).await?;
        let well = |info: &ServiceInfo| info.ready == 2 && info.wanted == 2;
        lab.cli().until(&["service", "info", "web", "--cluster", DEMO], LIMIT, well).await?;
    }
    lab.fetch(DEMO, "web", "/", |status, _| status == 200).await?;
    Ok(())
}

/// A container of somebody else's has the name of the next machine: it stays as it is, the user is told, and once it is
/// out of the way things go on.
pub async fn a_name_that_somebody_else_has_is_left_alone(lab: &Lab) -> Result<()> {
    let owned = lab.owned().await?;
    let taken = owned.iter().find_map(|owned| owned.strip_prefix("container ")?.strip_suffix("worker-2"));
    let taken = format!("{}worker-3", taken.context("worker-2 has a container")?);
    let foreign =
        docker(&["create", "--label", "io.muster.test=system", "--name", &taken, "muster/machine:bookworm"]).await?;
    let told = told_of_foreign(lab, &taken).await;
    let untouched = docker(&["inspect", "--format", "{{.Id}} {{.State.Status}}", &taken]).await;
    docker(&["rm", "-f", &foreign]).await?;
    told?;
    assert_eq!(untouched?, format!("{foreign} created"));

    let _: OperationInfo = lab.cli().json(&["cluster", "retry", DEMO, "--wait"]).await?;
    let info: ClusterInfo = lab.cli().json(&["cluster", "info", DEMO]).await?;
    assert_eq!((info.summary.phase, info.summary.workers), (ClusterPhase::Ready, Tally { ready: 3, wanted: 3 }));
    let _: OperationInfo = lab.cli().json(&["cluster", "scale", DEMO, "--workers", "2", "--wait"]).await?;
    Ok(())
}

async fn told_of_foreign(lab: &Lab, name: &str) -> Result<()> {
    let (exit, error) = lab.cli().refused(&["cluster", "scale", DEMO, "--workers", "3", "--wait"]).await?;
    assert_eq!((exit, error.code), (1, ErrorCode::AlreadyExists), "{error:?}");
    assert!(error.details["cause"].contains(name), "{error:?}");
    assert!(error.remedy.is_some(), "{error:?}");
    Ok(())
}
