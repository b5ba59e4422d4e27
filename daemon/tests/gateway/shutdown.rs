//! Stopping in good order, and starting again.

use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use muster_client::Client;
use muster_engine::sim::{CallKind, Fault, SimWorld, every};
use muster_protocol::model::operation::OperationPhase;
use muster_protocol::{ClientFrame, ErrorCode, Request, Retry, ServerBody};

use crate::support::{Raw, TestDaemon, name, spec, succeed, until};

#[tokio::test]
async fn streams_are_told_that_the_daemon_stops_and_the_socket_is_removed() {
    let daemon = TestDaemon::start().await;
    let mut raw = Raw::connect(&daemon).await;
    raw.send(ClientFrame::request(1, Request::Events { since: Some(1), cluster: None, follow: true })).await;
    raw.send(ClientFrame::request(2, Request::Whoami)).await;
    assert_eq!(raw.next().await.unwrap().id, 2);
    let socket = daemon.socket();
    let stopped = tokio::spawn(daemon.daemon.shutdown());
    let ServerBody::End(Err(error)) = raw.next().await.unwrap().body else { panic!("not ended") };
    assert_eq!((error.code, error.retry), (ErrorCode::Unavailable, Retry::Later));
    assert_eq!(raw.next().await, None);
    stopped.await.unwrap();
    assert!(!socket.exists());
}

#[tokio::test]
async fn what_was_under_way_goes_on_after_a_restart_and_whoever_waits_sees_its_end() {
    let daemon = TestDaemon::with(|config| config.limits.drain_ms = 200).await;
    let client = daemon.client().await;
    daemon.world.inject(|call| {
        let is_machine = call.key.as_ref().is_some_and(|key| key.to_string().starts_with("machine/"));
        is_machine.then_some(Fault::Slow(std::time::Duration::from_secs(3600)))
    });
    let operation = client.cluster_create(spec("demo"), None).await.unwrap();
    let waiting = tokio::spawn({
        let client = client.clone();
        async move { client.wait(operation.id).await }
    });
    let changes: Vec<_> = client.operation_watch(operation.id).take(1).try_collect().await.unwrap();
    assert_eq!(changes[0].phase, OperationPhase::Running);
    daemon.world.clear_faults();
    let daemon = daemon.restart().await;
    let ended = tokio::time::timeout(crate::support::LIMIT, waiting).await.unwrap().unwrap().unwrap();
    assert_eq!(ended.phase, OperationPhase::Succeeded);
    let client = Client::connect(daemon.socket()).await.unwrap();
    let audit = daemon.world.audit(daemon.daemon.instance(), &[ended.cluster_id]);
    assert!(audit.is_clean(), "{audit:?}");
    succeed(&client, client.cluster_delete(&name("demo"), None).await.unwrap()).await;
}

#[tokio::test]
async fn several_daemons_run_in_one_process_and_each_comes_back_as_itself() {
    let (one, other) = (TestDaemon::start().await, TestDaemon::start().await);
    assert_ne!(one.daemon.instance(), other.daemon.instance());
    one.with_cluster("same").await;
    other.with_cluster("same").await;
    let instance = one.daemon.instance();
    let one = one.restart().await;
    assert_eq!(one.daemon.instance(), instance);
    assert_eq!(one.client().await.cluster_info(&name("same")).await.unwrap().summary.name, name("same"));
}

#[tokio::test]
async fn a_daemon_whose_store_has_stopped_ends_rather_than_refuse_every_change() {
    let mut daemon = TestDaemon::start().await;
    daemon.daemon.context().store.close().await;
    let failed = tokio::time::timeout(crate::support::LIMIT, daemon.daemon.failed()).await.expect("it goes on");
    assert!(failed.to_string().contains("the store is closed"), "{failed}");
}

#[tokio::test]
async fn a_call_that_ends_within_the_drain_is_known_after_the_restart_and_one_that_does_not_is_looked_up() {
    // Far apart, so that no stall of the host puts them in another order.
    const LONG: Duration = Duration::from_secs(3600);
    const SHORT: Duration = Duration::from_millis(100);
    for (drain, call, is_known) in [(LONG, SHORT, true), (SHORT, LONG, false)] {
        let drain_ms = drain.as_millis().try_into().unwrap();
        let daemon = TestDaemon::with(|config| config.limits.drain_ms = drain_ms).await;
        let client = daemon.client().await;
        daemon.world.keep_history();
        daemon.world.inject(every(|call| call.kind == CallKind::Create, Fault::Slow(call)));
        let operation = client.cluster_create(spec("demo"), None).await.unwrap();
        let calls = |world: &SimWorld, kind| world.history().iter().filter(|call| call.kind == kind).count();
        until("the network is being made", async || calls(&daemon.world, CallKind::Create) == 1).await;
        let restarted = tokio::time::timeout(crate::support::LIMIT, daemon.restart()).await;
        let daemon = restarted.expect("it waits longer than for the call");
        daemon.world.clear_faults();
        let client = Client::connect(daemon.socket()).await.unwrap();
        succeed(&client, operation).await;
        assert_eq!(calls(&daemon.world, CallKind::LookUp) == 0, is_known, "{:?}", daemon.world.history());
        let networks = daemon.world.history().into_iter().filter(|call| {
            call.kind == CallKind::Create && call.key.as_ref().is_some_and(|key| key.to_string() == "network")
        });
        assert_eq!(networks.count(), if is_known { 1 } else { 2 }, "drained: made once; else the slow call never came");
    }
}

#[tokio::test]
async fn while_it_drains_it_begins_nothing_new() {
    let daemon = TestDaemon::start().await;
    let client = daemon.client().await;
    daemon.world.keep_history();
    daemon.world.inject(every(|call| call.kind == CallKind::Create, Fault::Slow(Duration::from_millis(200))));
    client.cluster_create(spec("demo"), None).await.unwrap();
    let begun = |world: &SimWorld| world.history().iter().filter(|call| !call.kind.is_observation()).count();
    // The preflight, and the network on which all else stands.
    until("the network is being made", async || begun(&daemon.world) == 2).await;
    let world = daemon.world.clone();
    daemon.daemon.shutdown().await;
    assert_eq!(begun(&world), 2, "{:?}", world.history());
}
