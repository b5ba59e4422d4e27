//! One connection: frames in, requests side by side, frames out.
//!
//! ```text
//!            ┌ reader ──┐          answers at once          ┌────────┐
//!  socket ──▶│ frames   │──────────────────────────────────▶│ outbox │──▶ socket, at once or when it has room
//!            │ dispatch │─────▶┌ a task for what waits ┐───▶└────────┘
//!            └──────────┘ Work │ deadline, items       │ frames
//!                    Credit ──▶│ of a stream           │
//!                    Cancel ──▶└───────────────────────┘
//! ```
//! What needs no waiting, which is nearly every read, is answered where it is read; the rest runs side by side.
//! Whatever a peer sends touches nothing beyond its own session: reader, tasks and outbox are its own and bounded.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};

use futures::FutureExt;
use muster_protocol::credit::Credit;
use muster_protocol::handshake::{self, HandshakeError};
use muster_protocol::hello::Hello;
use muster_protocol::stream::{FrameReader, ReadError};
use muster_protocol::{ClientBody, ClientFrame, Error, ErrorCode, RequestId, ServerFrame};
use tokio::net::UnixStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, info};

use super::context::Context;
use super::meters::Meters;
use super::outbox::{Outbox, SessionOver, outbox};
use super::request::{self, Running};
use super::roles::{self, Caller};

/// A place among the requests that one session may have under way; free again when dropped.
pub(super) type Place = OwnedSemaphorePermit;

/// What the tasks of one session share.
pub(super) struct Session {
    pub(super) context: Arc<Context>,
    pub(super) caller: Caller,
    pub(super) outbox: Outbox,
    pub(super) running: Mutex<HashMap<RequestId, Running>>,
    pub(super) requests: TaskTracker,
    pub(super) meters: Meters,
    room: Arc<Semaphore>,
    /// Ends everything that only this session wants.
    over: CancellationToken,
}

/// This build, as it introduces itself.
pub fn hello() -> Hello {
    Hello::of_this_build(concat!("musterd ", env!("CARGO_PKG_VERSION")))
}

/// Serves a connection until its peer goes, breaks the protocol, or the daemon stops. Its long frames are read with one of
/// the user's places.
pub async fn serve(context: Arc<Context>, mut stream: UnixStream, long_frames: Arc<Semaphore>) {
    let limits = context.limits.clone();
    let greeted = timeout(limits.handshake, async {
        let identity = roles::identify(&stream).await?;
        handshake::accept(&mut stream, &hello(), limits.handshake).await.map(|agreed| (identity, agreed))
    });
    let (identity, agreed) = match greeted.await.unwrap_or(Err(HandshakeError::TimedOut(limits.handshake))) {
        Ok(greeted) => greeted,
        Err(error) => {
            debug!(cause = %error, "no session");
            metrics::counter!("muster_handshakes_failed_total").increment(1);
            return;
        }
    };
    let caller =
        Caller { uid: identity.uid, role: context.access.role(&identity, rustix::process::geteuid().as_raw()) };
    debug!(uid = caller.uid, role = ?caller.role, client = %agreed.peer.build, "session begins");

    let (read_half, write_half) = stream.into_split();
    let (outbox, outgoing) = outbox(write_half);
    let over = CancellationToken::new();
    let room = Arc::new(Semaphore::new(limits.requests_per_session));
    let session = Session {
        context,
        caller,
        outbox,
        running: Mutex::default(),
        requests: TaskTracker::new(),
        meters: Meters::default(),
        room,
        over: over.clone(),
    };
    let session = Arc::new(session);
    // However the session ends, what only it wanted ends with it.
    let _over = over.clone().drop_guard();
    let writer = async {
        let written = outgoing.write(limits.frame).await;
        if let Err(error) = &written {
            debug!(cause = %error, "a peer takes nothing any more");
        }
        over.cancel();
    };
    let reader = async {
        let mut reader = FrameReader::sharing(read_half, limits.frame, long_frames);
        session.read(&mut reader).await;
        session.outbox.flush();
        // What was asked for is still answered, if the peer only closed its own half or the daemon stops.
        session.end_requests().await;
        drop(session);
    };
    tokio::join!(writer, reader);
}

impl Session {
    async fn read(self: &Arc<Self>, reader: &mut FrameReader<impl tokio::io::AsyncRead + Unpin>) {
        let mut over = pin!(self.over.cancelled());
        let mut stopping = pin!(self.context.stopping.cancelled());
        loop {
            let frame = match reader.next::<ClientFrame>().now_or_never() {
                Some(frame) => frame,
                None => {
                    // Requests that came together are answered together.
                    self.outbox.flush();
                    tokio::select! {
                        frame = reader.next::<ClientFrame>() => frame,
                        () = &mut over => return,
                        () = &mut stopping => return,
                    }
                }
            };
            let accepted = match frame {
                Ok(Some(frame)) => self.accept(frame).await,
                Ok(None) => return self.end_streams(),
                Err(ReadError::Io(_) | ReadError::Truncated) => {
                    self.over.cancel();
                    return;
                }
                Err(error @ (ReadError::TooLarge | ReadError::Stalled(_) | ReadError::Malformed(_))) => {
                    Err(Broken::Protocol(error.to_string()))
                }
            };
            match accepted {
                // Frames that are there already need not be waited for: a session with many lets others have their turn.
                Ok(()) => tokio::task::coop::consume_budget().await,
                Err(Broken::Gone) => return,
                Err(Broken::Protocol(message)) => {
                    info!(uid = self.caller.uid, cause = %message, "a client broke the protocol");
                    metrics::counter!("muster_protocol_errors_total").increment(1);
                    let error = Error::new(ErrorCode::Protocol, message)
                        .with_remedy("use the muster command or library that came with this daemon");
                    // Request 0 is nobody's in particular: the connection is meant.
                    let last_word = self.outbox.send(ServerFrame::answer(0, Err(error)));
                    let _ = timeout(self.context.limits.handshake, last_word).await;
                    self.over.cancel();
                    return;
                }
            }
        }
    }

    async fn accept(self: &Arc<Self>, ClientFrame { id, body }: ClientFrame) -> Result<(), Broken> {
        match body {
            ClientBody::Request(request) => {
                if self.lock_running().contains_key(&id) {
                    return Err(Broken::Protocol(format!("request {id} is under way already")));
                }
                Ok(request::begin(self, id, *request).await?)
            }
            ClientBody::Credit(items) => {
                // Credit and the end of a stream may cross on their way.
                let Some(running) = self.lock_running().get(&id).cloned() else { return Ok(()) };
                running.credit.grant(items).map_err(|error| Broken::Protocol(error.to_string()))
            }
            ClientBody::Cancel => {
                if let Some(running) = self.lock_running().remove(&id) {
                    running.cancelled.cancel();
                }
                Ok(())
            }
        }
    }

    /// The peer has closed its half: no credit can come any more.
    fn end_streams(&self) {
        for running in self.lock_running().values().filter(|running| running.is_stream) {
            running.cancelled.cancel();
        }
    }

    /// Lets requests under way end: streams are told that the daemon stops, the rest is answered in its own time.
    async fn end_requests(&self) {
        self.requests.close();
        tokio::select! {
            () = self.requests.wait() => {}
            () = self.over.cancelled() => {}
            () = tokio::time::sleep(self.context.limits.change) => self.over.cancel(),
        }
    }

    /// A place for one more request under way, if there is one.
    pub(super) fn place(&self) -> Option<Place> {
        self.room.clone().try_acquire_owned().ok()
    }

    /// Keeps a request that is under way from now on.
    pub(super) fn running(&self, id: RequestId, is_stream: bool) -> Running {
        let running = Running { credit: Credit::new(), cancelled: self.over.child_token(), is_stream };
        self.lock_running().insert(id, running.clone());
        running
    }

    pub(super) fn lock_running(&self) -> std::sync::MutexGuard<'_, HashMap<RequestId, Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why nothing more is read.
enum Broken {
    Protocol(String),
    Gone,
}

impl From<SessionOver> for Broken {
    fn from(SessionOver: SessionOver) -> Self {
        Self::Gone
    }
}
