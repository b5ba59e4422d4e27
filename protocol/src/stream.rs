//! Frames on a connection: `u32` length, big-endian, then so many bytes.
//!
//! A reader gives up on a peer that begins a frame and does not end it in time, or announces one that is too large.
//! After any error the place in the stream is lost, and the connection can only be closed.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::BytesMut;
use futures::StreamExt;
use serde::de::DeserializeOwned;
use tokio::io::AsyncRead;
use tokio::sync::Semaphore;
use tokio::time::{Sleep, sleep};
use tokio_util::codec::{Decoder, FramedRead, LengthDelimitedCodec};

use crate::codec::{self, DecodeError, MAX_FRAME_BYTES};
use crate::room::FrameRoom;

/// How long a peer may take to end a frame that it has begun, if nothing else is said.
pub const FRAME_TIMEOUT: Duration = Duration::from_secs(30);

/// Why no further frame can be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The connection failed.
    #[error("the connection failed")]
    Io(#[from] io::Error),
    /// The peer closed the connection in the middle of a frame.
    #[error("the peer closed the connection in the middle of a message")]
    Truncated,
    /// The peer announced a frame that is larger than [`MAX_FRAME_BYTES`].
    #[error("the peer announced a message of more than {MAX_FRAME_BYTES} bytes")]
    TooLarge,
    /// The peer began a frame and did not end it in time.
    #[error("the peer began a message and did not end it in {} ms", .0.as_millis())]
    Stalled(Duration),
    /// The frame is there but says nothing that is known.
    #[error(transparent)]
    Malformed(#[from] DecodeError),
}

/// Reads frames. [`FrameReader::next`] is cancel-safe.
pub struct FrameReader<R> {
    framed: FramedRead<FrameRoom<R>, WatchedCodec>,
    timeout: Duration,
    /// Runs while a frame has begun and not ended.
    deadline: Option<Pin<Box<Sleep>>>,
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    /// Reads from `io`; a frame that has begun must end within `timeout`.
    pub fn new(io: R, timeout: Duration) -> Self {
        Self { framed: FramedRead::new(FrameRoom::new(io, None), WatchedCodec::new()), timeout, deadline: None }
    }

    /// The same, and a frame of more than [`FREE_BYTES`](crate::room::FREE_BYTES) is read only with one of `places`, which
    /// other readers share. Waiting for one is within `timeout` too.
    pub fn sharing(io: R, timeout: Duration, places: Arc<Semaphore>) -> Self {
        Self { framed: FramedRead::new(FrameRoom::new(io, Some(places)), WatchedCodec::new()), timeout, deadline: None }
    }

    /// The next frame's value, or `None` when the peer has closed the connection between two frames.
    pub async fn next<T: DeserializeOwned>(&mut self) -> Result<Option<T>, ReadError> {
        match poll_fn(|cx| self.poll_frame(cx)).await? {
            Some(bytes) => Ok(Some(codec::decode(&bytes)?)),
            None => Ok(None),
        }
    }

    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<BytesMut>, ReadError>> {
        if let Poll::Ready(frame) = self.framed.poll_next_unpin(cx) {
            self.deadline = None;
            let begun = self.framed.read_buffer().len();
            self.framed.get_mut().frame_ended(begun);
            return Poll::Ready(frame.transpose());
        }
        if !self.framed.decoder().in_frame {
            return Poll::Pending;
        }
        let deadline = self.deadline.get_or_insert_with(|| Box::pin(sleep(self.timeout)));
        ready!(deadline.as_mut().poll(cx));
        Poll::Ready(Err(ReadError::Stalled(self.timeout)))
    }
}

/// How frames lie in the stream. Whoever writes them, writes them with this.
pub fn length_codec() -> LengthDelimitedCodec {
    LengthDelimitedCodec::builder().length_field_type::<u32>().max_frame_length(MAX_FRAME_BYTES).new_codec()
}

/// The length codec, with an eye on whether a frame has begun: the codec takes the length out of the buffer, so the
/// buffer alone does not tell.
struct WatchedCodec {
    inner: LengthDelimitedCodec,
    in_frame: bool,
}

impl WatchedCodec {
    fn new() -> Self {
        Self { inner: length_codec(), in_frame: false }
    }
}

impl Decoder for WatchedCodec {
    type Item = BytesMut;
    type Error = ReadError;

    fn decode(&mut self, buffer: &mut BytesMut) -> Result<Option<BytesMut>, ReadError> {
        let had_bytes = !buffer.is_empty();
        // The length codec has one error: a length above its maximum.
        let frame = self.inner.decode(buffer).map_err(|_too_large| ReadError::TooLarge)?;
        self.in_frame = frame.is_none() && (self.in_frame || had_bytes);
        Ok(frame)
    }

    fn decode_eof(&mut self, buffer: &mut BytesMut) -> Result<Option<BytesMut>, ReadError> {
        match self.decode(buffer)? {
            None if self.in_frame => Err(ReadError::Truncated),
            frame => Ok(frame),
        }
    }
}
