//! Limits: connections, requests of one connection, calls of one account.

use muster_client::Client;
use muster_engine::sim::{CallKind, Fault, every};
use muster_protocol::handshake::{self, HandshakeError};
use muster_protocol::hello::{Hello, Refusal};
use muster_protocol::model::cluster::ClusterPhase;
use muster_protocol::{ClientFrame, ErrorCode, Request, Retry, ServerBody};
use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::net::UnixStream;

use crate::support::{LIMIT, Raw, TestDaemon, name, spec, succeed, until};

#[tokio::test]
async fn of_thousands_of_connections_only_the_allowed_ones_are_kept_and_they_are_served() {
    let mut files = getrlimit(Resource::Nofile);
    files.current = files.maximum;
    setrlimit(Resource::Nofile, files).unwrap();
    let daemon = TestDaemon::with(|config| config.limits.sessions = 100).await;
    let client = daemon.client().await;
    let mut kept = Vec::new();
    let mut refused = 0;
    for _ in 0..3000 {
        let mut stream = UnixStream::connect(daemon.socket()).await.unwrap();
        match handshake::connect(&mut stream, &Hello::of_this_build("many"), LIMIT).await {
            Ok(_) => kept.push(stream),
            Err(HandshakeError::Refused { refusal: Refusal::Busy, .. }) => refused += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!((kept.len(), refused), (99, 2901));
    client.whoami().await.unwrap();
    drop(kept);
    until("places are free again", async || Client::connect(daemon.socket()).await.is_ok()).await;
}

#[tokio::test]
async fn a_connection_on_which_nothing_is_under_way_is_closed_after_a_while_and_one_that_follows_is_kept() {
    let daemon = TestDaemon::with(|config| config.limits.idle_ms = 100).await;
    let mut follower = Raw::connect(&daemon).await;
    follower.send(ClientFrame::request(1, Request::Events { since: None, cluster: None, follow: true })).await;
    let mut idle = Raw::connect(&daemon).await;
    idle.send(ClientFrame::request(1, Request::Whoami)).await;
    assert!(matches!(idle.next().await.unwrap().body, ServerBody::Answer(Ok(_))));
    assert!(idle.next().await.is_none(), "it is closed, and nothing more is said");
    follower.send(ClientFrame::credit(1, 1)).await;
    assert!(matches!(follower.next().await.unwrap().body, ServerBody::Item(_)));
    // A client that was closed connects anew by itself.
    let client = daemon.client().await;
    for _ in 0..3 {
        client.whoami().await.unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(150)).await;
    }
}

#[tokio::test]
async fn one_request_too_many_is_busy_and_the_others_go_on() {
    let daemon = TestDaemon::with(|config| config.limits.requests_per_session = 3).await;
    let mut raw = Raw::connect(&daemon).await;
    for id in 1..=4 {
        raw.send(ClientFrame::request(id, Request::Events { since: None, cluster: None, follow: true })).await;
    }
    let frame = raw.next().await.unwrap();
    assert_eq!(frame.id, 4);
    let ServerBody::Answer(Err(error)) = frame.body else { panic!("not refused") };
    assert_eq!(error.code, ErrorCode::Busy);
    raw.send(ClientFrame::request(5, Request::Whoami)).await;
    let frame = raw.next().await.unwrap();
    assert!(matches!(frame.body, ServerBody::Answer(Ok(_))), "what needs no waiting needs no place: {frame:?}");
    raw.send(ClientFrame::credit(1, 1)).await;
    assert!(matches!(raw.next().await.unwrap().body, ServerBody::Item(_)));
    raw.send(ClientFrame::cancel(2)).await;
    until("the place of a cancelled request is free", async || {
        raw.send(ClientFrame::request(5, Request::CatalogList)).await;
        matches!(raw.next().await.unwrap().body, ServerBody::Answer(Ok(_)))
    })
    .await;
}

#[tokio::test]
async fn one_change_too_many_of_a_cluster_is_busy_and_others_have_their_own_places() {
    let daemon = TestDaemon::with(|config| config.limits.changes_per_cluster = 1).await;
    let client = daemon.with_cluster("demo").await;
    succeed(&client, client.cluster_create(spec("other"), None).await.unwrap()).await;
    let waiting = daemon.daemon.context().changes.try_take(&name("demo"));
    let refused = client.cluster_scale(&name("demo"), None, Some(3), None).await.unwrap_err().to_error();
    assert_eq!((refused.code, refused.retry), (ErrorCode::Busy, Retry::Later));
    succeed(&client, client.cluster_scale(&name("other"), None, Some(3), None).await.unwrap()).await;
    drop(waiting);
    succeed(&client, client.cluster_scale(&name("demo"), None, Some(3), None).await.unwrap()).await;
}

#[tokio::test]
async fn a_cluster_whose_machines_hang_while_they_are_prepared_holds_up_no_other_one() {
    let daemon = TestDaemon::with(|config| config.limits.calls_per_account = 1).await;
    let client = daemon.client().await;
    daemon.world.keep_history();
    daemon.world.inject(every(|call| call.kind == CallKind::Prepare, Fault::Hang { applied: false }));
    client.cluster_create(spec("hung"), None).await.unwrap();
    let prepares = || daemon.world.history().iter().filter(|call| call.kind == CallKind::Prepare).count();
    until("all its machines are being prepared", async || prepares() == 3).await;
    daemon.world.clear_faults();
    daemon.with_cluster("other").await;
    let hung = client.cluster_info(&name("hung")).await.unwrap();
    assert_eq!(hung.summary.phase, ClusterPhase::Creating);
    succeed(&client, client.cluster_delete(&name("hung"), None).await.unwrap()).await;
}

#[tokio::test]
async fn changes_of_a_user_count_also_after_their_connections_are_gone() {
    let daemon = TestDaemon::with(|config| config.limits.changes_per_user = 2).await;
    for cluster in ["one", "two", "three"] {
        daemon.with_cluster(cluster).await;
    }
    daemon.world.keep_history();
    daemon.world.inject(every(|call| call.kind == CallKind::Preflight, Fault::Hang { applied: false }));
    let asked = || daemon.world.history().iter().filter(|call| call.kind == CallKind::Preflight).count();
    for number in 1..=2 {
        let mut raw = Raw::connect(&daemon).await;
        let spec = spec(&format!("hung-{number}"));
        raw.send(ClientFrame::request(1, Request::ClusterCreate { spec, idempotency_key: None })).await;
        until("the infrastructure is asked", async || asked() == number).await;
    }
    let client = daemon.client().await;
    let refused = client.cluster_create(spec("one-too-many"), None).await.unwrap_err();
    assert_eq!(refused.code(), ErrorCode::Busy);
    client.whoami().await.unwrap();
    assert_eq!(asked(), 2);
}
