//! Streams that take input: commands in containers and connections to ports.
//!
//! Covers: execInContainer, forwardServicePort.

use futures::TryStreamExt;
use muster_client::{Duplex, EventQuery};
use muster_protocol::duplex::{INPUT_WINDOW, MAX_CHUNK_BYTES};
use muster_protocol::hello::{Hello, VERSIONS};
use muster_protocol::model::event::EventKind;
use muster_protocol::model::token::AccessRole;
use muster_protocol::request::ServiceSource;
use muster_protocol::{
    ClientFrame, ErrorCode, ExecOutput, Principal, Request, ServerBody, StreamInput, StreamItem, TerminalSize,
};

use crate::support::{Raw, TestDaemon, make_token, name, service, succeed};

/// A daemon with a service that runs.
async fn with_service() -> (TestDaemon, muster_client::Client) {
    let daemon = TestDaemon::start().await;
    let client = daemon.with_cluster("demo").await;
    let source = ServiceSource::Spec(Box::new(service("web")));
    succeed(&client, client.service_create(&name("demo"), source, None).await.unwrap()).await;
    (daemon, client)
}

fn exec(command: &str) -> Request {
    let command = command.split(' ').map(str::to_owned).collect();
    Request::ContainerExec { cluster: name("demo"), service: name("web"), container: None, command, tty: false }
}

async fn output(duplex: &mut Duplex) -> ExecOutput {
    match duplex.next().await.unwrap() {
        Some(StreamItem::Exec(output)) => output,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_command_hears_its_input_says_its_output_and_ends_with_its_exit_code() {
    let (_daemon, client) = with_service().await;
    let command = vec!["sh".to_owned(), "-x".to_owned()];
    let mut duplex = client.container_exec(&name("demo"), &name("web"), None, command, true).await.unwrap();
    let input = duplex.input();
    assert_eq!(output(&mut duplex).await, ExecOutput::Stdout(b"sh -x\n".to_vec()));
    assert!(input.send(StreamInput::Resize(TerminalSize { columns: 80, rows: 24 })).await);
    assert_eq!(output(&mut duplex).await, ExecOutput::Stdout(b"80x24\n".to_vec()));
    // Many more items than may be on their way at once.
    for number in 0..INPUT_WINDOW * 4 {
        assert!(input.send_bytes(format!("line {number}\n").as_bytes()).await);
        assert_eq!(output(&mut duplex).await, ExecOutput::Stdout(format!("line {number}\n").into_bytes()));
    }
    assert!(input.send_bytes(b"!wrong\nexit 3\n").await);
    assert_eq!(output(&mut duplex).await, ExecOutput::Stderr(b"!wrong\n".to_vec()));
    assert_eq!(output(&mut duplex).await, ExecOutput::Exit(3));
    assert_eq!(duplex.next().await.unwrap(), None);
    assert!(!input.send(StreamInput::End).await, "nobody hears it");
}

#[tokio::test]
async fn the_event_tells_who_ran_which_program_where_and_none_of_its_arguments() {
    let daemon = TestDaemon::with(|config| {
        config.access.trusted.insert(rustix::process::geteuid().as_raw().to_string());
    })
    .await;
    let client = daemon.with_cluster("demo").await;
    let source = ServiceSource::Spec(Box::new(service("web")));
    succeed(&client, client.service_create(&name("demo"), source, None).await.unwrap()).await;
    let ci = Principal::token("ci");
    make_token(&client, "ci", AccessRole::Operator, &[]).await;
    drop(client.on_behalf_of(ci.clone()).duplex(exec("psql secret-password")).await.unwrap().next().await.unwrap());
    let events: Vec<_> = client.events(EventQuery::default()).try_collect().await.unwrap();
    let event = events.iter().find(|event| event.kind == EventKind::Session).unwrap();
    assert_eq!((event.who.as_ref(), event.service.as_ref()), (Some(&ci), Some(&name("web"))));
    assert_eq!(event.message, "exec of `psql`");
    assert!(!format!("{events:?}").contains("secret-password"));
}

#[tokio::test]
async fn bytes_go_both_ways_over_a_connection_to_a_port() {
    let (_daemon, client) = with_service().await;
    let mut duplex = client.service_port_forward(&name("demo"), &name("web"), 80).await.unwrap();
    let input = duplex.input();
    let long: Vec<u8> = (0..MAX_CHUNK_BYTES * 3 + 1).map(|at| at.to_le_bytes()[0]).collect();
    let sent = long.clone();
    let sender = tokio::spawn(async move { input.send_bytes(&sent).await && input.send(StreamInput::End).await });
    let mut heard = Vec::new();
    while let Some(item) = duplex.next().await.unwrap() {
        let StreamItem::Bytes(bytes) = item else { panic!("{item:?}") };
        heard.extend(bytes);
    }
    assert!(sender.await.unwrap());
    assert!(heard == long, "{} bytes of {}", heard.len(), long.len());
}

#[tokio::test]
async fn what_cannot_be_run_is_refused() {
    let (_daemon, client) = with_service().await;
    let refusal = async |request| client.duplex(request).await.unwrap().next().await.unwrap_err().to_error();
    assert_eq!(refusal(exec("")).await.details["field"], "command");
    let mut request = exec("sh");
    if let Request::ContainerExec { container, .. } = &mut request {
        *container = Some("other".to_owned());
    }
    assert_eq!(refusal(request).await.code, ErrorCode::NotFound);
    let no_port = Request::ServicePortForward { cluster: name("demo"), service: name("web"), port: 0 };
    assert_eq!(refusal(no_port).await.details["field"], "port");
    let no_service = Request::ServicePortForward { cluster: name("demo"), service: name("none"), port: 80 };
    assert_eq!(refusal(no_service).await.code, ErrorCode::NotFound);
}

#[tokio::test]
async fn a_client_that_sends_more_than_was_granted_or_too_large_an_item_is_told_that_it_broke_the_protocol() {
    let (daemon, _client) = with_service().await;
    let item = |length| ClientFrame::item(1, StreamInput::Bytes(vec![b'x'; length]));
    let too_many = vec![item(1); INPUT_WINDOW as usize * 4];
    let too_large = vec![item(MAX_CHUNK_BYTES + 1)];
    // The connection reads nothing of its output, so its input stops.
    for frames in [too_many, too_large] {
        let mut raw = Raw::connect(&daemon).await;
        raw.send(ClientFrame::request(1, exec("sh"))).await;
        for frame in frames {
            raw.send(frame).await;
        }
        let mut last = None;
        while let Some(frame) = raw.next().await {
            last = Some(frame);
        }
        let Some(ServerBody::Answer(Err(error))) = last.map(|frame| frame.body) else { panic!("no last word") };
        assert_eq!(error.code, ErrorCode::Protocol);
    }
}

#[tokio::test]
async fn a_connection_without_the_feature_has_no_streams_that_take_input() {
    let (daemon, _client) = with_service().await;
    let plain = Hello { versions: VERSIONS, features: 0, build: "another client".to_owned() };
    let mut raw = Raw::connect_as(&daemon, &plain).await;
    raw.send(ClientFrame::request(1, exec("sh"))).await;
    let ServerBody::Answer(Err(error)) = raw.next().await.unwrap().body else { panic!("no refusal") };
    assert_eq!(error.code, ErrorCode::Unsupported);
}
