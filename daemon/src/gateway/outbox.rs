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

/// Takes frames; dropped when the last of them was put in.
pub struct Outbox {
    room: Arc<Semaphore>,
    writer: Arc<SharedWriter<OwnedSemaphorePermit>>,
}

/// Writes what an [`Outbox`] could not write at once.
pub struct Outgoing(Arc<SharedWriter<OwnedSemaphorePermit>>);

/// The session is over: nobody reads any more.
#[derive(Debug)]
pub struct SessionOver;

impl From<GivenUp> for SessionOver {
    fn from(GivenUp: GivenUp) -> Self {
        Self
    }
}

/// Frames for this peer.
pub fn outbox(peer: OwnedWriteHalf) -> (Outbox, Outgoing) {
    let writer = Arc::new(SharedWriter::new(peer));
    (Outbox { room: Arc::new(Semaphore::new(MAX_WAITING_BYTES)), writer: writer.clone() }, Outgoing(writer))
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
        let room = match self.room.clone().try_acquire_many_owned(bytes) {
            Ok(room) => room,
            Err(_) => {
                // What was put in and not flushed would keep its room for ever.
                self.flush();
                self.room.clone().acquire_many_owned(bytes).await.map_err(|_| SessionOver)?
            }
        };
        Ok(self.writer.feed(&body, room)?)
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
