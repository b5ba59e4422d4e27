//! The cluster comes to be.

use anyhow::Result;
use muster_protocol::model::cluster::{ClusterInfo, ClusterPhase, ClusterSummary, Tally};
use muster_protocol::model::host::{HostInfo, HostPhase, Role};
use muster_protocol::model::operation::{OperationKind, OperationPhase};
use muster_protocol::model::plan::Plan;

use super::DEMO;
use crate::lab::{Lab, calls_of, steps_done};

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
    assert_eq!(steps_done(&lab.cli().events(cursor).await?), calls_of(&plan));
    let left: Plan = lab.cli().json(&["cluster", "plan", DEMO]).await?;
    assert_eq!(left.steps, [], "a ready cluster has nothing to be done");
    Ok(())
}

pub async fn hosts_and_cluster_are_shown_as_they_are(lab: &Lab) -> Result<()> {
    let info: ClusterInfo = lab.cli().json(&["cluster", "info", DEMO]).await?;
    assert_eq!(info.summary.phase, ClusterPhase::Ready);
    assert_eq!(info.summary.control_planes, Tally { ready: 1, wanted: 1 });
    assert_eq!(info.summary.workers, Tally { ready: 2, wanted: 2 });
    assert_eq!(info.spec.labels["made-by"], "test");
    assert!(info.version.is_some() && !info.endpoints.is_empty(), "{info:?}");
    assert_eq!((info.causes, info.operations, info.leftovers), (vec![], vec![], vec![]));
    let list: Vec<ClusterSummary> = lab.cli().json(&["cluster", "list"]).await?;
    assert_eq!(list, [info.summary]);

    let hosts: Vec<HostInfo> = lab.cli().json(&["host", "list"]).await?;
    let names: Vec<&str> = hosts.iter().map(|host| host.name.as_str()).collect();
    assert_eq!(names, ["control-plane-1", "worker-1", "worker-2"]);
    for host in &hosts {
        let one: HostInfo = lab.cli().json(&["host", "info", &host.id.to_string()]).await?;
        assert_eq!((&one, one.phase), (host, HostPhase::Ready));
        // What the orchestrator says on the machine itself.
        let role = lab.on_machine(DEMO, host.name.as_str(), &["docker", "info", "-f", "{{.Swarm.ControlAvailable}}"]);
        assert_eq!(role.await?, (host.role == Role::ControlPlane).to_string());
    }
    let nodes = lab.on_machine(DEMO, "control-plane-1", &["docker", "node", "ls", "-q"]);
    assert_eq!(nodes.await?.lines().count(), 3);
    Ok(())
}
