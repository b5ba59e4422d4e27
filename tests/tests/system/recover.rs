//! The daemon's state directory is lost on real machines, at rest and in the middle of a create: `musterd recover` finds
//! everything of ours and nothing else.
//!
//! Covers: createOrchestrator, deleteOrchestrator, createOrchestratorService, getOrchestratorInfo.

use anyhow::{Result, ensure};
use muster_protocol::model::cluster::{ClusterInfo, ClusterPhase};
use muster_protocol::model::event::{Event, EventKind};
use muster_protocol::model::operation::OperationInfo;
use muster_tests::images::docker::docker;

use crate::lab::{LIMIT, Lab, with_lab};

const CREATE: [&str; 9] =
    ["cluster", "create", "demo", "--orchestrator", "swarm", "--infrastructure", "local", "--workers", "1"];

/// A container of another installation, and one with somebody's own labels.
struct Strangers(Vec<String>);

impl Strangers {
    async fn start() -> Result<Self> {
        let labels = [
            &["io.muster.instance=01a20b8c-0000-7000-8000-000000000099", "io.muster.key=machine/worker-1"][..],
            &["io.muster.cluster-name=demo"],
        ];
        let mut ids = Vec::new();
        for labels in labels {
            let labels: Vec<&str> = labels.iter().flat_map(|label| ["--label", label]).collect();
            let create = [&["create", "--label", "io.muster.test=system"][..], &labels, &["muster/machine:bookworm"]];
            ids.push(docker(&create.concat()).await?);
        }
        Ok(Self(ids))
    }

    /// They are there, and go now.
    async fn end(self) -> Result<()> {
        let ids: Vec<&str> = self.0.iter().map(String::as_str).collect();
        let there = docker(&[&["inspect", "--format", "{{.State.Status}}"][..], &ids].concat()).await;
        docker(&[&["rm", "--force"][..], &ids].concat()).await?;
        ensure!(there?.lines().all(|state| state == "created"), "somebody touched what is none of Muster's");
        Ok(())
    }
}

/// Loses the state, and has it recovered; what the command said.
async fn lose_and_recover(lab: &mut Lab) -> Result<String> {
    lab.daemon.lose_state()?;
    let instance = lab.daemon.instance().to_owned();
    let listed = lab.daemon.recover(&[]).await?;
    ensure!(listed.contains(&format!("installation {instance}")), "{listed}");
    let shown = lab.daemon.recover(&["--instance", &instance]).await?;
    ensure!(shown.contains("nothing was changed"), "{shown}");
    let done = lab.daemon.recover(&["--instance", &instance, "--yes"]).await?;
    ensure!(done.contains("clusters recovered: 1"), "{done}");
    lab.daemon.start_again().await?;
    ensure!(lab.daemon.instance() == instance, "the daemon is another installation");
    Ok(done)
}

async fn becomes_ready(lab: &Lab) -> Result<ClusterInfo> {
    let is_ready = |info: &ClusterInfo| info.summary.phase == ClusterPhase::Ready;
    lab.cli().until(&["cluster", "info", "demo"], LIMIT, is_ready).await
}

#[tokio::test]
async fn with_the_state_lost_at_rest_a_cluster_gets_new_keys_and_works_and_leaves_nothing() -> Result<()> {
    let name = "with_the_state_lost_at_rest_a_cluster_gets_new_keys_and_works_and_leaves_nothing";
    with_lab(name, &["busybox:1.36"], async |lab| {
        lab.create("demo", 1, 1).await?;
        let hello = ["service", "create", "--cluster", "demo", "--template", "hello", "--wait"];
        let _created: OperationInfo = lab.cli().json(&hello).await?;
        let before = lab.owned().await?;
        let strangers = Strangers::start().await?;

        let told = lose_and_recover(lab).await?;
        ensure!(told.contains("machine/worker-1") && told.contains("becomes what it was"), "{told}");
        let info = becomes_ready(lab).await?;
        ensure!(info.spec.workers == 1, "{:?}", info.spec);
        ensure!(lab.owned().await? == before, "the same containers, networks and volumes");
        let nodes = lab.on_machine("demo", "control-plane-1", &["docker", "node", "ls", "-q"]).await?;
        ensure!(nodes.lines().count() == 2, "no node joined twice: {nodes}");
        let services =
            lab.on_machine("demo", "control-plane-1", &["docker", "service", "ls", "--format", "{{.Name}}"]).await?;
        ensure!(services == "hello", "the service runs on: {services}");

        // Everything that needs keys: joins, deployments, requests of people.
        let grown = ["cluster", "scale", "demo", "--workers", "2", "--wait"];
        let _grown: OperationInfo = lab.cli().json(&grown).await?;
        let again = [&hello[..], &["--set", "greeting=Hello again"]].concat();
        let _created: OperationInfo = lab.cli().json(&again).await?;
        lab.fetch("demo", "hello", "/", |status, body| status == 200 && body.contains("Hello again")).await?;
        lab.delete("demo").await?;
        strangers.end().await
    })
    .await
}

#[tokio::test]
async fn with_the_state_lost_in_the_middle_of_a_create_the_cluster_is_completed_or_deleted() -> Result<()> {
    let name = "with_the_state_lost_in_the_middle_of_a_create_the_cluster_is_completed_or_deleted";
    with_lab(name, &[], async |lab| {
        let strangers = Strangers::start().await?;
        for (step, is_completed) in [("prepare machine/worker-1", true), ("create machine/worker-1", false)] {
            let at = lab.cursor().await?;
            let _begun: OperationInfo = lab.cli().json(&CREATE).await?;
            let is_it = |event: &Event| event.kind == EventKind::StepStarted && event.message == step;
            lab.cli().events_until(at, LIMIT, is_it).await?;
            lose_and_recover(lab).await?;
            if is_completed {
                becomes_ready(lab).await?;
                ensure!(
                    lab.marked_keys().await? == ["machine/control-plane-1", "machine/worker-1", "network"],
                    "{:?}",
                    lab.marked_keys().await?
                );
            }
            lab.delete("demo").await?;
        }
        strangers.end().await
    })
    .await
}
