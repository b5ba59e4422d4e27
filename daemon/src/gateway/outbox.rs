//! What a session has to say: a queue that is bounded in bytes, and the one task that writes it.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use muster_protocol::codec::{self, MAX_FRAME_BYTES};
use muster_protocol::stream::FrameWriter;
use muster_protocol::{Error, ErrorCode, RequestId, ServerBody, ServerFrame};
use tokio::io::AsyncWrite;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::timeout;

/// Bytes that may wait to be written to one peer. One frame always fits.
const MAX_WAITING_BYTES: usize = 2 * MAX_FRAME_BYTES;

/// Frames that may wait: small ones cost more than their bytes.
const MAX_WAITING_FRAMES: usize = 256;

/// Puts frames into the queue. Clones share it.
#[derive(Clone)]
pub struct Outbox {
    room: Arc<Semaphore>,
    queue: mpsc::Sender<Waiting>,
}

/// The other end of an [`Outbox`].
pub struct Outgoing {
    queue: mpsc::Receiver<Waiting>,
}

struct Waiting {
    body: Bytes,
    _room: OwnedSemaphorePermit,
}

/// The session is over: nobody reads any more.
#[derive(Debug)]
pub struct SessionOver;

/// A new queue.
pub fn outbox() -> (Outbox, Outgoing) {
    let (queue, outgoing) = mpsc::channel(MAX_WAITING_FRAMES);
    (Outbox { room: Arc::new(Semaphore::new(MAX_WAITING_BYTES)), queue }, Outgoing { queue: outgoing })
}

impl Outbox {
    /// Queues a frame, as soon as there is room. An answer that fits into no frame becomes an error that says so.
    pub async fn send(&self, frame: ServerFrame) -> Result<(), SessionOver> {
        let body = match codec::encode(&frame) {
            Ok(body) => body,
            Err(error) => {
                let error = Error::new(ErrorCode::Internal, format!("the answer cannot be sent: {error}"))
                    .with_remedy("ask for less at once, for example with a smaller page or fewer log lines");
                codec::encode(&in_place_of(&frame.body, frame.id, error)).map_err(|_| SessionOver)?
            }
        };
        let bytes = u32::try_from(body.len()).unwrap_or(u32::MAX);
        let room = self.room.clone().acquire_many_owned(bytes).await.map_err(|_| SessionOver)?;
        self.queue.send(Waiting { body, _room: room }).await.map_err(|_| SessionOver)
    }
}

fn in_place_of(body: &ServerBody, id: RequestId, error: Error) -> ServerFrame {
    match body {
        ServerBody::Answer(_) => ServerFrame::answer(id, Err(error)),
        ServerBody::Item(_) | ServerBody::End(_) => ServerFrame::end(id, Err(error)),
    }
}

impl Outgoing {
    /// Writes until every outbox is dropped. A peer that takes nothing for `limit` is given up.
    pub async fn write(mut self, peer: impl AsyncWrite + Unpin, limit: Duration) -> io::Result<()> {
        let mut writer = FrameWriter::new(peer);
        while let Some(waiting) = self.queue.recv().await {
            within(limit, writer.feed(waiting.body)).await?;
            while let Ok(waiting) = self.queue.try_recv() {
                within(limit, writer.feed(waiting.body)).await?;
            }
            within(limit, writer.flush()).await?;
        }
        Ok(())
    }
}

async fn within(limit: Duration, write: impl Future<Output = io::Result<()>>) -> io::Result<()> {
    timeout(limit, write).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}
