//! Peers that are not there, not Muster, of another version, or broken.

mod support;

use std::time::Duration;

use futures::future::poll_immediate;
use muster_client::protocol::codec::MAX_FRAME_BYTES;
use muster_client::protocol::hello::{Refusal, VERSIONS, VersionRange};
use muster_client::protocol::{Error, ErrorCode, ServerFrame, handshake};
use muster_client::{Client, ClientError};
use support::{DEADLINE, Server, hello, name, soon};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[tokio::test]
async fn no_socket_and_nobody_behind_it_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("none.sock");
    let missing = Client::connect(&socket).await.err().unwrap();
    assert_eq!(missing.code(), ErrorCode::Unavailable);
    assert!(missing.remedy().unwrap().starts_with("there is no "), "{:?}", missing.remedy());

    drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
    let dead = Client::connect(&socket).await.err().unwrap();
    let remedy = dead.remedy().unwrap();
    assert!(remedy.starts_with("nobody listens at "), "{remedy}");
    assert!(!remedy.contains("systemctl"), "systemd cannot start a daemon at a socket of one's own: {remedy}");
}

#[test]
fn who_finds_the_systems_daemon_stopped_is_told_to_have_systemd_start_it() {
    let source = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
    let error = ClientError::Connect { socket: "/run/muster/muster.sock".into(), source };
    assert!(error.remedy().unwrap().contains("systemctl start musterd"));
}

#[test]
fn a_socket_that_may_not_be_used_is_told_from_one_that_is_missing() {
    // Root may use every socket, so the refusal itself cannot be brought about in every place where tests run.
    let source = std::io::Error::from(std::io::ErrorKind::PermissionDenied);
    let error = ClientError::Connect { socket: "/run/muster/muster.sock".into(), source };
    assert!(error.remedy().unwrap().contains("join the group"));
}

#[tokio::test]
async fn a_daemon_without_a_shared_version_is_named_with_both_ranges_and_a_remedy() {
    let server = Server::new();
    let newer = VersionRange { min: VERSIONS.max + 1, max: VERSIONS.max + 2 };
    let serve = async {
        let mut stream = server.accept_raw().await;
        handshake::accept(&mut stream, &hello(newer), DEADLINE).await.unwrap_err()
    };
    let (client, _) = tokio::join!(server.builder().connect(), serve);
    let error = client.err().unwrap();
    let ClientError::VersionMismatch { client, daemon, daemon_build } = &error else { panic!("{error:?}") };
    assert_eq!((*client, *daemon, daemon_build.as_str()), (VERSIONS, newer, "musterd of the test"));
    assert!(error.remedy().unwrap().contains("install the muster command"));
}

#[test]
fn the_remedy_for_another_version_is_to_upgrade_the_older_side() {
    let range = |version| VersionRange { min: version, max: version };
    let remedy = |client, daemon| {
        let (client, daemon) = (range(client), range(daemon));
        ClientError::VersionMismatch { client, daemon, daemon_build: String::new() }.remedy().unwrap()
    };
    assert!(remedy(1, 2).contains("install the muster command"));
    assert!(remedy(2, 1).contains("upgrade and restart musterd"));
}

#[tokio::test]
async fn a_busy_daemon_is_told_from_a_broken_one() {
    let server = Server::new();
    let serve = async {
        let mut stream = server.accept_raw().await;
        handshake::refuse(&mut stream, &hello(VERSIONS), Refusal::Busy, "too many connections", DEADLINE)
            .await
            .unwrap();
    };
    let (client, ()) = tokio::join!(server.builder().connect(), serve);
    let error = client.err().unwrap();
    assert!(matches!(&error, ClientError::Refused { message, .. } if message == "too many connections"), "{error:?}");
    assert_eq!(error.code(), ErrorCode::Busy);
}

#[tokio::test]
async fn something_else_behind_the_socket_is_noticed_at_its_first_bytes() {
    let server = Server::new();
    let serve = async {
        let mut stream = server.accept_raw().await;
        stream.write_all(b"HTTP").await.unwrap();
        // Still open: the client must not wait for the rest of a welcome.
        stream.read_to_end(&mut Vec::new()).await.unwrap();
    };
    let (client, ()) = soon("the refusal", async { tokio::join!(server.builder().connect(), serve) }).await;
    assert!(matches!(client, Err(ClientError::Handshake { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_silent_peer_is_given_up_after_the_time_to_connect() {
    let server = Server::new();
    let connecting = server.builder().connect_timeout(Duration::from_secs(3)).connect();
    let (client, _stream) = tokio::join!(connecting, server.accept_raw());
    let error = client.err().unwrap();
    assert!(error.to_string().contains("3000 ms"), "{error}");
    assert!(error.remedy().unwrap().contains("does not answer"));
}

#[tokio::test]
async fn a_full_queue_of_connections_is_waited_for() {
    let server = Server::new();
    server.shrink_queue();
    let mut fillers = Vec::new();
    while let Ok(filler) = tokio::net::UnixStream::connect(&server.socket).await {
        fillers.push(filler);
    }
    let mut connecting = Box::pin(server.builder().connect());
    assert!(poll_immediate(&mut connecting).await.is_none());
    let serve = async {
        for _ in &fillers {
            server.accept_raw().await;
        }
        server.accept().await
    };
    let (client, _peer) = soon("a place in the queue", async { tokio::join!(connecting, serve) }).await;
    client.unwrap();
}

#[tokio::test]
async fn half_a_frame_and_a_closed_connection_is_a_lost_connection() {
    let (server, demo) = (Server::new(), name("demo"));
    let (client, mut peer) = server.connect(server.builder()).await;
    let serve = async {
        peer.request().await;
        peer.send_raw_and_close(&[0, 0, 0, 9, 1, 0]).await;
    };
    let error = tokio::join!(client.account_remove(&demo), serve).0.unwrap_err();
    let ClientError::Lost { maybe_applied: true, reason, .. } = error else { panic!("{error:?}") };
    assert!(reason.contains("in the middle of a message"), "{reason}");
}

#[tokio::test]
async fn a_frame_that_is_too_large_or_makes_no_sense_breaks_the_connection_without_repeating() {
    let too_large = u32::try_from(MAX_FRAME_BYTES + 1).unwrap().to_be_bytes().to_vec();
    let unknown_body = vec![0, 0, 0, 2, 1, 250];
    let trailing_bytes = vec![0, 0, 0, 6, 1, 0, 0, 16, 9, 9];
    for bytes in [too_large, unknown_body, trailing_bytes] {
        let server = Server::new();
        let (client, mut peer) = server.connect(server.builder()).await;
        let serve = async {
            peer.request().await;
            peer.send_raw_and_close(&bytes).await;
        };
        let error = tokio::join!(client.account_list(), serve).0.unwrap_err();
        assert!(matches!(error, ClientError::Protocol { .. }), "{bytes:?}: {error:?}");
    }
}

#[tokio::test]
async fn a_daemon_that_finds_a_request_broken_is_heard_and_not_asked_again() {
    let (server, demo) = (Server::new(), name("demo"));
    let (client, mut peer) = server.connect(server.builder()).await;
    let serve = async {
        peer.request().await;
        let last_word = Error::new(ErrorCode::Protocol, "there is no request of this form");
        peer.send(ServerFrame::answer(0, Err(last_word))).await;
        drop(peer);
    };
    let error = tokio::join!(client.cluster_info(&demo), serve).0.unwrap_err();
    let ClientError::Protocol { message } = error else { panic!("{error:?}") };
    assert!(message.contains("there is no request of this form"), "{message}");
}
