//! The `muster` command against a scripted server: what it asks, what it prints, how it ends.

#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, reason = "test code, though not always in a test function")]

mod support;

use std::process::{Output, Stdio};

use muster_client::protocol::model::account::Finding;
use muster_client::protocol::model::cluster::{ClusterPhase, ClusterSummary, Infrastructure, Orchestrator, Tally};
use muster_client::protocol::model::event::Event;
use muster_client::protocol::model::operation::{OperationInfo, OperationPhase};
use muster_client::protocol::model::service::{ServiceInfo, ServicePhase};
use muster_client::protocol::request::{Page, PageRequest, ServiceSource, Whoami};
use muster_client::protocol::{
    Cause, ClusterId, Error, ErrorCode, InstanceId, OperationId, Request, Response, Retry, ServerFrame, ServiceId,
    StreamItem, Timestamp,
};
use support::{Peer, Server, event, event_item, name, operation, soon};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::Command;

const ID: OperationId = OperationId::from_u128(7);
const CREATE: &str = "cluster create demo --orchestrator sim --infrastructure sim";

fn muster(server: &Server, line: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_muster"));
    command.args(line.split_whitespace()).env("MUSTER_SOCKET", &server.socket).env_remove("NO_COLOR");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

/// Runs a command beside the server's part.
async fn run<S: Future<Output = ()>>(server: &Server, line: &str, part: impl FnOnce(Peer) -> S) -> Output {
    let serve = async {
        let peer = server.accept().await;
        part(peer).await;
    };
    let run = async { muster(server, line).output().await.unwrap() };
    soon("the command", async { tokio::join!(run, serve).0 }).await
}

fn out(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

fn err(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

fn at(phase: OperationPhase, steps_done: u32) -> OperationInfo {
    let mut operation = operation(ID, phase, steps_done);
    operation.message = format!("step {steps_done}");
    operation.ended_at = operation.ended_at.map(|_| Timestamp::from_millis(42_001));
    operation
}

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

/// Answers a change with a running operation.
async fn begin(peer: &mut Peer) {
    let (id, _) = peer.request().await;
    peer.answer(id, Response::Operation(at(OperationPhase::Running, 0))).await;
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
    assert_eq!(
        out(&output),
        format!("cluster-create of demo begun as operation {ID}\nfollow it with `muster operation watch {ID}`\n")
    );
    assert_eq!(err(&output), "");
}

#[tokio::test]
async fn a_wait_shows_a_line_a_change_and_ends_with_success() {
    let output = waited("", at(OperationPhase::Succeeded, 9)).await;
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    assert_eq!(out(&output), "cluster-create of demo succeeded in 42s\n");
    assert_eq!(err(&output), "demo: 0/9 step 0\ndemo: 2/9 step 2\n");
}

/// The same command with a terminal for its output, which `script` (of Debian's essential bsdutils) makes.
fn on_a_terminal(server: &Server, line: &str) -> Command {
    let muster = env!("CARGO_BIN_EXE_muster");
    let mut command = Command::new("script");
    command.args(["--quiet", "--return", "--flush", "--command", &format!("{muster} {line}"), "/dev/null"]);
    command.env("MUSTER_SOCKET", &server.socket).env("TERM", "xterm").env_remove("NO_COLOR");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
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
async fn colours_are_for_terminals_that_want_them() {
    for (flags, coloured) in [("", true), ("--no-color", false), ("-o json", false)] {
        let server = Server::new();
        let serve = async {
            let mut peer = server.accept().await;
            let (id, _) = peer.request().await;
            peer.answer(id, Response::Clusters(Page { items: vec![cluster("a")], next: None })).await;
        };
        let mut command = on_a_terminal(&server, &format!("cluster list {flags}"));
        let (output, ()) = soon("the command", async { tokio::join!(command.output(), serve) }).await;
        let output = output.unwrap();
        assert_eq!(out(&output).contains("\u{1b}["), coloured, "{:?}", out(&output));
    }
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
        let is_cancel = matches!(&frame.body, muster_client::protocol::ClientBody::Request(request)
            if matches!(**request, Request::OperationCancel { .. }));
        assert!(!is_cancel, "{frame:?}");
    }
}

#[tokio::test]
async fn errors_have_their_exit_code_and_remedy() {
    for (code, exit) in [
        (ErrorCode::NotFound, 3),
        (ErrorCode::AlreadyExists, 4),
        (ErrorCode::PermissionDenied, 5),
        (ErrorCode::Unsupported, 7),
        (ErrorCode::InvalidArgument, 2),
    ] {
        let server = Server::new();
        let output = run(&server, "cluster info demo", |mut peer| async move {
            let (id, request) = peer.request().await;
            assert_eq!(request, Request::ClusterInfo { cluster: name("demo") });
            let error = Error::new(code, "no").with_remedy("try something else");
            peer.send(ServerFrame::answer(id, Err(error))).await;
        })
        .await;
        assert_eq!(output.status.code(), Some(exit));
        assert_eq!(err(&output), format!("error: no ({code})\nremedy: try something else\n"));
    }
}

#[tokio::test]
async fn without_a_daemon_the_exit_code_says_so() {
    let server = Server::new();
    let line = "cluster list";
    let mut command = muster(&server, line);
    server.stop();
    let output = soon("the command", command.output()).await.unwrap();
    assert_eq!(output.status.code(), Some(6));
    let shown = err(&output);
    assert!(shown.starts_with("error: cannot connect to musterd at "), "{shown}");
    assert!(shown.contains("\ncause: "), "{shown}");
    assert!(shown.contains("\nremedy: "), "{shown}");
}

#[tokio::test]
async fn a_wrong_command_line_ends_with_2_and_help_with_0() {
    let server = Server::new();
    let wrong = muster(&server, "cluster create demo").output().await.unwrap();
    assert_eq!(wrong.status.code(), Some(2));
    assert_eq!(out(&wrong), "");
    let help = muster(&server, "cluster create --help").output().await.unwrap();
    assert_eq!(help.status.code(), Some(0));
    assert_eq!(err(&help), "");
}

fn cluster(text: &str) -> ClusterSummary {
    ClusterSummary {
        id: ClusterId::from_u128(1),
        name: name(text),
        orchestrator: Orchestrator::Sim,
        infrastructure: Infrastructure::Sim,
        phase: ClusterPhase::Ready,
        control_planes: Tally { ready: 1, wanted: 1 },
        workers: Tally { ready: 2, wanted: 2 },
        services: 0,
        created_at: Timestamp::from_millis(1),
        cause: None,
    }
}

fn service() -> ServiceInfo {
    let spec = r#"{"name": "web", "image": "nginx:1", "env": {"A": "1"}, "secrets": [{"name": "token"}]}"#;
    ServiceInfo {
        id: ServiceId::from_u128(3),
        cluster_id: ClusterId::from_u128(1),
        cluster: name("demo"),
        spec: serde_json::from_str(spec).unwrap(),
        template: None,
        generation: 1,
        phase: ServicePhase::Running,
        ready: 1,
        wanted: 1,
        endpoints: Vec::new(),
        created_at: Timestamp::from_millis(1),
        updated_at: Timestamp::from_millis(1),
        cause: None,
    }
}

#[tokio::test]
async fn a_list_has_all_pages() {
    let server = Server::new();
    let output = run(&server, "cluster list -o json", |mut peer| async move {
        let (id, request) = peer.request().await;
        assert_eq!(request, Request::ClusterList { page: PageRequest::default() });
        let page = Page { items: vec![cluster("a"), cluster("b")], next: Some("b".to_owned()) };
        peer.answer(id, Response::Clusters(page)).await;
        let (id, request) = peer.request().await;
        assert_eq!(request, Request::ClusterList { page: PageRequest { limit: None, after: Some("b".to_owned()) } });
        peer.answer(id, Response::Clusters(Page { items: vec![cluster("c")], next: None })).await;
    })
    .await;
    let clusters: Vec<ClusterSummary> = serde_json::from_str(out(&output)).unwrap();
    assert_eq!(clusters, [cluster("a"), cluster("b"), cluster("c")]);
}

#[tokio::test]
async fn a_reader_that_leaves_ends_a_stream_quietly() {
    let server = Server::new();
    let mut child = muster(&server, "events --follow").spawn().unwrap();
    let mut peer = server.accept().await;
    let (id, _, credit) = peer.stream_request().await;
    peer.item(id, event_item(1)).await;
    let mut reader = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    soon("a line", reader.read_line(&mut line)).await.unwrap();
    assert!(line.starts_with("1 "), "{line}");
    drop(reader);
    for number in 2..=u64::from(credit) {
        peer.item(id, event_item(number)).await;
    }
    let output = soon("the end", child.wait_with_output()).await.unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(err(&output), "");
}

#[tokio::test]
async fn events_are_one_json_value_a_line() {
    let server = Server::new();
    let output = run(&server, "events --since 4 --cluster demo -o json", |mut peer| async move {
        let (id, request, _) = peer.stream_request().await;
        assert_eq!(request, Request::Events { since: Some(4), cluster: Some(name("demo")), follow: false });
        peer.item(id, event_item(5)).await;
        peer.item(id, event_item(6)).await;
        peer.send(ServerFrame::end(id, Ok(()))).await;
    })
    .await;
    let events: Vec<Event> = out(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(events, [event(5), event(6)]);
}

#[tokio::test]
async fn a_secret_from_a_file_reaches_the_daemon() {
    let server = Server::new();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("password");
    std::fs::write(&path, "s3cret\n").unwrap();
    let line = format!("service create --cluster demo --template postgres --set password=@{}", path.display());
    run(&server, &line, |mut peer| async move {
        let (id, request) = peer.request().await;
        let Request::ServiceCreate { source: ServiceSource::Template { values, .. }, .. } = request else { panic!() };
        assert_eq!(values["password"].expose(), "s3cret");
        peer.answer(id, Response::Operation(at(OperationPhase::Running, 0))).await;
    })
    .await;
}

#[tokio::test]
async fn standard_input_is_not_read_twice() {
    let server = Server::new();
    let line = "service create --cluster demo --template postgres --set password=@- --set-file token=-";
    let output = soon("the command", muster(&server, line).output()).await.unwrap();
    assert_eq!(output.status.code(), Some(2), "nothing was asked of the daemon");
    assert!(err(&output).contains("standard input is asked for twice"), "{}", err(&output));
}

#[tokio::test]
async fn an_update_by_name_changes_only_what_is_given() {
    let server = Server::new();
    let line = "service update web --cluster demo --image nginx:2";
    let output = run(&server, line, |mut peer| async move {
        let (id, request) = peer.request().await;
        assert_eq!(request, Request::ServiceInfo { cluster: name("demo"), service: name("web") });
        let before = service();
        let mut expected = before.spec.clone();
        peer.answer(id, Response::Service(Box::new(before))).await;
        let (id, request) = peer.request().await;
        let Request::ServiceUpdate { cluster, spec, .. } = request else { panic!("{request:?}") };
        expected.image = "nginx:2".to_owned();
        assert_eq!((cluster, *spec), (name("demo"), expected));
        peer.answer(id, Response::Operation(at(OperationPhase::Running, 0))).await;
    })
    .await;
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
}

#[tokio::test]
async fn a_doctor_that_finds_something_ends_with_1() {
    for (ok, exit) in [(true, 0), (false, 1)] {
        let server = Server::new();
        let output = run(&server, "doctor", |mut peer| async move {
            let (id, request) = peer.request().await;
            assert_eq!(request, Request::Doctor);
            let finding = Finding { subject: "store".to_owned(), ok, message: "looked at".to_owned(), cause: None };
            peer.answer(id, Response::Doctor(vec![finding])).await;
        })
        .await;
        assert_eq!(output.status.code(), Some(exit), "{}", out(&output));
    }
}

#[tokio::test]
async fn the_version_is_told_with_and_without_a_daemon() {
    let server = Server::new();
    let output = run(&server, "version", |mut peer| async move {
        let (id, _) = peer.request().await;
        let instance = InstanceId::from_u128(1);
        let whoami = Whoami { uid: 0, role: "admin".to_owned(), daemon_version: "9.9.9".to_owned(), instance };
        peer.answer(id, Response::Whoami(whoami)).await;
    })
    .await;
    assert!(out(&output).contains("9.9.9"), "{}", out(&output));

    let mut command = muster(&server, "version");
    server.stop();
    let output = command.output().await.unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(out(&output).contains("not known: cannot connect"), "{}", out(&output));
}
