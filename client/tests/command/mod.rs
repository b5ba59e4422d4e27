//! Runs the `muster` command against the scripted server.

#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, reason = "test code, though not in a test function")]

use std::process::{Output, Stdio};

use muster_client::protocol::model::operation::{OperationInfo, OperationPhase};
use muster_client::protocol::{OperationId, Response, Timestamp};
use tokio::process::Command;

use crate::support::{Peer, Server, operation, soon};

/// The operation of every change here.
pub const ID: OperationId = OperationId::from_u128(7);
/// A change.
pub const CREATE: &str = "cluster create demo --orchestrator sim --infrastructure sim";

pub fn muster(server: &Server, line: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_muster"));
    command.args(line.split_whitespace()).env("MUSTER_SOCKET", &server.socket).env_remove("NO_COLOR");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

/// Runs a command beside the server's part.
pub async fn run<S: Future<Output = ()>>(server: &Server, line: &str, part: impl FnOnce(Peer) -> S) -> Output {
    let serve = async {
        let peer = server.accept().await;
        part(peer).await;
    };
    let run = async { muster(server, line).output().await.unwrap() };
    soon("the command", async { tokio::join!(run, serve).0 }).await
}

pub fn out(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

pub fn err(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

pub fn at(phase: OperationPhase, steps_done: u32) -> OperationInfo {
    let mut operation = operation(ID, phase, steps_done);
    operation.message = format!("step {steps_done}");
    operation.ended_at = operation.ended_at.map(|_| Timestamp::from_millis(42_001));
    operation
}

/// Answers a change with a running operation.
pub async fn begin(peer: &mut Peer) {
    let (id, _) = peer.request().await;
    peer.answer(id, Response::Operation(at(OperationPhase::Running, 0))).await;
}
/// The same command with a terminal for its output, which `script` (of Debian's essential bsdutils) makes.
pub fn on_a_terminal(server: &Server, line: &str) -> Command {
    let muster = env!("CARGO_BIN_EXE_muster");
    let mut command = Command::new("script");
    command.args(["--quiet", "--return", "--flush", "--command", &format!("{muster} {line}"), "/dev/null"]);
    command.env("MUSTER_SOCKET", &server.socket).env("TERM", "xterm").env_remove("NO_COLOR");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}
