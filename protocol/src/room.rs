//! Room for long frames. The bytes of a frame that has begun are kept until it ends, so who reads from many peers bounds
//! what all of them together may begin.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf, Take};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::PollSemaphore;

/// So much of a frame is read without a place.
pub const FREE_BYTES: u64 = 16 << 10;

/// Reads on beyond [`FREE_BYTES`] of a frame only with one of the places, if there are such.
pub(crate) struct FrameRoom<R> {
    io: Take<R>,
    /// Bytes that were read since the last frame ended.
    begun: u64,
    places: Option<PollSemaphore>,
    place: Option<OwnedSemaphorePermit>,
}

impl<R: AsyncRead> FrameRoom<R> {
    pub(crate) fn new(io: R, places: Option<Arc<Semaphore>>) -> Self {
        Self { io: io.take(u64::MAX), begun: 0, places: places.map(PollSemaphore::new), place: None }
    }

    /// A frame has ended; so many bytes of the next one were read with it.
    pub(crate) fn frame_ended(&mut self, begun: usize) {
        self.begun = u64::try_from(begun).unwrap_or(u64::MAX);
        if self.begun < FREE_BYTES {
            self.place = None;
        }
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for FrameRoom<R> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let limit = match &mut this.places {
            Some(_) if this.place.is_some() => u64::MAX,
            Some(_) if this.begun < FREE_BYTES => FREE_BYTES - this.begun,
            Some(places) => {
                // None if nobody counts places any more.
                this.place = ready!(places.poll_acquire(cx));
                u64::MAX
            }
            None => u64::MAX,
        };
        this.io.set_limit(limit);
        let before = buffer.filled().len();
        ready!(Pin::new(&mut this.io).poll_read(cx, buffer))?;
        this.begun += u64::try_from(buffer.filled().len() - before).unwrap_or(0);
        Poll::Ready(Ok(()))
    }
}
