//! Peers that do what they should not cost little, and touch nobody else.

use futures::SinkExt;
use muster_client::Client;
use muster_protocol::hello::{Hello, VersionRange};
use muster_protocol::stream::FrameReader;
use muster_protocol::{ClientFrame, ErrorCode, Request, ServerBody, ServerFrame, codec, handshake};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use crate::support::{LIMIT, Raw, TestDaemon, name};

async fn assert_answers(client: &Client) {
    tokio::time::timeout(LIMIT, client.whoami()).await.expect("another session is touched").unwrap();
}

/// Reads until the daemon closes.
async fn closed(stream: &mut UnixStream) {
    let mut rest = Vec::new();
    let reading = stream.read_to_end(&mut rest);
    // A reset is a close too.
    let _ = tokio::time::timeout(LIMIT, reading).await.expect("the daemon keeps a hostile connection");
}

async fn greeted(daemon: &TestDaemon) -> UnixStream {
    let mut stream = UnixStream::connect(daemon.socket()).await.unwrap();
    handshake::connect(&mut stream, &Hello::of_this_build("hostile"), LIMIT).await.unwrap();
    stream
}

#[tokio::test]
async fn another_protocol_is_hung_up_on_at_its_first_bytes() {
    let daemon = TestDaemon::start().await;
    let client = daemon.client().await;
    let mut stream = UnixStream::connect(daemon.socket()).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
    closed(&mut stream).await;
    assert_answers(&client).await;
}

#[tokio::test]
async fn silence_instead_of_a_hello_is_not_waited_for_long() {
    let daemon = TestDaemon::with(|config| config.limits.handshake_ms = 50).await;
    let mut silent = UnixStream::connect(daemon.socket()).await.unwrap();
    let mut half = UnixStream::connect(daemon.socket()).await.unwrap();
    half.write_all(b"MSTR\0").await.unwrap();
    closed(&mut silent).await;
    closed(&mut half).await;
}

#[tokio::test]
async fn a_client_without_a_shared_version_is_told_both_ranges() {
    let daemon = TestDaemon::start().await;
    let mut stream = UnixStream::connect(daemon.socket()).await.unwrap();
    let future = Hello { versions: VersionRange { min: 900, max: 901 }, ..Hello::of_this_build("from the future") };
    let refused = handshake::connect(&mut stream, &future, LIMIT).await.unwrap_err().to_string();
    assert!(refused.contains("900 to 901"), "{refused}");
}

#[tokio::test]
async fn a_huge_length_is_refused_before_anything_of_it_is_read() {
    let daemon = TestDaemon::start().await;
    let client = daemon.client().await;
    let mut stream = greeted(&daemon).await;
    stream.write_all(&u32::MAX.to_be_bytes()).await.unwrap();
    closed(&mut stream).await;
    assert_answers(&client).await;
}

#[tokio::test]
async fn half_a_frame_is_not_waited_for_long() {
    let daemon = TestDaemon::with(|config| config.limits.frame_ms = 50).await;
    let client = daemon.client().await;
    let mut stream = greeted(&daemon).await;
    stream.write_all(&[0, 0, 1, 0, 7]).await.unwrap();
    closed(&mut stream).await;
    assert_answers(&client).await;
}

#[tokio::test]
async fn nonsense_in_a_frame_is_answered_once_and_hung_up_on() {
    let daemon = TestDaemon::start().await;
    let mut raw = Raw::connect(&daemon).await;
    raw.writer.send(&[0xff_u8; 100][..]).await.unwrap();
    let ServerBody::Answer(Err(error)) = raw.next().await.unwrap().body else { panic!("no error") };
    assert_eq!(error.code, ErrorCode::Protocol);
    assert_eq!(raw.next().await, None);
}

#[tokio::test]
async fn an_id_that_is_in_use_or_too_much_credit_breaks_the_protocol() {
    let daemon = TestDaemon::start().await;
    let follow = || Request::Events { since: None, cluster: None, follow: true };
    let mut raw = Raw::connect(&daemon).await;
    raw.send(ClientFrame::request(1, follow())).await;
    raw.send(ClientFrame::request(1, Request::Whoami)).await;
    let ServerBody::Answer(Err(error)) = raw.next().await.unwrap().body else { panic!("no error") };
    assert_eq!(error.code, ErrorCode::Protocol);

    let mut raw = Raw::connect(&daemon).await;
    raw.send(ClientFrame::request(1, follow())).await;
    raw.send(ClientFrame::credit(1, u32::MAX)).await;
    let mut last = None;
    while let Some(frame) = raw.next().await {
        last = Some(frame);
    }
    let Some(ServerBody::Answer(Err(error))) = last.map(|frame| frame.body) else { panic!("no error") };
    assert_eq!(error.code, ErrorCode::Protocol);
}

/// So many frames with this request, as they go over the socket.
fn frames(count: u64, request: &Request) -> Vec<u8> {
    let mut bytes = Vec::new();
    for id in 1..=count {
        let body = codec::encode(&ClientFrame::request(id, request.clone())).unwrap();
        bytes.extend_from_slice(&(body.len() as u32).to_be_bytes());
        bytes.extend_from_slice(&body);
    }
    bytes
}

#[tokio::test]
async fn a_peer_that_asks_much_and_reads_nothing_is_given_up() {
    let daemon = TestDaemon::with(|config| config.limits.frame_ms = 100).await;
    let client = daemon.with_cluster("demo").await;
    for request in [Request::CatalogList, Request::ClusterInfo { cluster: name("demo") }] {
        let mut stream = greeted(&daemon).await;
        let asked = frames(64, &request);
        // The daemon stops reading when its answers are not taken, and closes when that lasts: then writing fails.
        let flood = async { while stream.write_all(&asked).await.is_ok() {} };
        tokio::time::timeout(LIMIT, flood).await.expect("a peer that reads nothing is kept");
        assert_answers(&client).await;
    }
}

#[tokio::test]
async fn thousands_of_reads_in_one_go_are_answered_in_their_order_and_nobody_else_waits() {
    let daemon = TestDaemon::start().await;
    let client = daemon.client().await;
    let (read_half, mut write_half) = greeted(&daemon).await.into_split();
    let mut reader = FrameReader::new(read_half, LIMIT);
    let asked = frames(20_000, &Request::Whoami);
    let write = async { write_half.write_all(&asked).await.unwrap() };
    let read = async {
        for id in 1..=20_000 {
            let frame: ServerFrame = reader.next().await.unwrap().unwrap();
            assert_eq!(frame.id, id);
            assert!(matches!(frame.body, ServerBody::Answer(Ok(_))), "{frame:?}");
        }
    };
    tokio::time::timeout(LIMIT, async { tokio::join!(write, read, assert_answers(&client)) }).await.unwrap();
}
