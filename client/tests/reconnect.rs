//! What happens to calls and streams when the connection is lost.

mod support;

use std::time::Duration;

use futures::StreamExt;
use futures::future::poll_immediate;
use muster_client::protocol::model::operation::OperationPhase;
use muster_client::protocol::{Error, ErrorCode, OperationId, Request, Response, ServerFrame, StreamItem};
use muster_client::{ClientError, EventQuery};
use support::{Server, event_item, log_item, name, operation, soon};

#[tokio::test]
async fn a_read_is_asked_again_on_a_new_connection() {
    let server = Server::new();
    let (client, mut peer) = server.connect(server.builder()).await;
    let serve = async {
        peer.request().await;
        drop(peer);
        let mut peer = server.accept().await;
        let (id, request) = peer.request().await;
        assert_eq!(request, Request::AccountList);
        peer.answer(id, Response::Accounts(Vec::new())).await;
    };
    let (accounts, ()) = soon("the answer", async { tokio::join!(client.account_list(), serve) }).await;
    assert_eq!(accounts.unwrap(), Vec::new());
}

#[tokio::test]
async fn a_change_without_a_key_is_asked_again_with_the_key_that_it_got() {
    let (server, demo) = (Server::new(), name("demo"));
    let (client, mut peer) = server.connect(server.builder()).await;
    let started = operation(OperationId::generate(), OperationPhase::Running, 0);
    let serve = async {
        let (_, first) = peer.request().await;
        let Request::ClusterDelete { idempotency_key: Some(_), .. } = &first else { panic!("no key in {first:?}") };
        drop(peer);
        let mut peer = server.accept().await;
        let (id, second) = peer.request().await;
        assert_eq!(second, first);
        peer.answer(id, Response::Operation(started.clone())).await;
    };
    let (answer, ()) = soon("the answer", async { tokio::join!(client.cluster_delete(&demo, None), serve) }).await;
    assert_eq!(answer.unwrap(), started);
}

#[tokio::test]
async fn a_change_that_cannot_carry_a_key_is_reported_as_maybe_applied_and_not_repeated() {
    let (server, demo) = (Server::new(), name("demo"));
    let (client, mut peer) = server.connect(server.builder()).await;
    let serve = async {
        peer.request().await;
        drop(peer);
    };
    let error = tokio::join!(client.account_remove(&demo), serve).0.unwrap_err();
    assert!(matches!(error, ClientError::Lost { maybe_applied: true, .. }), "{error:?}");
    assert!(error.remedy().is_some_and(|remedy| remedy.contains("may have been made")));

    // The next call connects anew, and is the first that the new connection sees.
    let serve = async {
        let mut peer = server.accept().await;
        let (id, request) = peer.request().await;
        assert_eq!(request, Request::AccountList);
        peer.answer(id, Response::Accounts(Vec::new())).await;
    };
    tokio::join!(client.account_list(), serve).0.unwrap();
}

#[tokio::test]
async fn a_daemon_that_falls_silent_is_given_up_though_each_try_takes_longer_than_the_patience() {
    let server = Server::new();
    // A try takes the usual five seconds: it must do for the first connection on a host that stalls.
    let (client, mut peer) = server.connect(server.builder().reconnect_for(Duration::from_millis(100))).await;
    let serve = async {
        peer.request().await;
        drop(peer);
        // From now on connections wait in the queue of the socket, and nobody says hello.
    };
    let (listed, ()) = soon("giving up", async { tokio::join!(client.account_list(), serve) }).await;
    assert!(matches!(listed, Err(ClientError::Connect { .. })), "{listed:?}");
}

#[tokio::test]
async fn a_keyed_change_that_finds_no_daemon_again_is_reported_as_maybe_applied() {
    let (server, demo) = (Server::new(), name("demo"));
    let (client, mut peer) = server.connect(server.builder().reconnect_for(Duration::from_millis(200))).await;
    let serve = async {
        peer.request().await;
        server.stop();
        drop(peer);
    };
    let error = soon("giving up", async { tokio::join!(client.cluster_delete(&demo, None), serve) }).await.0;
    let error = error.unwrap_err();
    let ClientError::Lost { maybe_applied: true, idempotency_key: Some(key), .. } = &error else { panic!("{error:?}") };
    assert_eq!(error.to_error().details["idempotencyKey"], *key);
    assert!(error.to_error().is_maybe_applied());
}

#[tokio::test]
async fn a_daemon_that_does_not_know_whether_it_made_a_change_is_asked_again_only_with_a_key() {
    let (server, demo) = (Server::new(), name("demo"));
    let (client, mut peer) = server.connect(server.builder()).await;
    let unanswered = || Error::new(ErrorCode::Unavailable, "nobody answers").retry_later().maybe_applied();
    let serve = async {
        let (id, _) = peer.request().await;
        peer.send(ServerFrame::answer(id, Err(unanswered()))).await;
    };
    let error = soon("the error", async { tokio::join!(client.account_remove(&demo), serve) }).await.0.unwrap_err();
    assert!(error.to_error().is_maybe_applied(), "{error:?}");

    let serve = async {
        let (id, first) = peer.request().await;
        peer.send(ServerFrame::answer(id, Err(unanswered()))).await;
        let mut next = server.accept().await;
        let (id, second) = next.request().await;
        assert_eq!(second, first);
        let too_late = Error::new(ErrorCode::DeadlineExceeded, "no answer after 60 s").maybe_applied();
        next.send(ServerFrame::answer(id, Err(too_late))).await;
        second
    };
    let (error, asked) = soon("both", async { tokio::join!(client.cluster_delete(&demo, None), serve) }).await;
    let Request::ClusterDelete { idempotency_key: Some(key), .. } = asked else { panic!("{asked:?}") };
    assert_eq!(error.unwrap_err().to_error().details["idempotencyKey"], key);
}

#[tokio::test]
async fn a_refusal_that_comes_before_the_key_is_looked_at_says_nothing_of_an_earlier_try() {
    let (server, demo) = (Server::new(), name("demo"));
    let (client, mut peer) = server.connect(server.builder()).await;
    let serve = async {
        let _unanswered = peer.request().await;
        drop(peer);
        let mut next = server.accept().await;
        let (id, request) = next.request().await;
        next.send(ServerFrame::answer(id, Err(Error::new(ErrorCode::Busy, "too many requests")))).await;
        request
    };
    let (error, asked) = soon("both", async { tokio::join!(client.cluster_delete(&demo, None), serve) }).await;
    let Request::ClusterDelete { idempotency_key: Some(key), .. } = asked else { panic!("{asked:?}") };
    let error = error.unwrap_err().to_error();
    assert!(error.is_maybe_applied(), "{error:?}");
    assert_eq!(error.details["idempotencyKey"], key);
}

#[tokio::test]
async fn a_read_that_finds_no_daemon_again_says_where_it_looked() {
    let server = Server::new();
    let (client, peer) = server.connect(server.builder().reconnect_for(Duration::from_millis(200))).await;
    let socket = server.socket.clone();
    server.stop();
    drop(peer);
    let error = soon("giving up", client.whoami()).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::Unavailable);
    assert!(error.to_string().contains(socket.to_str().unwrap()), "{error}");
    assert!(error.remedy().unwrap().contains("start musterd"));
}

#[tokio::test]
async fn a_daemon_that_is_stopping_is_asked_again_on_a_new_connection() {
    let (server, demo) = (Server::new(), name("demo"));
    let (client, mut peer) = server.connect(server.builder()).await;
    let serve = async {
        let (id, first) = peer.request().await;
        let stopping = Error::new(ErrorCode::Unavailable, "the daemon is stopping").retry_later();
        peer.send(ServerFrame::answer(id, Err(stopping))).await;
        let mut next = server.accept().await;
        let (id, second) = next.request().await;
        assert_eq!(second, first);
        next.answer(id, Response::Done).await;
    };
    soon("the answer", async { tokio::join!(client.account_remove(&demo), serve) }).await.0.unwrap();
}

#[tokio::test]
async fn a_cluster_that_is_unavailable_is_asked_for_again_on_the_connection_that_others_share() {
    let (server, demo) = (Server::new(), name("demo"));
    let (client, mut peer) = server.connect(server.builder()).await;
    let restarting = || {
        let error = Error::new(ErrorCode::Unavailable, "the cluster's supervisor is starting again");
        error.retry_later().with_detail("cluster", "demo")
    };
    let serve = async {
        let (id, first) = peer.request().await;
        peer.send(ServerFrame::answer(id, Err(restarting()))).await;
        let (id, second) = peer.request().await;
        assert_eq!(second, first);
        peer.answer(id, Response::Operation(operation(OperationId::generate(), OperationPhase::Running, 0))).await;
        let (stream, _, _) = peer.stream_request().await;
        peer.send(ServerFrame::end(stream, Err(restarting()))).await;
        let (stream, _, _) = peer.stream_request().await;
        peer.item(stream, log_item("hello")).await;
    };
    let ask = async {
        client.cluster_delete(&demo, None).await.unwrap();
        client.service_logs(&demo, &demo, false, None).next().await.unwrap().unwrap()
    };
    let (line, ()) = soon("the line", async { tokio::join!(ask, serve) }).await;
    assert_eq!(line.text, "hello");
}

#[tokio::test]
async fn waiting_for_an_operation_survives_the_daemons_restart() {
    let server = Server::new();
    let (client, mut peer) = server.connect(server.builder()).await;
    let id = OperationId::generate();
    let state = |phase, steps| StreamItem::Operation(operation(id, phase, steps));
    let serve = async {
        let (stream, request, _) = peer.stream_request().await;
        assert_eq!(request, Request::OperationWatch { id });
        peer.item(stream, state(OperationPhase::Running, 1)).await;
        drop(peer);
        let mut peer = server.accept().await;
        let (stream, request, _) = peer.stream_request().await;
        assert_eq!(request, Request::OperationWatch { id });
        peer.item(stream, state(OperationPhase::Running, 1)).await;
        peer.item(stream, state(OperationPhase::Running, 2)).await;
        peer.item(stream, state(OperationPhase::Succeeded, 3)).await;
        // Gone before it could end the stream: nothing is missing all the same.
        drop(peer);
    };
    let watch = client.operation_watch(id).map(|item| item.unwrap().steps_done).collect::<Vec<_>>();
    let (steps, ()) = soon("the end of the operation", async { tokio::join!(watch, serve) }).await;
    assert_eq!(steps, [1, 2, 3], "each state once");
}

#[tokio::test]
async fn events_go_on_behind_the_last_one_without_gap_or_repeat() {
    let server = Server::new();
    let (client, mut peer) = server.connect(server.builder()).await;
    let query = EventQuery { since: Some(4), cluster: Some(name("demo")), follow: false };
    let serve = async {
        let (stream, request, _) = peer.stream_request().await;
        assert_eq!(request, Request::Events { since: Some(4), cluster: Some(name("demo")), follow: false });
        peer.item(stream, event_item(5)).await;
        peer.item(stream, event_item(7)).await;
        drop(peer);
        let mut peer = server.accept().await;
        let (stream, request, _) = peer.stream_request().await;
        assert_eq!(request, Request::Events { since: Some(7), cluster: Some(name("demo")), follow: false });
        // A repeat is not passed on, whoever's mistake it is.
        peer.item(stream, event_item(7)).await;
        peer.item(stream, event_item(8)).await;
        peer.send(ServerFrame::end(stream, Ok(()))).await;
    };
    let events = client.events(query).map(|item| item.unwrap().number).collect::<Vec<_>>();
    let (numbers, ()) = soon("the events", async { tokio::join!(events, serve) }).await;
    assert_eq!(numbers, [5, 7, 8]);
}

#[tokio::test]
async fn a_log_stream_is_asked_for_again_only_before_its_first_line_because_lines_have_no_numbers() {
    let (server, demo) = (Server::new(), name("demo"));
    let (client, mut peer) = server.connect(server.builder()).await;
    let lines = client.service_logs(&demo, &demo, true, None);
    let serve = async {
        peer.stream_request().await;
        drop(peer);
        let mut peer = server.accept().await;
        let (stream, _, _) = peer.stream_request().await;
        peer.item(stream, log_item("hello")).await;
        drop(peer);
    };
    let (items, ()) = soon("the end", async { tokio::join!(lines.collect::<Vec<_>>(), serve) }).await;
    let [Ok(line), Err(ClientError::Lost { maybe_applied: false, .. })] = items.as_slice() else {
        panic!("{items:?}");
    };
    assert_eq!(line.text, "hello");
}

#[tokio::test]
async fn many_calls_on_a_lost_connection_share_one_new_connection() {
    let server = Server::new();
    let (client, peer) = server.connect(server.builder()).await;
    drop(peer);
    let calls = futures::future::join_all((0..50).map(|_| client.account_list()));
    let serve = async {
        let mut peer = server.accept().await;
        for _ in 0..50 {
            let (id, _) = peer.request().await;
            peer.answer(id, Response::Accounts(Vec::new())).await;
        }
    };
    let (answers, ()) = soon("all answers", async { tokio::join!(calls, serve) }).await;
    assert!(answers.into_iter().all(|answer| answer.is_ok()));
    assert!(poll_immediate(Box::pin(server.accept_raw())).await.is_none(), "nobody else connected");
}

#[tokio::test]
async fn a_daemon_that_goes_away_while_it_greets_is_waited_for() {
    let server = Server::new();
    let serve = async {
        drop(server.accept_raw().await);
        server.accept().await
    };
    let (client, _peer) = soon("a connection", async { tokio::join!(server.builder().connect(), serve) }).await;
    client.unwrap();

    let hasty = server.builder().reconnect_for(Duration::ZERO);
    let (client, _stream) = tokio::join!(hasty.connect(), async { drop(server.accept_raw().await) });
    assert!(matches!(client, Err(ClientError::Connect { .. })));
}
