//! The cluster comes to be.
//!
//! Covers: createOrchestrator, planOrchestrator, getOrchestratorInfo, listOrchestrators, getHostInfoById, listHosts.

use anyhow::Result;
use muster_protocol::model::cluster::{ClusterInfo, ClusterPhase, ClusterSummary, Tally};
use muster_protocol::model::host::{HostInfo, HostPhase, Role};
use muster_protocol::model::operation::{OperationKind, OperationPhase};
use muster_protocol::model::plan::Plan;

use super::DEMO;
use crate::lab::{LIMIT, Lab, calls_made, calls_of};

const WANTED: [&str; 10] = [
    "--orchestrator",
    "swarm",
    "--infrastructure",
    "local",
    "--control-planes",
    "1",
    "--workers",
    "2",
    "--label",
    "made-by=test",
];

pub async fn a_plan_is_shown_and_then_performed(lab: &Lab) -> Result<()> {
    let create = [&["cluster", "create", DEMO][..], &WANTED].concat();
    let plan: Plan = lab.cli().json(&[&create[..], &["--plan"]].concat()).await?;
    assert_eq!(lab.owned().await?, [""; 0], "a plan makes nothing");
    let cursor = lab.cursor().await?;
    let operation: muster_protocol::model::operation::OperationInfo =
        lab.cli().json(&[&create[..], &["--wait"]].concat()).await?;
    assert_eq!((operation.kind, operation.phase), (OperationKind::ClusterCreate, OperationPhase::Succeeded));
    assert_eq!(operation.steps_done, operation.steps_total);
    assert_eq!(calls_made(&lab.cli().events(cursor).await?), calls_of(&plan));
    let left: Plan = lab.cli().json(&["cluster", "plan", DEMO]).await?;
    assert_eq!(left.steps, [], "a ready cluster has nothing to be done");
    Ok(())
}

pub async fn hosts_and_cluster_are_shown_as_they_are(lab: &Lab) -> Result<()> {
    // On a slow host the leader may miss a node for a moment, so what is observed is asked until it is as it should be.
    let is_well = |info: &ClusterInfo| {
        let tallies = (info.summary.control_planes, info.summary.workers);
        let is_whole = tallies == (Tally { ready: 1, wanted: 1 }, Tally { ready: 2, wanted: 2 });
        info.summary.phase == ClusterPhase::Ready && is_whole && info.causes.is_empty()
    };
    let info = lab.cli().until(&["cluster", "info", DEMO], LIMIT, is_well).await?;
    assert_eq!(info.spec.labels["made-by"], "test");
    assert!(info.version.is_some() && !info.endpoints.is_empty(), "{info:?}");
    assert_eq!((info.operations, info.leftovers), (vec![], vec![]));
    let is_the_same = |list: &Vec<ClusterSummary>| *list == [info.summary.clone()];
    lab.cli().until(&["cluster", "list"], LIMIT, is_the_same).await?;

    let are_ready = |hosts: &Vec<HostInfo>| hosts.iter().all(|host| host.phase == HostPhase::Ready);
    let hosts = lab.cli().until(&["host", "list"], LIMIT, are_ready).await?;
    let names: Vec<&str> = hosts.iter().map(|host| host.name.as_str()).collect();
    assert_eq!(names, ["control-plane-1", "worker-1", "worker-2"]);
    for host in &hosts {
        lab.cli().until(&["host", "info", &host.id.to_string()], LIMIT, |one: &HostInfo| one == host).await?;
        // What the orchestrator says on the machine itself.
        let is_manager = ["docker", "info", "-f", "{{.Swarm.ControlAvailable}}"];
        let wanted = (host.role == Role::ControlPlane).to_string();
        lab.on_machine_until(DEMO, host.name.as_str(), &is_manager, |said| said == wanted).await?;
    }
    let nodes = ["docker", "node", "ls", "-q"];
    lab.on_machine_until(DEMO, "control-plane-1", &nodes, |listed| listed.lines().count() == 3).await?;
    Ok(())
}
