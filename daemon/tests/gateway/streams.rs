//! Streams: credit, cancelling, ends.
//!
//! Covers: getOrchestratorServiceLogs, watchOperation, listEvents.

use std::time::Duration;

use futures::SinkExt;
use muster_protocol::{ClientFrame, Error, ErrorCode, Request, Response, ServerBody, StreamItem};

use crate::support::{Raw, TestDaemon, name};

const QUIET: Duration = Duration::from_millis(100);

fn events(follow: bool) -> Request {
    Request::Events { since: None, cluster: None, follow }
}

/// Reads so many items, and that nothing comes after them.
async fn items_and_no_more(raw: &mut Raw, number: usize) {
    for _ in 0..number {
        let frame = raw.next().await.unwrap();
        assert!(matches!(frame.body, ServerBody::Item(_)), "{frame:?}");
    }
    let more = tokio::time::timeout(QUIET, raw.next()).await;
    assert!(more.is_err(), "{more:?}");
}

/// How many items there are until the end, and what that is.
async fn items_to_the_end(raw: &mut Raw) -> (usize, Result<(), Error>) {
    let mut items = 0;
    loop {
        match raw.next().await.unwrap().body {
            ServerBody::Item(_) => items += 1,
            ServerBody::End(result) => return (items, result),
            ServerBody::Credit(_) => panic!("a stream that takes no input was granted some"),
            ServerBody::Answer(answer) => panic!("{answer:?}"),
        }
    }
}

#[tokio::test]
async fn no_more_items_are_sent_than_were_granted() {
    let daemon = TestDaemon::start().await;
    daemon.with_cluster("demo").await;
    let mut raw = Raw::connect(&daemon).await;
    raw.send(ClientFrame::request(1, events(false))).await;
    items_and_no_more(&mut raw, 0).await;
    raw.send(ClientFrame::credit(1, 3)).await;
    items_and_no_more(&mut raw, 3).await;
    raw.send(ClientFrame::credit(1, 1000)).await;
    let (rest, end) = items_to_the_end(&mut raw).await;
    assert!(rest > 3);
    assert_eq!(end, Ok(()));
}

#[tokio::test]
async fn a_stream_that_waits_for_credit_holds_up_nothing_else_on_its_connection() {
    let daemon = TestDaemon::start().await;
    let mut raw = Raw::connect(&daemon).await;
    raw.send(ClientFrame::request(1, events(true))).await;
    raw.send(ClientFrame::request(2, Request::Whoami)).await;
    let frame = raw.next().await.unwrap();
    assert_eq!(frame.id, 2);
    assert!(matches!(frame.body, ServerBody::Answer(Ok(Response::Whoami(_)))));
}

#[tokio::test]
async fn a_cancelled_stream_sends_nothing_more_and_its_id_can_be_used_again() {
    let daemon = TestDaemon::start().await;
    let client = daemon.with_cluster("demo").await;
    let mut raw = Raw::connect(&daemon).await;
    raw.send(ClientFrame::request(1, events(true))).await;
    raw.send(ClientFrame::credit(1, 2)).await;
    items_and_no_more(&mut raw, 2).await;
    raw.send(ClientFrame::cancel(1)).await;
    raw.send(ClientFrame::credit(1, 100)).await;
    client.cluster_scale(&name("demo"), None, Some(3), None).await.unwrap();
    items_and_no_more(&mut raw, 0).await;
    raw.send(ClientFrame::request(1, Request::Whoami)).await;
    assert!(matches!(raw.next().await.unwrap().body, ServerBody::Answer(Ok(_))));
}

#[tokio::test]
async fn a_peer_that_closes_its_half_hears_what_it_asked_for_and_its_streams_end() {
    let daemon = TestDaemon::start().await;
    let mut raw = Raw::connect(&daemon).await;
    raw.send(ClientFrame::request(1, Request::Events { since: Some(1), cluster: None, follow: true })).await;
    raw.send(ClientFrame::request(2, Request::Doctor)).await;
    SinkExt::<bytes::Bytes>::close(&mut raw.writer).await.unwrap();
    let mut answered = false;
    while let Some(frame) = raw.next().await {
        answered |= frame.id == 2 && matches!(frame.body, ServerBody::Answer(Ok(_)));
    }
    assert!(answered, "what was asked for is answered, and then the connection is over");
}

#[tokio::test]
async fn a_watched_operation_ends_its_stream_with_its_last_state() {
    let daemon = TestDaemon::start().await;
    let client = daemon.with_cluster("demo").await;
    let operation = client.operation_list(None, Default::default()).await.unwrap().items[0].clone();
    let mut raw = Raw::connect(&daemon).await;
    raw.send(ClientFrame::request(1, Request::OperationWatch { id: operation.id })).await;
    raw.send(ClientFrame::credit(1, 10)).await;
    assert_eq!(raw.next().await.unwrap().body, ServerBody::Item(StreamItem::Operation(operation)));
    assert_eq!(raw.next().await.unwrap().body, ServerBody::End(Ok(())));
}

#[tokio::test]
async fn a_stream_that_cannot_begin_is_refused_with_an_answer() {
    let daemon = TestDaemon::start().await;
    let mut raw = Raw::connect(&daemon).await;
    let (cluster, service) = (name("none"), name("none"));
    raw.send(ClientFrame::request(1, Request::ServiceLogs { cluster, service, follow: true, tail: None })).await;
    let ServerBody::Answer(Err(error)) = raw.next().await.unwrap().body else { panic!("not refused") };
    assert_eq!(error.code, ErrorCode::NotFound);
}
