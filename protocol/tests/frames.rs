//! Frames between two ends of a connection, and from strangers.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "test code, though not in test functions")]

mod samples;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::SinkExt;
use futures::future::poll_immediate;
use muster_protocol::codec::{self, DecodeError, EncodeError, MAX_FRAME_BYTES};
use muster_protocol::model::service::ServiceSpec;
use muster_protocol::room::FREE_BYTES;
use muster_protocol::stream::{FrameReader, ReadError, length_codec};
use muster_protocol::{ClientFrame, Request};
use samples::service::service_spec;
use tokio::io::{AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::Semaphore;
use tokio_util::codec::FramedWrite;

const TIMEOUT: Duration = Duration::from_secs(30);

fn whoami(id: u64) -> ClientFrame {
    ClientFrame::request(id, Request::Whoami)
}

fn framed(frame: &ClientFrame) -> Vec<u8> {
    let body = codec::encode(frame).unwrap();
    let mut bytes = u32::try_from(body.len()).unwrap().to_be_bytes().to_vec();
    bytes.extend(body);
    bytes
}

/// A peer that has sent these bytes and keeps the connection open.
async fn after(bytes: &[u8]) -> (FrameReader<DuplexStream>, DuplexStream) {
    let (mut peer, end) = duplex(1 << 16);
    peer.write_all(bytes).await.unwrap();
    (FrameReader::new(end, TIMEOUT), peer)
}

#[tokio::test]
async fn frames_arrive_as_they_were_sent_however_they_are_cut() {
    let (peer, end) = duplex(3);
    let mut reader = FrameReader::new(end, TIMEOUT);
    let mut writer = FramedWrite::new(peer, length_codec());
    let write = async move {
        for id in 0..100 {
            writer.feed(codec::encode(&whoami(id)).unwrap()).await.unwrap();
        }
        SinkExt::<Bytes>::flush(&mut writer).await.unwrap();
    };
    let read = async {
        let mut id = 0;
        while let Some(frame) = reader.next::<ClientFrame>().await.unwrap() {
            assert_eq!(frame, whoami(id));
            id += 1;
        }
        id
    };
    assert_eq!(tokio::join!(write, read).1, 100);
}

#[tokio::test]
async fn a_dropped_read_loses_nothing() {
    let bytes = framed(&whoami(1));
    let (mut reader, mut peer) = after(&bytes[..5]).await;
    assert!(poll_immediate(Box::pin(reader.next::<ClientFrame>())).await.is_none());
    peer.write_all(&bytes[5..]).await.unwrap();
    assert_eq!(reader.next().await.unwrap(), Some(whoami(1)));
}

#[tokio::test]
async fn an_announced_length_above_the_limit_is_refused_at_once() {
    for length in [u32::try_from(MAX_FRAME_BYTES).unwrap() + 1, u32::MAX] {
        let (mut reader, _peer) = after(&length.to_be_bytes()).await;
        let error = reader.next::<ClientFrame>().await.unwrap_err();
        assert!(matches!(error, ReadError::TooLarge), "{error:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_frame_that_is_begun_and_not_ended_is_given_up_in_time() {
    let whole = framed(&whoami(1));
    // Within the length, right behind it, and within the body.
    for length in [1, 4, 5] {
        let (mut reader, _peer) = after(&whole[..length]).await;
        let began = tokio::time::Instant::now();
        let read = tokio::time::timeout(TIMEOUT * 2, reader.next::<ClientFrame>());
        let error = read.await.expect("it waits without end").unwrap_err();
        assert!(matches!(error, ReadError::Stalled(TIMEOUT)), "{length} bytes: {error:?}");
        assert_eq!(began.elapsed(), TIMEOUT);
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_sends_a_byte_at_a_time_has_no_more_time_for_the_frame() {
    let (mut peer, end) = duplex(64);
    let mut reader = FrameReader::new(end, TIMEOUT);
    let trickle = async {
        loop {
            if peer.write_all(&[0]).await.is_err() {
                return;
            }
            tokio::time::sleep(TIMEOUT / 3).await;
        }
    };
    let began = tokio::time::Instant::now();
    let error = tokio::select! {
        frame = reader.next::<ClientFrame>() => frame.unwrap_err(),
        () = trickle => panic!("the reader closed"),
    };
    // Four zeros are an empty frame, which makes no sense; what counts is that it ends.
    assert!(matches!(error, ReadError::Stalled(_) | ReadError::Malformed(_)), "{error:?}");
    assert!(began.elapsed() <= TIMEOUT);
}

#[tokio::test(start_paused = true)]
async fn silence_between_frames_may_last() {
    let (mut reader, mut peer) = after(&framed(&whoami(1))).await;
    assert_eq!(reader.next().await.unwrap(), Some(whoami(1)));
    let later = async {
        tokio::time::sleep(TIMEOUT * 100).await;
        peer.write_all(&framed(&whoami(2))).await.unwrap();
    };
    assert_eq!(tokio::join!(reader.next(), later).0.unwrap(), Some(whoami(2)));
}

#[tokio::test]
async fn the_end_between_frames_is_told_from_the_end_within_one() {
    let whole = framed(&whoami(1));
    let (mut reader, peer) = after(&whole).await;
    drop(peer);
    assert_eq!(reader.next().await.unwrap(), Some(whoami(1)));
    assert_eq!(reader.next::<ClientFrame>().await.unwrap(), None);

    for length in 1..whole.len() {
        let (mut reader, peer) = after(&whole[..length]).await;
        drop(peer);
        let error = reader.next::<ClientFrame>().await.unwrap_err();
        assert!(matches!(error, ReadError::Truncated), "{length} bytes: {error:?}");
    }
}

#[tokio::test]
async fn a_frame_with_bytes_behind_its_value_is_refused() {
    let mut body = codec::encode(&whoami(1)).unwrap().to_vec();
    body.push(0);
    let mut bytes = u32::try_from(body.len()).unwrap().to_be_bytes().to_vec();
    bytes.extend(body);
    let (mut reader, _peer) = after(&bytes).await;
    let error = reader.next::<ClientFrame>().await.unwrap_err();
    assert!(matches!(error, ReadError::Malformed(DecodeError::Trailing { extra: 1 })), "{error:?}");
}

#[test]
fn an_unknown_variant_is_refused() {
    for bytes in [&[7, 5][..], &[7, 0, 0, 44], &[7, 0, 0, 250]] {
        let error = codec::decode::<ClientFrame>(bytes).unwrap_err();
        assert!(error.to_string().contains("variant index"), "{bytes:?}: {error}");
    }
}

#[test]
fn a_value_that_does_not_fit_is_refused_before_it_is_sent() {
    let fits = |length| codec::encode(&ClientFrame::request(1, Request::ContainerInfo { id: "x".repeat(length) }));
    let overhead = 4 + 5;
    assert_eq!(fits(MAX_FRAME_BYTES - overhead).unwrap().len(), MAX_FRAME_BYTES);
    let error = fits(MAX_FRAME_BYTES - overhead + 1).unwrap_err();
    assert!(matches!(error, EncodeError::TooLarge { bytes } if bytes == MAX_FRAME_BYTES + 1), "{error:?}");
}

#[test]
fn whatever_fits_into_a_frame_can_be_read_again() {
    let one_long_text = Request::ContainerInfo { id: "x".repeat(MAX_FRAME_BYTES - 9) };
    // bincode charges the length of each of these at eight bytes.
    let many_short_texts = Request::ServiceUpdate {
        cluster: samples::model::name("demo"),
        spec: Box::new(ServiceSpec { args: vec![String::new(); MAX_FRAME_BYTES - 1000], ..service_spec() }),
        expected_generation: None,
        idempotency_key: None,
    };
    for request in [one_long_text, many_short_texts] {
        let frame = ClientFrame::request(1, request);
        let read = codec::decode::<ClientFrame>(&codec::encode(&frame).unwrap()).unwrap();
        assert!(read == frame, "it reads back as something else");
    }
}

/// A peer and a reader of what it sends, which shares these places with others.
fn sharing(places: &Arc<Semaphore>) -> (DuplexStream, FrameReader<DuplexStream>) {
    let (peer, end) = duplex(1 << 20);
    (peer, FrameReader::sharing(end, TIMEOUT, places.clone()))
}

fn framed_text(bytes: u64) -> Vec<u8> {
    let body = codec::encode(&"x".repeat(usize::try_from(bytes).unwrap())).unwrap();
    [&u32::try_from(body.len()).unwrap().to_be_bytes()[..], &body].concat()
}

#[tokio::test(start_paused = true)]
async fn long_frames_take_turns_and_short_ones_wait_for_nobody() {
    let places = Arc::new(Semaphore::new(1));
    let ((mut first_peer, mut first), (mut second_peer, mut second)) = (sharing(&places), sharing(&places));
    let long = framed_text(FREE_BYTES * 4);
    let (half, rest) = long.split_at(long.len() / 2);
    first_peer.write_all(half).await.unwrap();
    assert!(poll_immediate(first.next::<String>()).await.is_none());
    second_peer.write_all(&framed_text(FREE_BYTES / 2)).await.unwrap();
    assert_eq!(second.next::<String>().await.unwrap().unwrap().len() as u64, FREE_BYTES / 2);

    second_peer.write_all(&long).await.unwrap();
    assert!(poll_immediate(second.next::<String>()).await.is_none(), "the first one has the only place");
    first_peer.write_all(rest).await.unwrap();
    for reader in [&mut first, &mut second] {
        assert_eq!(reader.next::<String>().await.unwrap().unwrap().len() as u64, FREE_BYTES * 4);
    }
    assert_eq!(places.available_permits(), 1);
}

#[tokio::test(start_paused = true)]
async fn who_does_not_end_a_long_frame_loses_the_place_with_the_connection() {
    let places = Arc::new(Semaphore::new(1));
    let ((mut first_peer, mut first), (mut second_peer, mut second)) = (sharing(&places), sharing(&places));
    let long = framed_text(FREE_BYTES * 4);
    first_peer.write_all(&long[..long.len() - 1]).await.unwrap();
    assert!(poll_immediate(first.next::<String>()).await.is_none());
    second_peer.write_all(&long[..long.len() / 2]).await.unwrap();
    let waiting = tokio::time::Instant::now();
    assert!(matches!(first.next::<String>().await, Err(ReadError::Stalled(_))));
    drop(first);
    second_peer.write_all(&long[long.len() / 2..]).await.unwrap();
    assert!(second.next::<String>().await.unwrap().is_some());
    assert!(waiting.elapsed() <= TIMEOUT);
}
