//! The real daemon on the simulated twins: many clusters, a daemon that dies again and again, clients that stay.
//!
//! Covers: createOrchestrator, scaleOrchestrator, listOperations, watchOperation.

use std::time::Duration;

use anyhow::{Context, Result};
use muster_protocol::ErrorCode;
use muster_protocol::model::audit::{AuditRecord, AuditVerification};
use muster_protocol::model::cluster::{ClusterPhase, ClusterSummary, Tally};
use muster_protocol::model::event::{Event, EventKind};
use muster_protocol::model::operation::{OperationInfo, OperationPhase};
use muster_tests::cli::{Ended, end};
use muster_tests::daemon::Daemon;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::sync::mpsc;

const CLUSTERS: usize = 20;
const KILLS: usize = 5;
const KINDS: [&str; 4] = ["--orchestrator", "sim", "--infrastructure", "sim"];
/// Slow enough that kills hit the middle of things.
const SLOW: &str = "[sim]\nrollout_ms = 1500\n[limits]\ncalls_per_account = 4\n";

/// Starts a command that goes on while the test does other things.
fn begin(daemon: &Daemon, arguments: &[&str]) -> tokio::task::JoinHandle<Result<Ended>> {
    tokio::spawn(end(daemon.cli().command(arguments), format!("muster {}", arguments.join(" "))))
}

#[tokio::test]
async fn creates_and_their_waiting_clients_survive_five_kills() -> Result<()> {
    let mut daemon = Daemon::start(SLOW).await?;
    let told = creates_with_kills(&mut daemon).await;
    daemon.show_log_of_failure(&told);
    told
}

async fn creates_with_kills(daemon: &mut Daemon) -> Result<()> {
    let mut creates = Vec::new();
    for number in 1..=CLUSTERS {
        let name = format!("sim-{number}");
        let size = ["--control-planes", "3", "--workers", "4", "--wait"];
        creates.push(begin(daemon, &[&["cluster", "create", &name][..], &KINDS, &size].concat()));
    }
    // A client that comes while no daemon is there is told so at once: all have to be in before the first kill.
    let mut accepted = 0;
    let mut last_is_in = |event: &Event| {
        accepted += usize::from(event.kind == EventKind::OperationStarted);
        accepted == CLUSTERS
    };
    let events = daemon.cli().events_until(0, Duration::from_secs(30), &mut last_is_in).await?;
    let mut at = events.last().map_or(0, |event| event.number);
    for _ in 0..KILLS {
        // A few steps further each time, whatever they are.
        let further = at + 30;
        let events = daemon.cli().events_until(at, Duration::from_secs(30), |event| event.number >= further).await?;
        at = events.last().map_or(at, |event| event.number);
        daemon.kill()?;
        daemon.start_again().await?;
    }
    for create in creates {
        let ended = create.await??;
        assert_eq!(ended.code, Some(0), "{}: {}", ended.line, ended.stderr);
        let operation: OperationInfo = ended.json()?;
        assert_eq!(operation.phase, OperationPhase::Succeeded);
    }
    let clusters: Vec<ClusterSummary> = daemon.cli().json(&["cluster", "list"]).await?;
    assert_eq!(clusters.len(), CLUSTERS);
    for cluster in &clusters {
        let expected = (ClusterPhase::Ready, Tally { ready: 3, wanted: 3 }, Tally { ready: 4, wanted: 4 });
        assert_eq!((cluster.phase, cluster.control_planes, cluster.workers), expected, "{}", cluster.name);
    }
    let operations: Vec<OperationInfo> = daemon.cli().json(&["operation", "list"]).await?;
    assert_eq!(operations.len(), CLUSTERS, "each create is one operation, however often it was asked for");
    assert_no_gap(&daemon.cli().events(0).await?);
    // No kill parted a change from its audit record.
    let verified: AuditVerification = daemon.cli().json(&["audit", "verify"]).await?;
    assert_eq!(verified.broken, None);
    let trail: Vec<AuditRecord> = daemon.cli().json(&["audit", "list"]).await?;
    assert_eq!(trail.len() as u64, verified.intact);
    for operation in &operations {
        let made = trail.iter().find(|record| record.operation == Some(operation.id) && record.refusal.is_none());
        let made = made.with_context(|| format!("nobody is on record for {}", operation.id))?;
        assert_eq!((made.request.as_str(), made.cluster.as_ref()), ("createOrchestrator", Some(&operation.cluster)));
    }
    Ok(())
}

fn assert_no_gap(events: &[Event]) {
    let numbers: Vec<u64> = events.iter().map(|event| event.number).collect();
    let expected: Vec<u64> = (1..=numbers.len() as u64).collect();
    assert_eq!(numbers, expected);
}

#[tokio::test]
async fn a_watch_and_a_follower_go_on_through_a_restart() -> Result<()> {
    let mut daemon = Daemon::start(SLOW).await?;
    let told = watch_through_restart(&mut daemon).await;
    daemon.show_log_of_failure(&told);
    told
}

async fn watch_through_restart(daemon: &mut Daemon) -> Result<()> {
    let _: OperationInfo = daemon.cli().json(&[&["cluster", "create", "one", "--wait"][..], &KINDS].concat()).await?;
    let at = daemon.cli().events(0).await?.len() as u64;
    let cli = daemon.cli().clone();
    let (follows, mut is_following) = mpsc::unbounded_channel();
    let ends = move |event: &Event| {
        let _ = follows.send(());
        event.kind == EventKind::OperationEnded
    };
    let follower = tokio::spawn(async move { cli.events_until(at, Duration::from_secs(60), ends).await });

    let scale = ["cluster", "scale", "one", "--workers", "30"];
    let operation: OperationInfo = daemon.cli().json(&scale).await?;
    let mut watch = daemon.cli().command(&["operation", "watch", &operation.id.to_string()]).spawn()?;
    let mut progress = BufReader::new(watch.stderr.take().context("no standard error")?);
    // Whoever comes while no daemon is there is told so: both have to be in before.
    progress.read_line(&mut String::new()).await?;
    is_following.recv().await.context("the follower has ended")?;
    // The orderly way first, then the other.
    assert!(daemon.stop()?.success(), "an orderly end is a success");
    daemon.start_again().await?;
    daemon.kill()?;
    daemon.start_again().await?;

    let mut told = String::new();
    progress.read_to_string(&mut told).await?;
    let watched = watch.wait_with_output().await?;
    assert_eq!(watched.status.code(), Some(0), "{told}");
    let watched: OperationInfo = serde_json::from_slice(&watched.stdout)?;
    assert_eq!((watched.id, watched.phase), (operation.id, OperationPhase::Succeeded));
    let followed = follower.await??;
    let all = daemon.cli().events(at).await?;
    assert_eq!(followed, all[..followed.len()], "a follower misses nothing and sees nothing twice");
    Ok(())
}

#[tokio::test]
async fn a_change_asked_for_twice_with_one_key_is_made_once_even_if_the_daemon_died_between() -> Result<()> {
    let mut daemon = Daemon::start("").await?;
    let create = [&["cluster", "create", "one", "--idempotency-key", "key-1"][..], &KINDS].concat();
    let first: OperationInfo = daemon.cli().json(&create).await?;
    daemon.kill()?;
    daemon.start_again().await?;
    let second: OperationInfo = daemon.cli().json(&create).await?;
    assert_eq!(first.id, second.id);
    let other = [&["cluster", "create", "two", "--idempotency-key", "key-1"][..], &KINDS].concat();
    let (exit, error) = daemon.cli().refused(&other).await?;
    assert_eq!((exit, error.code), (4, ErrorCode::IdempotencyMismatch));
    let clusters: Vec<ClusterSummary> = daemon.cli().json(&["cluster", "list"]).await?;
    assert_eq!(clusters.first().context("one cluster")?.name.as_str(), "one");
    assert_eq!(clusters.len(), 1);
    let trail: Vec<AuditRecord> = daemon.cli().json(&["audit", "list"]).await?;
    let told: Vec<_> = trail.iter().rev().map(|record| (record.operation, record.refusal)).collect();
    let (made, refused) = ((Some(first.id), None), (None, Some(ErrorCode::IdempotencyMismatch)));
    assert_eq!(told, [made, made, refused], "the one that was answered again too");
    Ok(())
}
