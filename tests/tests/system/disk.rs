//! A disk that fills up: changes are refused, nothing is harmed, and it goes on by itself when there is room.

use std::fs::{self, File};
use std::path::Path;

use anyhow::{Context, Result};
use muster_protocol::ErrorCode;
use muster_protocol::model::cluster::ClusterSummary;
use muster_protocol::model::operation::{OperationInfo, OperationPhase};
use muster_tests::daemon::Daemon;

const DISK_MIB: u32 = 96;
const BALLAST_MIB: u64 = 80;

fn create(name: &str) -> [&str; 9] {
    let kinds = ["--orchestrator", "sim", "--infrastructure", "sim"];
    let [a, b, c, d] = kinds;
    ["cluster", "create", name, a, b, c, d, "--workers", "1"]
}

#[tokio::test]
async fn a_full_disk_refuses_changes_until_there_is_room_again() -> Result<()> {
    let daemon = Daemon::start_on_disk_of(DISK_MIB, "").await?;
    let told = fill_and_free(&daemon).await;
    daemon.show_log_of_failure(&told);
    told
}

async fn fill_and_free(daemon: &Daemon) -> Result<()> {
    let _: OperationInfo = daemon.cli().json(&[&create("before")[..], &["--wait"]].concat()).await?;

    let ballast = daemon.state_as_seen_by_itself()?.join("ballast");
    fill(&ballast)?;
    let (code, error) = daemon.cli().refused(&create("refused")).await?;
    assert_eq!((code, error.code), (1, ErrorCode::Store), "{error}");
    assert!(error.message.contains("make room"), "{error}");
    let listed: Vec<ClusterSummary> = daemon.cli().json(&["cluster", "list"]).await?;
    assert_eq!(listed.iter().map(|cluster| cluster.name.as_str()).collect::<Vec<_>>(), ["before"]);

    fs::remove_file(&ballast).context("cannot remove the ballast")?;
    let created: OperationInfo = daemon.cli().json(&[&create("after")[..], &["--wait"]].concat()).await?;
    assert_eq!(created.phase, OperationPhase::Succeeded);
    assert_eq!(daemon.log().matches("the store is open").count(), 1, "it was not started again");
    Ok(())
}

fn fill(ballast: &Path) -> Result<()> {
    let file = File::create(ballast).context("cannot create the ballast")?;
    rustix::fs::fallocate(file, rustix::fs::FallocateFlags::empty(), 0, BALLAST_MIB << 20)
        .context("cannot fill the disk")
}
