//! `kill -9` of the real daemon in the middle of real work. What it had begun it finishes; nothing is there twice.
//!
//! Covers: createOrchestrator, deleteOrchestrator, createOrchestratorService, scaleOrchestratorService,
//! watchOperation.

use anyhow::{Context, Result};
use muster_protocol::model::event::{Event, EventKind};
use muster_protocol::model::operation::{OperationInfo, OperationPhase};
use muster_tests::images::docker::docker;

use crate::lab::{LIMIT, Lab, with_lab};

/// Kills the daemon as soon as the event log says one of these, and starts it again. Gives the new place in the log.
pub async fn kill_when(lab: &mut Lab, since: u64, kind: EventKind, messages: &[&str]) -> Result<u64> {
    let is_it = |event: &Event| event.kind == kind && messages.contains(&event.message.as_str());
    let events = lab.cli().events_until(since, LIMIT, is_it).await?;
    lab.daemon.kill()?;
    lab.daemon.start_again().await?;
    Ok(events.last().map_or(since, |event| event.number))
}

/// The end of an operation that was begun in an earlier life of the daemon.
async fn ended(lab: &Lab, operation: &OperationInfo) -> Result<()> {
    let ended: OperationInfo = lab.cli().json(&["operation", "watch", &operation.id.to_string()]).await?;
    assert_eq!((ended.id, ended.phase), (operation.id, OperationPhase::Succeeded));
    Ok(())
}

#[tokio::test]
async fn a_daemon_killed_at_every_stage_finishes_what_it_began_and_nothing_is_double() -> Result<()> {
    let name = "a_daemon_killed_at_every_stage_finishes_what_it_began_and_nothing_is_double";
    with_lab(name, &["busybox:1.36"], async |lab| {
        create(lab).await?;
        deploy(lab).await?;
        delete(lab).await
    })
    .await
}

async fn create(lab: &mut Lab) -> Result<()> {
    let kinds = ["--orchestrator", "swarm", "--infrastructure", "local", "--workers", "2"];
    let operation: OperationInfo = lab.cli().json(&[&["cluster", "create", "demo"][..], &kinds].concat()).await?;
    let mut at = 0;
    for (kind, messages) in [
        (EventKind::StepStarted, &["create network"][..]),
        // After a kill in the middle of a call it is looked up whether that had an effect.
        (EventKind::StepDone, &["create network", "look up network"]),
        (EventKind::StepStarted, &["create machine/worker-1"]),
        (EventKind::StepDone, &["create machine/control-plane-1", "look up machine/control-plane-1"]),
        (EventKind::StepStarted, &["prepare machine/worker-2"]),
        (EventKind::StepStarted, &["form orchestrator"]),
        (EventKind::StepStarted, &["join node/worker-1"]),
    ] {
        at = kill_when(lab, at, kind, messages).await.with_context(|| format!("kill at {messages:?}"))?;
    }
    ended(lab, &operation).await?;
    assert_eq!(
        lab.marked_keys().await?,
        ["machine/control-plane-1", "machine/worker-1", "machine/worker-2", "network"]
    );
    let nodes = lab.on_machine("demo", "control-plane-1", &["docker", "node", "ls", "-q"]).await?;
    assert_eq!(nodes.lines().count(), 3, "no node joined twice");
    Ok(())
}

async fn deploy(lab: &mut Lab) -> Result<()> {
    let at = lab.cursor().await?;
    let hello = ["--template", "hello", "--set", "replicas=3"];
    let operation: OperationInfo =
        lab.cli().json(&[&["service", "create", "--cluster", "demo"][..], &hello].concat()).await?;
    kill_when(lab, at, EventKind::StepStarted, &["create service/hello"]).await?;
    ended(lab, &operation).await?;
    let services =
        lab.on_machine("demo", "control-plane-1", &["docker", "service", "ls", "--format", "{{.Name}}"]).await?;
    assert_eq!(services, "hello");

    let at = lab.cursor().await?;
    let scale = ["service", "scale", "hello", "--replicas", "2", "--cluster", "demo"];
    let operation: OperationInfo = lab.cli().json(&scale).await?;
    kill_when(lab, at, EventKind::StepStarted, &["update service/hello"]).await?;
    ended(lab, &operation).await?;
    assert_eq!(lab.running("demo", "hello").await?.len(), 2);
    lab.fetch("demo", "hello", "/", |status, _| status == 200).await?;
    Ok(())
}

async fn delete(lab: &mut Lab) -> Result<()> {
    // Something of another installation, with the same kinds of marks: it must survive.
    let other = ["create", "--label", "io.muster.test=system", "--label", "io.muster.instance=another"];
    let other =
        docker(&[&other[..], &["--label", "io.muster.key=machine/worker-1", "muster/machine:bookworm"]].concat())
            .await?;
    let deleted = delete_with_kills(lab).await;
    let survivor = docker(&["inspect", "--format", "{{.Id}}", &other]).await;
    docker(&["rm", "-f", &other]).await?;
    deleted?;
    assert_eq!(survivor?, other);
    Ok(())
}

async fn delete_with_kills(lab: &mut Lab) -> Result<()> {
    let mut at = lab.cursor().await?;
    let operation: OperationInfo = lab.cli().json(&["cluster", "delete", "demo"]).await?;
    // It dies once with everything that it begins: machines, network, the last look. What was begun may be done before the
    // daemon is dead, so how much is cut off is a matter of luck; that something is, is not.
    let mut killed_at: Vec<String> = Vec::new();
    loop {
        let is_new = |event: &Event| event.kind == EventKind::StepStarted && !killed_at.contains(&event.message);
        let is_it = |event: &Event| is_new(event) || event.kind == EventKind::OperationEnded;
        let events = lab.cli().events_until(at, LIMIT, is_it).await?;
        let Some(last) = events.last().filter(|event| is_new(event)) else { break };
        lab.daemon.kill()?;
        lab.daemon.start_again().await?;
        at = last.number;
        killed_at.push(last.message.clone());
    }
    println!("killed at the beginning of {killed_at:?}");
    assert!(killed_at.len() >= 3, "each machine's removal at least");
    ended(lab, &operation).await?;
    let clusters: Vec<serde_json::Value> = lab.cli().json(&["cluster", "list"]).await?;
    assert_eq!((clusters.len(), lab.owned().await?), (0, vec![]));
    Ok(())
}
