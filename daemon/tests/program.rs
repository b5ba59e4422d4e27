//! `musterd` as a program: what a process of its own shows.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use muster_client::Client;
use rustix::process::{Pid, Signal, kill_process};

const LIMIT: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(20);

/// The program, with a standard error that takes nothing.
fn musterd(folder: &Path) -> Command {
    let config = folder.join("muster.toml");
    fs::write(&config, "").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_musterd"));
    command.arg("--config").arg(config).arg("--state-dir").arg(folder.join("state"));
    command.arg("--socket").arg(folder.join("muster.sock"));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create("/dev/full").unwrap());
    command
}

/// The exit code, once there is one.
async fn code(child: &mut Child) -> Option<i32> {
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        if began.elapsed() > LIMIT {
            child.kill().unwrap();
            return None;
        }
        tokio::time::sleep(POLL).await;
    }
}

#[tokio::test]
async fn a_log_that_cannot_be_written_ends_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = musterd(folder.path()).spawn().unwrap();
    let began = Instant::now();
    let client = loop {
        if let Ok(client) = Client::connect(&folder.path().join("muster.sock")).await {
            break client;
        }
        assert_eq!(child.try_wait().unwrap(), None, "it has ended");
        assert!(began.elapsed() < LIMIT, "it does not answer");
        tokio::time::sleep(POLL).await;
    };
    // A refusal is logged.
    client.cluster_delete(&"nothing".parse().unwrap(), None).await.unwrap_err();
    client.whoami().await.unwrap();
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert_eq!(code(&mut child).await, Some(0));
}

#[tokio::test]
async fn a_start_that_fails_ends_with_1_also_where_nobody_can_be_told() {
    let folder = tempfile::tempdir().unwrap();
    // Where the state should be.
    fs::write(folder.path().join("state"), "").unwrap();
    let mut child = musterd(folder.path()).spawn().unwrap();
    assert_eq!(code(&mut child).await, Some(1));
}
