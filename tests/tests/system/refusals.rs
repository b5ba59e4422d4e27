//! What cannot be done: a code, a remedy, an exit code, and nothing changed.
//!
//! Covers: createOrchestrator, scaleOrchestrator, doctor.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use muster_protocol::model::cluster::{ClusterInfo, ClusterSummary};
use muster_protocol::model::event::EventKind;
use muster_protocol::model::operation::OperationInfo;
use muster_protocol::{Error, ErrorCode};
use muster_tests::binary;
use muster_tests::cli::{Ended, end};
use muster_tests::daemon::Daemon;
use muster_tests::skip::docker_is_wanted;
use tokio::process::Command;

use crate::lab::with_lab;

/// A user without any rights, in every Debian.
const NOBODY: &str = "65534";

async fn assert_nothing_there(daemon: &Daemon) -> Result<()> {
    let clusters: Vec<ClusterSummary> = daemon.cli().json(&["cluster", "list"]).await?;
    let operations: Vec<OperationInfo> = daemon.cli().json(&["operation", "list"]).await?;
    assert_eq!((clusters.len(), operations.len()), (0, 0), "a refused request left something behind");
    Ok(())
}

fn assert_told(error: &Error, code: ErrorCode) {
    assert_eq!(error.code, code, "{error:?}");
    assert!(error.remedy.is_some(), "a remedy is missing: {error:?}");
}

#[tokio::test]
async fn a_missing_machine_image_is_said_before_anything_is_made() -> Result<()> {
    with_lab("a_missing_machine_image_is_said_before_anything_is_made", &[], async |lab| {
        let create = ["cluster", "create", "x", "--orchestrator", "swarm", "--infrastructure", "local"];
        let (exit, error) = lab.cli().refused(&[&create[..], &["--image", "no-such/image:1"]].concat()).await?;
        assert_told(&error, ErrorCode::NotFound);
        assert_eq!(exit, 3);
        assert!(error.message.contains("no-such/image:1"), "{error:?}");
        assert_nothing_there(&lab.daemon).await?;
        assert_eq!(lab.owned().await?, [""; 0]);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn an_engine_that_is_not_there_is_said_at_once() -> Result<()> {
    let daemon = Daemon::start("[local]\ndocker_socket = \"/nonexistent/docker.sock\"\n").await?;
    let create = ["cluster", "create", "x", "--orchestrator", "swarm", "--infrastructure", "local"];
    let (exit, error) = daemon.cli().refused(&create).await?;
    assert_told(&error, ErrorCode::Unreachable);
    assert_eq!(exit, 1);
    assert_nothing_there(&daemon).await?;
    // The doctor finds the same, and says so by its exit code.
    let doctor = daemon.cli().run(&["doctor"]).await?;
    assert_eq!(doctor.code, Some(1), "{}", doctor.stdout);
    Ok(())
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_by_field() -> Result<()> {
    let daemon = Daemon::start("").await?;
    let sim = ["--orchestrator", "sim", "--infrastructure", "sim"];
    for (arguments, code, exit) in [
        (&["--control-planes", "2"][..], ErrorCode::InvalidArgument, 2),
        (&["--workers", "1000000"], ErrorCode::InvalidArgument, 2),
        (&["--account", "nobody-has-this"], ErrorCode::NotFound, 3),
    ] {
        let create = [&["cluster", "create", "x"][..], &sim, arguments].concat();
        let (seen, error) = daemon.cli().refused(&create).await?;
        assert_eq!((seen, error.code), (exit, code), "{arguments:?}: {error:?}");
    }
    let mixed = ["cluster", "create", "x", "--orchestrator", "swarm", "--infrastructure", "sim"];
    let (exit, error) = daemon.cli().refused(&mixed).await?;
    assert_told(&error, ErrorCode::Unsupported);
    assert_eq!(exit, 7);
    let (exit, error) = daemon.cli().refused(&["cluster", "info", "x"]).await?;
    assert_told(&error, ErrorCode::NotFound);
    assert_eq!(exit, 3);
    assert_nothing_there(&daemon).await
}

/// `muster` as another user, who can neither enter our build folder nor our temporary one.
async fn as_nobody(daemon: &Daemon, folder: &Path, arguments: &[&str]) -> Result<Ended> {
    let program = folder.join("muster");
    if !program.exists() {
        // By another program: if this one held the copy open for writing, a child that another test starts at the same
        // time would hold it too, and then it cannot be run (ETXTBSY).
        let copied = Command::new("cp").arg(binary::path("muster")?).arg(&program).status().await;
        ensure!(copied.context("cannot run cp")?.success(), "cannot copy muster");
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"]).arg(program);
    command.arg("--socket").arg(daemon.socket()).args(["-o", "json"]).args(arguments);
    command.stdin(Stdio::null()).kill_on_drop(true);
    end(command, format!("muster {} (as nobody)", arguments.join(" "))).await
}

fn open_to_all(folder: &Path) -> Result<()> {
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).context("cannot open a folder")
}

#[tokio::test]
async fn a_viewer_may_look_and_nothing_else() -> Result<()> {
    if !docker_is_wanted("a_viewer_may_look_and_nothing_else") {
        return Ok(());
    }
    ensure!(rustix::process::geteuid().is_root(), "only root can act as another user; run the tests as root");
    let folder = tempfile::tempdir()?;
    let configuration = format!("[socket]\ngroup = \"{NOBODY}\"\n[access.viewer]\nusers = [\"{NOBODY}\"]\n");
    let daemon = Daemon::start(&configuration).await?;
    open_to_all(folder.path())?;
    open_to_all(daemon.folder())?;
    let looked = as_nobody(&daemon, folder.path(), &["cluster", "list"]).await?;
    assert_eq!(looked.code, Some(0), "{}", looked.stderr);
    let create = ["cluster", "create", "x", "--orchestrator", "sim", "--infrastructure", "sim"];
    let refused = as_nobody(&daemon, folder.path(), &create).await?;
    assert_eq!(refused.code, Some(5), "{}", refused.stderr);
    assert_told(&refused.error()?, ErrorCode::PermissionDenied);
    assert_nothing_there(&daemon).await?;
    let state = std::fs::metadata(daemon.state_dir())?.permissions().mode();
    assert_eq!(state & 0o077, 0, "others can enter the state directory: {state:o}");
    Ok(())
}

#[tokio::test]
async fn a_second_daemon_on_the_same_state_is_refused_and_the_first_one_goes_on() -> Result<()> {
    let mut daemon = Daemon::start("[limits]\nlook_when_idle_ms = 100\n").await?;
    let create = ["cluster", "create", "x", "--orchestrator", "sim", "--infrastructure", "sim", "--wait"];
    let _: OperationInfo = daemon.cli().json(&create).await?;
    let mut second = Command::from(daemon.command(&daemon.folder().join("second.sock"))?);
    second.kill_on_drop(true);
    let second = end(second, "a second musterd".to_owned()).await?;
    assert!(second.code.is_some_and(|code| code != 0), "{second:?}");
    assert!(second.stderr.contains("another daemon is running on"), "{}", second.stderr);
    let scale = ["cluster", "scale", "x", "--workers", "2", "--wait"];
    let _: OperationInfo = daemon.cli().json(&scale).await?;
    // What it made after the second one came is on disk as before: nothing is missing when it starts again.
    daemon.kill()?;
    daemon.start_again().await?;
    let looked = |info: &ClusterInfo| info.observed_at.is_some();
    daemon.cli().until(&["cluster", "info", "x"], Duration::from_secs(60), looked).await?;
    let scale = ["cluster", "scale", "x", "--workers", "3", "--wait"];
    let _: OperationInfo = daemon.cli().json(&scale).await?;
    let lost = daemon.cli().events(0).await?.into_iter().find(|event| event.kind == EventKind::Host);
    assert_eq!(lost, None);
    Ok(())
}

#[tokio::test]
async fn without_a_daemon_the_command_says_so() -> Result<()> {
    let mut daemon = Daemon::start("").await?;
    assert!(daemon.stop()?.success());
    let (exit, error) = daemon.cli().refused(&["cluster", "list"]).await?;
    assert_told(&error, ErrorCode::Unavailable);
    assert_eq!(exit, 6);
    Ok(())
}
