//! The writing half of a connection that many tasks share.
//!
//! Whoever has something to say writes it itself: on a socket with room that costs no change of tasks. What the system
//! does not take at once waits behind it, and one task, in [`SharedWriter::drain`], writes it when there is room again.
//! Nothing here waits while it holds the lock, and no call can tear a frame when it is dropped half-way.
//!
//! How much may wait is for the caller to bound: each frame comes with a place, of whatever kind, that is given back
//! when everything is written.

use std::io;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::net::unix::OwnedWriteHalf;
use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_util::codec::Encoder;

use crate::stream::length_codec;

/// A buffer that became larger than this is not kept.
const KEPT_BYTES: usize = 64 << 10;

/// Writes frames from many tasks. With each frame goes a `P`, which is dropped when the frame is written.
pub struct SharedWriter<P> {
    state: Mutex<WriterState<P>>,
    /// There is something to drain, or nothing more comes.
    changed: Notify,
}

struct WriterState<P> {
    /// None once the connection is given up: from then on frames go nowhere.
    half: Option<Arc<OwnedWriteHalf>>,
    unwritten: BytesMut,
    places: Vec<P>,
    failed: Option<io::Error>,
    is_closed: bool,
}

/// The connection is given up: nobody reads any more.
#[derive(Debug)]
pub struct GivenUp;

impl<P> SharedWriter<P> {
    /// Writes to `half`.
    pub fn new(half: OwnedWriteHalf) -> Self {
        let half = Some(Arc::new(half));
        let state =
            WriterState { half, unwritten: BytesMut::new(), places: Vec::new(), failed: None, is_closed: false };
        Self { state: Mutex::new(state), changed: Notify::new() }
    }

    /// Puts one encoded value ([`codec::encode`](crate::codec::encode)) behind those not written yet.
    pub fn feed(&self, body: &[u8], place: P) -> Result<(), GivenUp> {
        let mut state = self.state();
        if state.half.is_none() {
            return Err(GivenUp);
        }
        length_codec().encode(body, &mut state.unwritten).map_err(|_too_long_for_any_frame| GivenUp)?;
        state.places.push(place);
        Ok(())
    }

    /// Writes as much as the system takes at once, and leaves the rest, or the failure, to [`SharedWriter::drain`].
    pub fn flush(&self) {
        let mut state = self.state();
        state.write();
        if state.failed.is_some() || !state.unwritten.is_empty() {
            self.changed.notify_one();
        }
    }

    /// Nothing more will be fed.
    pub fn close(&self) {
        self.state().is_closed = true;
        self.changed.notify_one();
    }

    /// Writes what could not be written at once, until [`SharedWriter::close`] was called and nothing is left. A peer
    /// that takes nothing for `limit` is an error. When this ends or is dropped, the connection is given up.
    pub fn drain(&self, limit: Duration) -> impl Future<Output = io::Result<()>> {
        // Made here and not in the future: one that is dropped before it was polled ends the connection too.
        let ended = GiveUp(self);
        async move {
            let _ended = ended;
            loop {
                let next = self.state().next()?;
                match next {
                    Next::Wait => self.changed.notified().await,
                    Next::Write(half) => {
                        timeout(limit, half.writable())
                            .await
                            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))?;
                        self.state().write();
                    }
                    Next::End => return Ok(()),
                }
            }
        }
    }

    /// Every section under the lock leaves the state whole, so a poisoned lock is as good.
    fn state(&self) -> MutexGuard<'_, WriterState<P>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is to be drained.
enum Next {
    Wait,
    Write(Arc<OwnedWriteHalf>),
    End,
}

impl<P> WriterState<P> {
    fn write(&mut self) {
        let Some(half) = &self.half else { return };
        if self.unwritten.is_empty() {
            return;
        }
        match half.try_write(&self.unwritten) {
            Ok(written) => self.unwritten.advance(written),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => self.failed = Some(error),
        }
        if self.unwritten.is_empty() {
            self.places.clear();
            if self.unwritten.capacity() > KEPT_BYTES {
                self.unwritten = BytesMut::new();
            }
        }
    }

    fn next(&mut self) -> io::Result<Next> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        Ok(match &self.half {
            Some(half) if !self.unwritten.is_empty() => Next::Write(half.clone()),
            Some(_) if !self.is_closed => Next::Wait,
            Some(_) | None => Next::End,
        })
    }
}

/// Gives the connection up: closes it, and drops what waits with its places.
struct GiveUp<'a, P>(&'a SharedWriter<P>);

impl<P> Drop for GiveUp<'_, P> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.half = None;
        state.unwritten = BytesMut::new();
        let places = mem::take(&mut state.places);
        // Whoever waits for a place finds the connection given up.
        drop(state);
        drop(places);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec;
    use crate::stream::FrameReader;
    use crate::{ClientFrame, Request};
    use futures::future::poll_immediate;
    use tokio::net::UnixStream;
    use tokio::net::unix::OwnedReadHalf;

    const LIMIT: Duration = Duration::from_secs(30);

    async fn writer() -> (Arc<SharedWriter<Arc<()>>>, FrameReader<OwnedReadHalf>, OwnedWriteHalf) {
        let (own, peer) = UnixStream::pair().unwrap();
        own.writable().await.unwrap();
        let (peers_read_half, peers_write_half) = peer.into_split();
        let writer = Arc::new(SharedWriter::new(own.into_split().1));
        (writer, FrameReader::new(peers_read_half, LIMIT), peers_write_half)
    }

    fn frame(id: u64, bytes: usize) -> ClientFrame {
        ClientFrame::request(id, Request::ContainerInfo { id: "x".repeat(bytes) })
    }

    fn say(writer: &SharedWriter<Arc<()>>, frame: &ClientFrame, place: &Arc<()>) -> Result<(), GivenUp> {
        writer.feed(&codec::encode(frame).unwrap(), place.clone())?;
        writer.flush();
        Ok(())
    }

    #[tokio::test]
    async fn a_frame_that_the_system_takes_is_written_by_whoever_says_it() {
        let (writer, mut reader, _peer) = writer().await;
        let place = Arc::new(());
        say(&writer, &frame(1, 100), &place).unwrap();
        assert_eq!(Arc::strong_count(&place), 1);
        assert_eq!(reader.next().await.unwrap(), Some(frame(1, 100)));
    }

    #[tokio::test]
    async fn frames_larger_than_the_socket_arrive_whole_and_in_order_and_give_their_places_back() {
        let (writer, mut reader, _peer) = writer().await;
        let place = Arc::new(());
        for id in 0..10 {
            say(&writer, &frame(id, 1 << 20), &place).unwrap();
        }
        assert!(Arc::strong_count(&place) > 1, "the system took more than a socket holds");
        writer.close();
        let read = async {
            for id in 0..10 {
                assert_eq!(reader.next().await.unwrap(), Some(frame(id, 1 << 20)));
            }
            assert_eq!(reader.next::<ClientFrame>().await.unwrap(), None);
        };
        let (drained, ()) = tokio::join!(writer.drain(LIMIT), read);
        drained.unwrap();
        assert_eq!(Arc::strong_count(&place), 1);
        assert!(say(&writer, &frame(1, 1), &place).is_err(), "it was closed");
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_takes_nothing_is_given_up() {
        let (writer, _reader, _peer) = writer().await;
        let place = Arc::new(());
        say(&writer, &frame(1, 3 << 20), &place).unwrap();
        let error = writer.drain(LIMIT).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(Arc::strong_count(&place), 1);
    }

    #[tokio::test]
    async fn a_peer_that_is_gone_is_an_error_for_the_one_who_drains() {
        let (writer, reader, peer) = writer().await;
        let mut draining = Box::pin(writer.drain(LIMIT));
        assert!(poll_immediate(&mut draining).await.is_none());
        drop((reader, peer));
        say(&writer, &frame(1, 1), &Arc::new(())).unwrap();
        assert_eq!(draining.await.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }

    #[tokio::test]
    async fn a_dropped_drain_closes_the_connection() {
        let (writer, mut reader, _peer) = writer().await;
        drop(writer.drain(LIMIT));
        assert_eq!(reader.next::<ClientFrame>().await.unwrap(), None);
    }
}
