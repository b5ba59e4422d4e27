//! Requests and answers over one connection.

mod support;

use futures::TryStreamExt;
use futures::future::{join_all, poll_immediate};
use muster_client::ClientError;
use muster_client::protocol::codec::MAX_FRAME_BYTES;
use muster_client::protocol::model::account::AccountSpec;
use muster_client::protocol::model::cluster::Infrastructure;
use muster_client::protocol::model::operation::OperationPhase;
use muster_client::protocol::page::Page;
use muster_client::protocol::{ClientBody, ClientFrame, Error, ErrorCode, OperationId, Request, Response, ServerFrame};
use support::{Server, name, soon};

fn account(note: String) -> AccountSpec {
    let defaults = [("note".to_owned(), note)].into();
    AccountSpec {
        name: name("big"),
        infrastructure: Infrastructure::Sim,
        endpoint: None,
        credentials: Default::default(),
        defaults,
    }
}

#[tokio::test]
async fn answers_in_any_order_reach_who_asked() {
    let server = Server::new();
    let (client, mut peer) = server.connect(server.builder()).await;
    let calls = join_all((0..100).map(|number| {
        let client = client.clone();
        async move { client.container_info(&format!("c{number}")).await }
    }));
    let serve = async {
        let mut requests = Vec::new();
        for _ in 0..100 {
            requests.push(peer.request().await);
        }
        for (id, request) in requests.into_iter().rev() {
            let Request::ContainerInfo { id: container } = request else { panic!("{request:?}") };
            peer.send(ServerFrame::answer(id, Err(Error::not_found("container", container)))).await;
        }
    };
    let (answers, ()) = soon("all answers", async { tokio::join!(calls, serve) }).await;
    for (number, answer) in answers.into_iter().enumerate() {
        let ClientError::Remote(error) = answer.unwrap_err() else { panic!("not the daemon's own error") };
        assert_eq!(error, Error::not_found("container", format!("c{number}")));
    }
}

#[tokio::test]
async fn a_dropped_call_is_cancelled_and_its_late_answer_harms_nobody() {
    let (server, old) = (Server::new(), name("old"));
    let (client, mut peer) = server.connect(server.builder()).await;
    let mut dropped = Box::pin(client.whoami());
    assert!(poll_immediate(&mut dropped).await.is_none());
    let (id, _) = peer.request().await;
    drop(dropped);
    assert_eq!(peer.next().await, Some(ClientFrame::cancel(id)));

    peer.answer(id, Response::Done).await;
    let (answer, ()) = tokio::join!(client.account_remove(&old), async {
        let (next_id, _) = peer.request().await;
        assert_ne!(next_id, id);
        peer.answer(next_id, Response::Done).await;
    });
    answer.unwrap();
}

#[tokio::test]
async fn an_answered_call_is_not_cancelled() {
    let (server, old) = (Server::new(), name("old"));
    let (client, mut peer) = server.connect(server.builder()).await;
    let serve = async {
        let (id, _) = peer.request().await;
        peer.answer(id, Response::Done).await;
    };
    tokio::join!(client.account_remove(&old), serve).0.unwrap();
    drop(client);
    assert_eq!(peer.next().await, None, "the connection closes with nothing more to say");
}

#[tokio::test]
async fn a_call_dropped_while_it_is_written_tears_no_frame() {
    let server = Server::new();
    let (client, mut peer) = server.connect(server.builder()).await;
    let big = "x".repeat(3 << 20);
    // The peer does not read yet and the socket holds far less, so this stops in the middle of its frame.
    let mut dropped = Box::pin(client.account_add(account(big.clone())));
    assert!(poll_immediate(&mut dropped).await.is_none());
    tokio::task::yield_now().await;
    drop(dropped);
    let mut next = Box::pin(client.whoami());
    assert!(poll_immediate(&mut next).await.is_none());

    let (id, request) = peer.request().await;
    assert_eq!(request, Request::AccountAdd { spec: account(big) });
    assert_eq!(peer.next().await, Some(ClientFrame::cancel(id)));
    assert_eq!(peer.request().await.1, Request::Whoami);
}

#[tokio::test]
async fn a_request_too_large_for_a_frame_is_refused_here_and_the_connection_goes_on() {
    let (server, old) = (Server::new(), name("old"));
    let (client, mut peer) = server.connect(server.builder()).await;
    let error = client.account_add(account("x".repeat(MAX_FRAME_BYTES))).await.unwrap_err();
    assert!(matches!(error, ClientError::TooLarge { limit: MAX_FRAME_BYTES, .. }), "{error:?}");
    assert_eq!(error.code(), ErrorCode::InvalidArgument);

    let serve = async {
        let (id, _) = peer.request().await;
        peer.answer(id, Response::Done).await;
    };
    tokio::join!(client.account_remove(&old), serve).0.unwrap();
}

#[tokio::test]
async fn requests_to_a_daemon_that_does_not_read_are_held_back_instead_of_piling_up() {
    let server = Server::new();
    let (client, mut peer) = server.connect(server.builder()).await;
    let spec = account("x".repeat(1 << 10));
    let mut calls: Vec<_> = (0..2_000).map(|_| Box::pin(client.account_add(spec.clone()))).collect();
    for call in &mut calls {
        assert!(poll_immediate(call).await.is_none());
    }
    drop(calls);
    drop(client);

    let (mut requests, mut cancels) = (0, 0);
    while let Some(frame) = peer.next().await {
        match frame.body {
            ClientBody::Request { .. } => requests += 1,
            ClientBody::Cancel => cancels += 1,
            ClientBody::Credit(_) | ClientBody::Item(_) | ClientBody::RequestFrom { .. } => panic!("{frame:?}"),
        }
    }
    assert!(requests < 1_000, "{requests} were encoded: what the socket holds and a bounded queue");
    assert_eq!(cancels, requests, "and each was cancelled when its call was dropped");
}

#[tokio::test]
async fn a_list_brings_the_items_of_all_pages_in_order() {
    let server = Server::new();
    let (client, mut peer) = server.connect(server.builder()).await;
    let serve = async {
        for (wanted, next) in [(None, Some("b")), (Some("b"), Some("c")), (Some("c"), None)] {
            let (id, request) = peer.request().await;
            let Request::OperationList { page, .. } = request else { panic!("{request:?}") };
            assert_eq!(page.after.as_deref(), wanted);
            let number = u128::from(next.is_none());
            let operation = support::operation(OperationId::from_u128(number), OperationPhase::Running, 0);
            let page = Page { items: vec![operation.clone(), operation], next: next.map(str::to_owned) };
            peer.answer(id, Response::Operations(page)).await;
        }
    };
    let (all, ()) = tokio::join!(client.operations(None).try_collect::<Vec<_>>(), serve);
    assert_eq!(all.unwrap().len(), 6);
}

#[tokio::test]
async fn an_answer_of_the_wrong_kind_is_an_error_and_no_panic() {
    let server = Server::new();
    let (client, mut peer) = server.connect(server.builder()).await;
    let serve = async {
        let (id, _) = peer.request().await;
        peer.answer(id, Response::Done).await;
    };
    let error = tokio::join!(client.whoami(), serve).0.unwrap_err();
    assert!(matches!(error, ClientError::Protocol { .. }), "{error:?}");
}

#[tokio::test]
async fn a_stream_asked_for_as_a_request_is_refused_here() {
    let server = Server::new();
    let (client, _peer) = server.connect(server.builder()).await;
    let request = Request::Events { since: None, cluster: None, follow: true };
    let error = client.request(request).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::InvalidArgument);
}
