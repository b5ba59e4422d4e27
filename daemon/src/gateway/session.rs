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
//! Whatever a peer sends touches nothing beyond its own connection: reader, tasks and outbox are its own and bounded.

use std::pin::pin;
use std::sync::{Arc, Mutex};

use futures::FutureExt;
use muster_protocol::handshake::{self, HandshakeError};
use muster_protocol::hello::Hello;
use muster_protocol::stream::{FrameReader, ReadError};
use muster_protocol::{Asker, ClientBody, ClientFrame, Error, ErrorCode, ServerFrame};
use tokio::net::UnixStream;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, info};

use super::accept::OfUser;
use super::connection::Connection;
use super::meters::Meters;
use super::outbox::{SessionOver, outbox};
use super::request;
use super::roles;
use crate::app::App;

/// This build, as it introduces itself.
pub fn hello() -> Hello {
    Hello::of_this_build(concat!("musterd ", env!("CARGO_PKG_VERSION")))
}

/// Serves a connection until its peer goes, breaks the protocol or asks for nothing for long, or the daemon stops. Its long
/// frames and what waits to be written take of what its user has.
pub async fn serve(app: Arc<App>, mut stream: UnixStream, of_user: OfUser) {
    let limits = app.limits.clone();
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
    let caller = app.roles.caller(&identity, rustix::process::geteuid().as_raw());
    debug!(uid = caller.uid, role = ?caller.role, client = %agreed.peer.build, "session begins");

    let (read_half, write_half) = stream.into_split();
    let (outbox, outgoing) = outbox(write_half, of_user.unwritten);
    let over = CancellationToken::new();
    let room = Arc::new(Semaphore::new(limits.requests_per_session));
    let connection = Connection {
        app,
        caller,
        agreed,
        outbox,
        running: Mutex::default(),
        requests: TaskTracker::new(),
        meters: Meters::default(),
        room,
        over: over.clone(),
    };
    let connection = Arc::new(connection);
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
        let mut reader = FrameReader::sharing(read_half, limits.frame, of_user.long_frames);
        connection.read(&mut reader).await;
        connection.outbox.flush();
        // What was asked for is still answered, if the peer only closed its own half or the daemon stops.
        connection.end_requests().await;
        drop(connection);
    };
    tokio::join!(writer, reader);
}

impl Connection {
    async fn read(self: &Arc<Self>, reader: &mut FrameReader<impl tokio::io::AsyncRead + Unpin>) {
        let mut over = pin!(self.over.cancelled());
        let mut stopping = pin!(self.app.stopping.cancelled());
        loop {
            let frame = match reader.next::<ClientFrame>().now_or_never() {
                Some(frame) => frame,
                None => {
                    // Requests that came together are answered together.
                    self.outbox.flush();
                    tokio::select! {
                        frame = reader.next::<ClientFrame>() => frame,
                        () = self.idle() => return debug!(uid = self.caller.uid, "a peer asks for nothing any more"),
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
                    let _ = timeout(self.app.limits.handshake, last_word).await;
                    self.over.cancel();
                    return;
                }
            }
        }
    }

    /// Returns when no frame has come for the limit and nothing is under way.
    async fn idle(&self) {
        loop {
            sleep(self.app.limits.idle).await;
            if self.lock_running().is_empty() {
                return;
            }
        }
    }

    async fn accept(self: &Arc<Self>, ClientFrame { id, body }: ClientFrame) -> Result<(), Broken> {
        match body {
            ClientBody::Request { on_behalf_of, request } => {
                if self.lock_running().contains_key(&id) {
                    return Err(Broken::Protocol(format!("request {id} is under way already")));
                }
                let asker = on_behalf_of.map(|principal| Asker { principal: *principal, address: None });
                Ok(request::begin(self, id, asker, *request).await?)
            }
            ClientBody::RequestFrom { on_behalf_of, address, request } => {
                if self.lock_running().contains_key(&id) {
                    return Err(Broken::Protocol(format!("request {id} is under way already")));
                }
                let asker = Asker { principal: *on_behalf_of, address: Some(address) };
                Ok(request::begin(self, id, Some(asker), *request).await?)
            }
            ClientBody::Credit(items) => {
                // Credit and the end of a stream may cross on their way.
                let Some(running) = self.lock_running().get(&id).cloned() else { return Ok(()) };
                running.credit.grant(items).map_err(|error| Broken::Protocol(error.to_string()))
            }
            ClientBody::Item(item) => {
                // The last items and the end of a stream may cross on their way.
                let Some(running) = self.lock_running().get(&id).cloned() else { return Ok(()) };
                running.hear(item).map_err(|message| Broken::Protocol(message.to_owned()))
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
            () = sleep(self.app.limits.change) => self.over.cancel(),
        }
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
