//! The handshake between two ends of a connection, and with strangers.

#![allow(clippy::unwrap_used, reason = "test code, though not in test functions")]

use std::time::Duration;

use muster_protocol::handshake::{Agreed, HandshakeError, accept, connect, refuse};
use muster_protocol::hello::{HELLO_BYTES, Hello, HelloError, Refusal, VersionRange};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

const LIMIT: Duration = Duration::from_secs(5);

fn hello(min: u16, max: u16, features: u64) -> Hello {
    Hello { versions: VersionRange { min, max }, features, build: format!("build of {min} to {max}") }
}

async fn shake(client: &Hello, server: &Hello) -> (Result<Agreed, HandshakeError>, Result<Agreed, HandshakeError>) {
    let (mut client_end, mut server_end) = duplex(1024);
    tokio::join!(connect(&mut client_end, client, LIMIT), accept(&mut server_end, server, LIMIT))
}

#[tokio::test]
async fn both_sides_agree_on_the_highest_shared_version_and_the_shared_features() {
    for ((client_min, client_max), (server_min, server_max), agreed) in
        [((1, 1), (1, 1), 1), ((1, 3), (2, 5), 3), ((2, 9), (1, 4), 4), ((3, 3), (1, 9), 3), ((1, 9), (9, 9), 9)]
    {
        let (client, server) = (hello(client_min, client_max, 0b0110), hello(server_min, server_max, 0b1100));
        let (by_client, by_server) = shake(&client, &server).await;
        assert_eq!(by_client.unwrap(), Agreed { version: agreed, features: 0b0100, peer: server });
        assert_eq!(by_server.unwrap(), Agreed { version: agreed, features: 0b0100, peer: client });
    }
}

#[tokio::test]
async fn without_a_shared_version_both_sides_know_both_ranges_and_the_older_is_told_to_change() {
    for (client, server, remedy) in [
        (hello(1, 2, 0), hello(3, 4, 0), "install the client of build of 3 to 4"),
        (hello(5, 6, 0), hello(3, 4, 0), "upgrade and restart the daemon"),
    ] {
        let (by_client, by_server) = shake(&client, &server).await;
        for (result, other) in [(by_client, &server), (by_server, &client)] {
            let Err(HandshakeError::Refused { refusal, text, peer }) = result else { panic!("{result:?}") };
            assert_eq!((refusal, &peer), (Refusal::NoSharedVersion, other));
            for part in [client.versions.to_string(), server.versions.to_string(), remedy.to_owned()] {
                assert!(text.contains(&part), "`{text}` does not say `{part}`");
            }
        }
    }
}

#[tokio::test]
async fn a_server_that_refuses_and_closes_is_heard() {
    let (mut client_end, mut server_end) = duplex(1024);
    refuse(&mut server_end, &hello(1, 1, 0), Refusal::Stopping, "the daemon is stopping", LIMIT).await.unwrap();
    drop(server_end);
    let error = connect(&mut client_end, &hello(1, 1, 0), LIMIT).await.unwrap_err();
    let HandshakeError::Refused { refusal: Refusal::Stopping, text, .. } = error else { panic!("{error:?}") };
    assert_eq!(text, "the daemon is stopping");
}

/// What the server makes of a client that sends these bytes and keeps the connection open.
async fn accept_of(bytes: &[u8]) -> (HandshakeError, DuplexStream) {
    let (mut client_end, mut server_end) = duplex(1024);
    client_end.write_all(bytes).await.unwrap();
    let error = accept(&mut server_end, &hello(1, 1, 0), LIMIT).await.unwrap_err();
    (error, client_end)
}

#[tokio::test(start_paused = true)]
async fn a_stranger_is_known_by_four_bytes_and_answered_with_nothing() {
    let began = tokio::time::Instant::now();
    let (error, mut client_end) = accept_of(b"GET ").await;
    assert!(matches!(error, HandshakeError::Malformed(HelloError::Magic)), "{error:?}");
    assert!(began.elapsed().is_zero(), "it waited for more");
    assert_eq!(client_end.read(&mut [0; 1]).await.unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_says_half_a_hello_is_given_up_in_time() {
    let began = tokio::time::Instant::now();
    let (error, _client_end) = accept_of(&hello(1, 1, 0).encode()[..HELLO_BYTES - 1]).await;
    assert!(matches!(error, HandshakeError::TimedOut(LIMIT)), "{error:?}");
    assert_eq!(began.elapsed(), LIMIT);
}

#[tokio::test]
async fn a_client_that_leaves_in_the_middle_is_an_error_of_the_connection() {
    let (mut client_end, mut server_end) = duplex(1024);
    client_end.write_all(&hello(1, 1, 0).encode()[..10]).await.unwrap();
    drop(client_end);
    let error = accept(&mut server_end, &hello(1, 1, 0), LIMIT).await.unwrap_err();
    assert!(matches!(error, HandshakeError::Io(_)), "{error:?}");
}

#[tokio::test]
async fn a_hello_that_makes_no_sense_is_refused() {
    let with = |change: fn(&mut [u8; HELLO_BYTES])| {
        let mut bytes = hello(1, 1, 0).encode();
        change(&mut bytes);
        bytes
    };
    for (bytes, expected) in [
        (with(|bytes| bytes[4..8].copy_from_slice(&[0, 2, 0, 1])), HelloError::Versions),
        (with(|bytes| bytes[4..8].copy_from_slice(&[0, 0, 0, 1])), HelloError::Versions),
        (with(|bytes| bytes[16] = 64), HelloError::Text),
        (with(|bytes| bytes[17] = 0xff), HelloError::Text),
    ] {
        let (error, _) = accept_of(&bytes).await;
        assert!(matches!(&error, HandshakeError::Malformed(error) if *error == expected), "{error:?}");
    }
}

#[tokio::test]
async fn a_version_that_was_not_offered_is_not_accepted() {
    let (mut client_end, mut server_end) = duplex(1024);
    // A server that chooses what it likes: it speaks 1 to 9 and is asked for 9, but claims a range of 1 to 3.
    let mut welcome = hello(1, 9, 0).answer(&hello(9, 9, 0));
    welcome.server = hello(1, 3, 0);
    server_end.write_all(&welcome.encode()).await.unwrap();
    let error = connect(&mut client_end, &hello(1, 3, 0), LIMIT).await.unwrap_err();
    assert!(matches!(error, HandshakeError::Malformed(HelloError::Choice { version: 9 })), "{error:?}");
}

#[test]
fn texts_that_are_too_long_are_cut_between_characters() {
    let long = Hello { build: "ü".repeat(60), ..hello(1, 1, 0) };
    let read = Hello::decode(&long.encode()).unwrap();
    assert_eq!(read.build, "ü".repeat(31));
}
