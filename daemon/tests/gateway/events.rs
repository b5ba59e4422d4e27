//! The event log behind a cursor.
//!
//! Covers: listEvents.

use futures::{StreamExt, TryStreamExt};
use muster_client::EventQuery;
use muster_protocol::model::event::{Event, EventKind};
use muster_protocol::{ClientFrame, Error, ErrorCode, Request, ServerBody, StreamItem};
use muster_store::Batch;
use musterd::journal::records::StoredEvent;

use crate::support::{LIMIT, Raw, TestDaemon, name, spec, succeed};

#[tokio::test]
async fn a_follower_sees_every_event_once_across_a_restart() {
    let daemon = TestDaemon::start().await;
    let client = daemon.client().await;
    let mut followed = client.events(EventQuery { follow: true, ..EventQuery::default() });
    let mut seen: Vec<Event> = Vec::new();
    let until_deleted = |event: &Event| event.kind == EventKind::OperationEnded && event.message.contains("delete");

    succeed(&client, client.cluster_create(spec("demo"), None).await.unwrap()).await;
    let daemon = daemon.restart().await;
    succeed(&client, client.cluster_delete(&name("demo"), None).await.unwrap()).await;
    let reading = async {
        while !seen.last().is_some_and(until_deleted) {
            seen.push(followed.next().await.unwrap().unwrap());
        }
    };
    tokio::time::timeout(LIMIT, reading).await.expect("events are missing");
    let numbers: Vec<u64> = seen.iter().map(|event| event.number).collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
    drop(daemon);
}

#[tokio::test]
async fn an_operation_begins_once_and_ends_once() {
    let daemon = TestDaemon::start().await;
    let client = daemon.with_cluster("demo").await;
    succeed(&client, client.cluster_delete(&name("demo"), None).await.unwrap()).await;
    let events: Vec<Event> = client.events(EventQuery::default()).try_collect().await.unwrap();
    let of = |kind: EventKind| {
        events.iter().filter(|event| event.kind == kind).map(|event| event.message.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(of(EventKind::OperationStarted), ["cluster-create", "cluster-delete"]);
    assert_eq!(of(EventKind::OperationEnded), ["cluster-create succeeded", "cluster-delete succeeded"]);
}

#[tokio::test]
async fn events_are_filtered_by_cluster_and_go_on_behind_the_cursor() {
    let daemon = TestDaemon::start().await;
    let client = daemon.with_cluster("one").await;
    succeed(&client, client.cluster_create(spec("two"), None).await.unwrap()).await;
    let of = |since, cluster: &str| EventQuery { since, cluster: Some(name(cluster)), follow: false };
    let two: Vec<_> = client.events(of(None, "two")).try_collect().await.unwrap();
    assert!(!two.is_empty() && two.iter().all(|event| event.cluster == Some(name("two"))));
    let middle = two[two.len() / 2].number;
    let rest: Vec<_> = client.events(of(Some(middle), "two")).try_collect().await.unwrap();
    assert_eq!(rest, two[two.len() / 2 + 1..]);
}

#[tokio::test]
async fn a_cursor_behind_the_end_of_the_log_is_refused() {
    let daemon = TestDaemon::start().await;
    let client = daemon.client().await;
    for cursor in [1_000_000, u64::MAX] {
        let far = client.events(EventQuery { since: Some(cursor), ..EventQuery::default() });
        let error = far.try_collect::<Vec<_>>().await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidArgument);
        assert!(error.to_error().details.contains_key("last"));
    }
}

/// What the daemon answers to a cursor, frame by frame: the numbers of its events, or its refusal.
async fn behind(daemon: &TestDaemon, since: u64) -> Result<Vec<u64>, Error> {
    let mut raw = Raw::connect(daemon).await;
    raw.send(ClientFrame::request(1, Request::Events { since: Some(since), cluster: None, follow: false })).await;
    raw.send(ClientFrame::credit(1, 1_000)).await;
    let mut numbers = Vec::new();
    loop {
        match raw.next().await.unwrap().body {
            ServerBody::Item(item) => {
                let StreamItem::Event(event) = item else { panic!("{item:?}") };
                numbers.push(event.number);
            }
            ServerBody::End(ended) => return ended.map(|()| numbers),
            ServerBody::Answer(refused) => return Err(refused.unwrap_err()),
            ServerBody::Credit(_) => {}
        }
    }
}

#[tokio::test]
async fn cursors_at_both_ends_of_the_log_are_taken_or_refused_exactly() {
    let daemon = TestDaemon::start().await;
    // More than one record holds.
    for cluster in ["a", "b", "c"] {
        daemon.with_cluster(cluster).await;
    }
    let store = daemon.daemon.context().store.clone();
    let end = store.event_numbers().await.unwrap().end;
    let last = end - 1;
    assert_eq!(behind(&daemon, 0).await.unwrap(), (1..end).collect::<Vec<_>>());
    assert_eq!(behind(&daemon, last - 1).await.unwrap(), [last]);
    assert_eq!(behind(&daemon, last).await.unwrap(), [0; 0]);
    assert_eq!(behind(&daemon, last + 1).await.unwrap_err().code, ErrorCode::InvalidArgument);

    store.prune_events(last).await.unwrap();
    let first = store.event_numbers().await.unwrap().start;
    assert!(first > 1, "something is pruned");
    assert_eq!(behind(&daemon, first - 1).await.unwrap(), (first..end).collect::<Vec<_>>());
    let refused = behind(&daemon, first - 2).await.unwrap_err();
    assert_eq!((refused.code, &refused.details["firstAvailable"]), (ErrorCode::NotFound, &first.to_string()));
}

/// Appends so many events that are about nothing in particular.
async fn append(daemon: &TestDaemon, count: usize) {
    let event = StoredEvent {
        at: daemon.daemon.context().now(),
        kind: EventKind::Daemon,
        cluster: None,
        operation: None,
        service: None,
        who: None,
        message: "one of many".to_owned(),
        cause: None,
    };
    for some in vec![event; count].chunks(100) {
        let mut batch = Batch::new();
        for event in some {
            batch.append_event(event).unwrap();
        }
        daemon.daemon.context().store.commit(batch).await.unwrap();
    }
}

#[tokio::test]
async fn a_follower_that_is_overtaken_by_forgetting_is_told_and_misses_nothing_without_a_word() {
    let daemon = TestDaemon::start().await;
    append(&daemon, 1_000).await;
    let store = daemon.daemon.context().store.clone();
    let mut raw = Raw::connect(&daemon).await;
    raw.send(ClientFrame::request(1, Request::Events { since: Some(0), cluster: None, follow: true })).await;
    raw.send(ClientFrame::credit(1, 1)).await;
    let mut numbers = Vec::new();
    let ended = loop {
        match raw.next().await.unwrap().body {
            ServerBody::Item(StreamItem::Event(event)) => numbers.push(event.number),
            ServerBody::End(ended) => break ended,
            body @ (ServerBody::Item(_) | ServerBody::Answer(_) | ServerBody::Credit(_)) => panic!("{body:?}"),
        }
        if numbers.len() == 1 {
            store.prune_events(900).await.unwrap();
            raw.send(ClientFrame::credit(1, 10_000)).await;
        }
    };
    let refused = ended.unwrap_err();
    let first = store.event_numbers().await.unwrap().start;
    assert!(first > 500, "{first}");
    assert_eq!((refused.code, &refused.details["firstAvailable"]), (ErrorCode::NotFound, &first.to_string()));
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>(), "without a gap up to there");
    assert!(u64::try_from(numbers.len()).unwrap() < first);
}
