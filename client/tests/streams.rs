//! Streams: flow control, cancelling, ends.

mod support;

use futures::future::poll_immediate;
use futures::{StreamExt, TryStreamExt};
use muster_client::protocol::credit::Credit;
use muster_client::protocol::{ClientBody, ClientFrame, Error, ErrorCode, OperationId, Request, ServerFrame};
use muster_client::{ClientError, EventQuery};
use support::{Peer, Server, event, event_item, soon};

const FOLLOW: EventQuery = EventQuery { since: None, cluster: None, follow: true };

/// Sends events while there is credit, as the daemon does.
async fn send_while_allowed(peer: &mut Peer, id: u64, credit: &Credit, next: &mut u64) {
    while credit.try_take() {
        peer.item(id, event_item(*next)).await;
        *next += 1;
    }
}

#[tokio::test]
async fn a_consumer_that_stops_stops_the_server_and_others_go_on() {
    let server = Server::new();
    let (client, mut peer) = server.connect(server.builder().window(8)).await;
    let mut events = client.events(FOLLOW);
    assert!(poll_immediate(events.next()).await.is_none());
    let (id, _, initial) = peer.stream_request().await;
    assert_eq!(initial, 8);
    let credit = Credit::new();
    credit.grant(initial).unwrap();
    let mut next = 1;
    send_while_allowed(&mut peer, id, &credit, &mut next).await;

    // Nobody takes the items. Frames of the client come in order: had it granted more, that would come first.
    let mut other = Box::pin(client.whoami());
    assert!(poll_immediate(&mut other).await.is_none());
    assert_eq!(peer.request().await.1, Request::Whoami);

    for number in 1..=4 {
        assert_eq!(soon("an event", events.next()).await.unwrap().unwrap(), event(number));
    }
    assert_eq!(peer.next().await, Some(ClientFrame::credit(id, 4)), "half the window is taken and granted anew");
}

#[tokio::test]
async fn a_consumer_that_goes_on_gets_everything_in_order() {
    let server = Server::new();
    let (client, mut peer) = server.connect(server.builder().window(8)).await;
    let mut events = client.events(FOLLOW);
    let serve = async {
        let (id, _, initial) = peer.stream_request().await;
        let (credit, mut next) = (Credit::new(), 1);
        credit.grant(initial).unwrap();
        while next <= 1000 {
            send_while_allowed(&mut peer, id, &credit, &mut next).await;
            let Some(ClientFrame { body: ClientBody::Credit(more), .. }) = peer.next().await else { panic!() };
            credit.grant(more).unwrap();
        }
        peer.send(ServerFrame::end(id, Ok(()))).await;
    };
    let consume = async {
        let mut numbers = Vec::new();
        while let Some(event) = events.try_next().await.unwrap() {
            numbers.push(event.number);
        }
        numbers
    };
    let (numbers, ()) = soon("a thousand events", async { tokio::join!(consume, serve) }).await;
    assert!(numbers.len() >= 1000);
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_server_that_sends_more_than_it_was_granted_is_cut_off() {
    let server = Server::new();
    let (client, mut peer) = server.connect(server.builder().window(2)).await;
    let mut events = client.events(FOLLOW);
    assert!(poll_immediate(events.next()).await.is_none());
    let (id, _, _) = peer.stream_request().await;
    for number in 1..=10 {
        peer.item(id, event_item(number)).await;
    }
    let collected = soon("the end", async {
        while peer.next().await.is_some() {}
        events.collect::<Vec<_>>().await
    });
    let last = collected.await.pop().unwrap().unwrap_err();
    assert!(matches!(last, ClientError::Protocol { .. }), "{last:?}");
}

#[tokio::test]
async fn a_dropped_stream_is_cancelled() {
    let server = Server::new();
    let (client, mut peer) = server.connect(server.builder()).await;
    let mut events = client.events(FOLLOW);
    assert!(poll_immediate(events.next()).await.is_none());
    let (id, _, _) = peer.stream_request().await;
    drop(events);
    assert_eq!(peer.next().await, Some(ClientFrame::cancel(id)));
}

#[tokio::test]
async fn a_stream_outlives_the_clients_handle_and_closes_the_connection_at_last() {
    let server = Server::new();
    let (client, mut peer) = server.connect(server.builder()).await;
    let mut events = client.events(FOLLOW);
    drop(client);
    assert!(poll_immediate(events.next()).await.is_none());
    let (id, _, _) = peer.stream_request().await;
    peer.item(id, event_item(1)).await;
    assert_eq!(soon("an event", events.next()).await.unwrap().unwrap(), event(1));
    drop(events);
    assert_eq!(peer.next().await, Some(ClientFrame::cancel(id)));
    assert_eq!(peer.next().await, None);
}

#[tokio::test]
async fn a_refused_stream_ends_with_the_daemons_error() {
    let server = Server::new();
    let (client, mut peer) = server.connect(server.builder()).await;
    let id = OperationId::generate();
    let mut changes = client.operation_watch(id);
    for as_end in [true, false] {
        let serve = async {
            let (request_id, _, _) = peer.stream_request().await;
            let refusal = Error::not_found("operation", id);
            peer.send(match as_end {
                true => ServerFrame::end(request_id, Err(refusal)),
                false => ServerFrame::answer(request_id, Err(refusal)),
            })
            .await;
        };
        let (item, ()) = tokio::join!(changes.next(), serve);
        assert_eq!(item.unwrap().unwrap_err().code(), ErrorCode::NotFound);
        assert!(changes.next().await.is_none(), "an error is the last item");
        changes = client.operation_watch(id);
    }
}
