//! What a session has to say, bounded in bytes.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use muster_protocol::codec::{self, MAX_FRAME_BYTES};
use muster_protocol::shared_writer::{GivenUp, SharedWriter};
use muster_protocol::{Error, ErrorCode, RequestId, ServerBody, ServerFrame};
use tokio::net::unix::OwnedWriteHalf;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes that may wait to be written to one peer. One frame always fits.
const MAX_WAITING_BYTES: usize = 2 * MAX_FRAME_BYTES;

/// What a frame costs beside its bytes, about: the smallest ones must not be many more than the room was meant for.
const FRAME_BYTES: usize = 64;

/// A frame's part of what may wait for its session, and for all sessions of its user.
type Room = (OwnedSemaphorePermit, OwnedSemaphorePermit);

/// Takes frames; dropped when the last of them was put in.
pub struct Outbox {
    room: Arc<Semaphore>,
    room_of_user: Arc<Semaphore>,
    writer: Arc<SharedWriter<Room>>,
}

/// Writes what an [`Outbox`] could not write at once.
pub struct Outgoing(Arc<SharedWriter<Room>>);

/// The session is over: nobody reads any more.
#[derive(Debug)]
pub struct SessionOver;

impl From<GivenUp> for SessionOver {
    fn from(GivenUp: GivenUp) -> Self {
        Self
    }
}

/// Frames for this peer, with room that its user's sessions share.
pub fn outbox(peer: OwnedWriteHalf, room_of_user: Arc<Semaphore>) -> (Outbox, Outgoing) {
    let writer = Arc::new(SharedWriter::new(peer));
    let outbox = Outbox { room: Arc::new(Semaphore::new(MAX_WAITING_BYTES)), room_of_user, writer: writer.clone() };
    (outbox, Outgoing(writer))
}

impl Outbox {
    /// Says something, as soon as there is room.
    pub async fn send(&self, frame: ServerFrame) -> Result<(), SessionOver> {
        self.put(frame).await?;
        self.flush();
        Ok(())
    }

    /// Puts a frame in, as soon as there is room, to go out with the next flush at the latest. An answer that fits into
    /// no frame becomes an error that says so.
    pub async fn put(&self, frame: ServerFrame) -> Result<(), SessionOver> {
        let body = match codec::encode(&frame) {
            Ok(body) => body,
            Err(error) => {
                let error = Error::new(ErrorCode::Internal, format!("the answer cannot be sent: {error}"))
                    .with_remedy("ask for less at once, for example with a smaller page or fewer log lines");
                codec::encode(&in_place_of(&frame.body, frame.id, error)).map_err(|_| SessionOver)?
            }
        };
        let bytes = u32::try_from(body.len() + FRAME_BYTES).unwrap_or(u32::MAX);
        let room = (self.take(&self.room, bytes).await?, self.take(&self.room_of_user, bytes).await?);
        Ok(self.writer.feed(&body, room)?)
    }

    async fn take(&self, room: &Arc<Semaphore>, bytes: u32) -> Result<OwnedSemaphorePermit, SessionOver> {
        if let Ok(taken) = room.clone().try_acquire_many_owned(bytes) {
            return Ok(taken);
        }
        // What was put in and not flushed would keep its room for ever.
        self.flush();
        room.clone().acquire_many_owned(bytes).await.map_err(|_| SessionOver)
    }

    /// Writes what was put in, together.
    pub fn flush(&self) {
        self.writer.flush();
    }
}

impl Drop for Outbox {
    fn drop(&mut self) {
        self.writer.close();
    }
}

fn in_place_of(body: &ServerBody, id: RequestId, error: Error) -> ServerFrame {
    match body {
        ServerBody::Answer(_) => ServerFrame::answer(id, Err(error)),
        ServerBody::Item(_) | ServerBody::End(_) | ServerBody::Credit(_) => ServerFrame::end(id, Err(error)),
    }
}

impl Outgoing {
    /// Writes until the outbox is dropped. A peer that takes nothing for `limit` is given up.
    pub async fn write(self, limit: Duration) -> io::Result<()> {
        self.0.drain(limit).await
    }
}

#[cfg(test)]
mod tests {
    use futures::future::poll_immediate;
    use tokio::net::UnixStream;

    use super::*;

    /// A session of a peer that reads nothing.
    fn session(room_of_user: &Arc<Semaphore>) -> (Outbox, Outgoing, UnixStream) {
        let (own, peer) = UnixStream::pair().unwrap();
        let (outbox, outgoing) = outbox(own.into_split().1, room_of_user.clone());
        (outbox, outgoing, peer)
    }

    fn frame_of(bytes: usize) -> ServerFrame {
        ServerFrame::answer(1, Err(Error::new(ErrorCode::Internal, "x".repeat(bytes))))
    }

    #[tokio::test]
    async fn what_waits_for_all_sessions_of_a_user_is_bounded_and_a_session_that_ends_gives_its_room_back() {
        let room_of_user = Arc::new(Semaphore::new(6 << 20));
        let (first, first_outgoing, _first_peer) = session(&room_of_user);
        let (second, _second_outgoing, _second_peer) = session(&room_of_user);
        first.send(frame_of(3 << 20)).await.unwrap();
        second.send(frame_of(2 << 20)).await.unwrap();
        let mut third = Box::pin(second.send(frame_of(2 << 20)));
        assert!(poll_immediate(&mut third).await.is_none(), "the session has room, and its user has not");
        let given_up = first_outgoing.write(Duration::from_millis(1)).await.unwrap_err();
        assert_eq!(given_up.kind(), io::ErrorKind::TimedOut);
        third.await.unwrap();
        assert!(room_of_user.available_permits() < 3 << 20);
    }
}
