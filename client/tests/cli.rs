//! The `muster` command against a scripted server: what it asks, what it prints, how it ends.

#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, reason = "test code, though not always in a test function")]

mod command;
mod support;

use command::{at, err, muster, on_a_terminal, out, run};
use muster_client::protocol::model::account::Finding;
use muster_client::protocol::model::cluster::{ClusterPhase, ClusterSummary, Infrastructure, Orchestrator, Tally};
use muster_client::protocol::model::event::Event;
use muster_client::protocol::model::operation::OperationPhase;
use muster_client::protocol::page::{Page, PageRequest};
use muster_client::protocol::request::ServiceSource;
use muster_client::protocol::response::Whoami;
use muster_client::protocol::{
    ClusterId, Error, ErrorCode, InstanceId, Principal, Request, Response, ServerFrame, Timestamp,
};
use support::{Server, event, event_item, name, soon};
use tokio::io::{AsyncBufReadExt, BufReader};

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
async fn who_does_not_know_whether_a_change_was_made_is_told_the_key_to_ask_again_with() {
    let server = Server::new();
    let output = run(&server, "cluster delete demo", |mut peer| async move {
        let (id, request) = peer.request().await;
        let Request::ClusterDelete { idempotency_key: Some(key), .. } = request else { panic!("{request:?}") };
        let error = Error::new(ErrorCode::DeadlineExceeded, key).maybe_applied().with_remedy("ask again");
        peer.send(ServerFrame::answer(id, Err(error))).await;
    })
    .await;
    let shown = err(&output);
    let key = shown.strip_prefix("error: ").and_then(|rest| rest.split(' ').next()).unwrap();
    assert!(shown.ends_with(&format!("remedy: ask again\n        idempotency key: {key}\n")), "{shown}");
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
    let (id, _, _) = peer.stream_request().await;
    peer.item(id, event_item(1)).await;
    let mut reader = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    soon("a line", reader.read_line(&mut line)).await.unwrap();
    assert!(line.starts_with("1 "), "{line}");
    drop(reader);
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
        let whoami = Whoami {
            principal: Principal::user("root"),
            uid: 0,
            role: "admin".to_owned(),
            daemon_version: "9.9.9".to_owned(),
            instance,
        };
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
