//! `muster … --wait`: what it shows while it waits, and how it ends.

#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, reason = "test code, though not always in a test function")]

mod command;
mod support;

use std::process::Output;

use command::{CREATE, ID, at, begin, err, muster, on_a_terminal, out, run};
use muster_client::protocol::model::operation::{OperationInfo, OperationPhase};
use muster_client::protocol::{Cause, ClientBody, Error, ErrorCode, Request, Retry, StreamItem, Timestamp};
use support::{Peer, Server, soon};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};

fn failed(code: ErrorCode) -> OperationInfo {
    let mut operation = at(OperationPhase::Failed, 4);
    operation.cause = Some(Cause {
        code,
        step: "prepare machine/worker-1".to_owned(),
        message: "apt-get ended with 100".to_owned(),
        provider_code: None,
        provider_request_id: None,
        remedy: Some("look at the machine's network".to_owned()),
        retry: Retry::Never,
        at: Timestamp::from_millis(2),
    });
    operation
}

/// Answers a watch with these, of which the last has ended: the command does not wait for more.
async fn watched(peer: &mut Peer, changes: impl IntoIterator<Item = OperationInfo>) {
    let (id, request, _) = peer.stream_request().await;
    assert_eq!(request, Request::OperationWatch { id: ID });
    for change in changes {
        peer.item(id, StreamItem::Operation(change)).await;
    }
}

async fn waited(flags: &str, ended: OperationInfo) -> Output {
    let server = Server::new();
    run(&server, &format!("{CREATE} --wait {flags}"), |mut peer| async move {
        begin(&mut peer).await;
        watched(&mut peer, [at(OperationPhase::Running, 0), at(OperationPhase::Running, 2), ended]).await;
    })
    .await
}

#[tokio::test]
async fn a_change_is_begun_and_says_how_to_follow_it() {
    let server = Server::new();
    let output = run(&server, CREATE, |mut peer| async move { begin(&mut peer).await }).await;
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(out(&output), format!("cluster-create of demo begun as operation {ID}\n"));
    assert_eq!(err(&output), format!("follow it with `muster operation watch {ID}`\n"));
}

#[tokio::test]
async fn a_wait_shows_a_line_a_change_and_ends_with_success() {
    let output = waited("", at(OperationPhase::Succeeded, 9)).await;
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    assert_eq!(out(&output), "cluster-create of demo succeeded in 42s\n");
    assert_eq!(err(&output), "demo: 0/9 step 0\ndemo: 2/9 step 2\n");
}

#[tokio::test]
async fn a_wait_on_a_terminal_is_one_living_line_that_goes_when_it_ends() {
    let server = Server::new();
    let mut child = on_a_terminal(&server, &format!("{CREATE} --wait")).spawn().unwrap();
    let mut peer = server.accept().await;
    begin(&mut peer).await;
    let (id, _, _) = peer.stream_request().await;
    peer.item(id, StreamItem::Operation(at(OperationPhase::Running, 2))).await;
    let mut stdout = child.stdout.take().unwrap();
    let mut shown = String::new();
    while !shown.contains("step 2") {
        let mut bytes = [0; 4096];
        let length = soon("the line", stdout.read(&mut bytes)).await.unwrap();
        assert_ne!(length, 0, "{shown:?}");
        shown.push_str(&String::from_utf8_lossy(&bytes[..length]));
    }
    assert!(shown.contains("2/9"), "{shown:?}");
    assert!(!shown.contains('\n'), "one line: {shown:?}");
    peer.item(id, StreamItem::Operation(at(OperationPhase::Succeeded, 9))).await;
    let mut rest = String::new();
    soon("the rest", stdout.read_to_string(&mut rest)).await.unwrap();
    assert!(rest.ends_with("cluster-create of demo succeeded in 42s\r\n"), "{rest:?}");
    assert_eq!(soon("the end", child.wait()).await.unwrap().code(), Some(0));
}

#[tokio::test]
async fn a_wait_ends_with_the_operations_own_failure() {
    let output = waited("", failed(ErrorCode::Preparation)).await;
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(out(&output), "");
    let shown = err(&output);
    assert!(shown.contains("error: cluster-create of demo failed (preparation)\n"), "{shown}");
    assert!(shown.contains("cause: prepare machine/worker-1: apt-get ended with 100 (preparation)\n"), "{shown}");
    assert!(shown.ends_with("remedy: look at the machine's network\n"), "{shown}");
}

#[tokio::test]
async fn a_wait_that_was_cut_short_has_its_own_exit_code() {
    for ended in
        [at(OperationPhase::Cancelled, 1), at(OperationPhase::Superseded, 1), failed(ErrorCode::DeadlineExceeded)]
    {
        assert_eq!(waited("", ended).await.status.code(), Some(8));
    }
}

#[tokio::test]
async fn programs_get_the_ended_operation_and_the_error_as_json() {
    let ended = failed(ErrorCode::Preparation);
    let output = waited("-o json", ended.clone()).await;
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(serde_json::from_str::<OperationInfo>(out(&output)).unwrap(), ended);
    let error: Error = serde_json::from_str(err(&output).lines().last().unwrap()).unwrap();
    assert_eq!(error.code, ErrorCode::Preparation);
    assert_eq!(error.details["operation"], ID.to_string());
}

#[tokio::test]
async fn a_wait_outlives_the_daemons_restart() {
    let server = Server::new();
    let serve = async {
        let mut peer = server.accept().await;
        begin(&mut peer).await;
        let (id, _, _) = peer.stream_request().await;
        peer.item(id, StreamItem::Operation(at(OperationPhase::Running, 1))).await;
        drop(peer);
        let mut peer = server.accept().await;
        watched(&mut peer, [at(OperationPhase::Running, 1), at(OperationPhase::Succeeded, 9)]).await;
    };
    let line = format!("{CREATE} --wait");
    let run = async { muster(&server, &line).output().await.unwrap() };
    let (output, ()) = soon("the command", async { tokio::join!(run, serve) }).await;
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    assert_eq!(err(&output), "demo: 0/9 step 0\ndemo: 1/9 step 1\n", "nothing is shown twice");
}

#[tokio::test]
async fn ctrl_c_leaves_the_operation_running_and_says_how_to_come_back() {
    let server = Server::new();
    let mut child = muster(&server, &format!("{CREATE} --wait")).spawn().unwrap();
    let mut peer = server.accept().await;
    begin(&mut peer).await;
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    assert_eq!(soon("a line", lines.next_line()).await.unwrap().unwrap(), "demo: 0/9 step 0");

    let pid = rustix::process::Pid::from_raw(i32::try_from(child.id().unwrap()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert_eq!(
        soon("a line", lines.next_line()).await.unwrap().unwrap(),
        format!("interrupted: operation {ID} goes on; come back to it with `muster operation watch {ID}`")
    );
    assert_eq!(soon("the end", child.wait()).await.unwrap().code(), Some(130));
    // Nothing was asked but the watch: no cancel.
    while let Some(frame) = peer.next().await {
        let is_cancel = matches!(&frame.body, ClientBody::Request { request, .. }
            if matches!(**request, Request::OperationCancel { .. }));
        assert!(!is_cancel, "{frame:?}");
    }
}
