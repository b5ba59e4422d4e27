//! One connection to the daemon, and the task that reads from it.
//!
//! Whoever asks writes the request, and the task writes what did not go out at once, so a call that is dropped half-way
//! cannot tear a frame. The task ends when the connection is lost, or soon after the last handle is dropped.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use muster_protocol::handshake::{self, Agreed, HandshakeError};
use muster_protocol::hello::{Hello, Refusal};
use muster_protocol::shared_writer::SharedWriter;
use muster_protocol::stream::{FRAME_TIMEOUT, FrameReader, ReadError};
use muster_protocol::{ClientFrame, RequestId, ServerFrame, codec};
use tokio::io::AsyncRead;
use tokio::net::UnixStream;
use tokio::net::unix::OwnedReadHalf;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::ClientError;
use crate::pending::{Lost, Pending};

/// How many requests may wait to be written. More wait without being encoded, so a daemon that stops reading costs a
/// bounded amount of memory.
const MAX_UNWRITTEN_REQUESTS: usize = 256;

/// How long what is under way may take once the connection is given up: frames that the daemon sent before it closed,
/// cancellations that the last handle left behind.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// The pause between two tries while the daemon has more new connections than it accepts.
const FULL_QUEUE_PAUSE: Duration = Duration::from_millis(10);

/// How to connect.
#[derive(Clone, Debug)]
pub(crate) struct Address {
    pub(crate) socket: PathBuf,
    pub(crate) program: String,
    pub(crate) connect_timeout: Duration,
}

/// A daemon that is slow to read is waited for: what is asked for waits with it.
const PATIENCE_FOR_A_SLOW_READER: Duration = Duration::MAX;

/// Writes requests, which come with their place in the queue, and what else there is to say, which needs none.
type Writer = SharedWriter<Option<OwnedSemaphorePermit>>;

/// A handle to one connection.
pub(crate) struct Connection {
    writer: Arc<Writer>,
    room: Arc<Semaphore>,
    pub(crate) pending: Arc<Pending>,
    /// What both sides agreed on when they said hello.
    pub(crate) agreed: Agreed,
    _closes_on_drop: DropGuard,
}

impl Connection {
    /// Connects and agrees on a version. Tries once.
    pub(crate) async fn open(address: &Address) -> Result<Arc<Self>, ClientError> {
        let failed = |source| ClientError::Connect { socket: address.socket.clone(), source };
        let hello = Hello::of_this_build(&address.program);
        let connecting = timeout(address.connect_timeout, connect_when_there_is_room(&address.socket));
        let mut stream = connecting.await.map_err(|elapsed| failed(elapsed.into()))?.map_err(failed)?;
        let agreed = handshake::connect(&mut stream, &hello, address.connect_timeout)
            .await
            .map_err(|error| handshake_error(error, address, &hello))?;

        let (read_half, write_half) = stream.into_split();
        let writer = Arc::new(Writer::new(write_half));
        let pending = Arc::new(Pending::default());
        let closing = CancellationToken::new();
        tokio::spawn(run(read_half, Arc::clone(&writer), EndOfConnection(Arc::clone(&pending)), closing.clone()));
        let room = Arc::new(Semaphore::new(MAX_UNWRITTEN_REQUESTS));
        Ok(Arc::new(Self { writer, room, pending, agreed, _closes_on_drop: closing.drop_guard() }))
    }

    /// Waits for a place in the queue of requests.
    pub(crate) async fn room(&self) -> Option<OwnedSemaphorePermit> {
        // The semaphore is never closed.
        Arc::clone(&self.room).acquire_owned().await.ok()
    }

    /// Writes a frame behind those before it, or has it written as soon as the daemon reads. Requests come with their
    /// place; credit and cancellations need none, because they are few for each request. If the connection is lost,
    /// whoever waits learns it from [`Pending`].
    pub(crate) fn say(&self, body: &[u8], room: Option<OwnedSemaphorePermit>) {
        let _lost = self.writer.feed(body, room);
        self.writer.flush();
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.writer.close();
    }
}

/// A request that is in flight: forgotten, and cancelled if the daemon still works on it, when this is dropped.
pub(crate) struct InFlight {
    pub(crate) connection: Arc<Connection>,
    pub(crate) id: RequestId,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if self.connection.pending.forget(self.id)
            && let Ok(body) = codec::encode(&ClientFrame::cancel(self.id))
        {
            self.connection.say(&body, None);
        }
    }
}

/// A Unix socket whose queue of connections is full says so at once instead of waiting.
async fn connect_when_there_is_room(socket: &Path) -> io::Result<UnixStream> {
    loop {
        match UnixStream::connect(socket).await {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => sleep(FULL_QUEUE_PAUSE).await,
            result => return result,
        }
    }
}

fn handshake_error(error: HandshakeError, address: &Address, own: &Hello) -> ClientError {
    let socket = address.socket.clone();
    match error {
        HandshakeError::Io(source) => ClientError::Connect { socket, source },
        HandshakeError::TimedOut(_) => {
            ClientError::Connect { socket, source: io::Error::new(io::ErrorKind::TimedOut, error.to_string()) }
        }
        HandshakeError::Malformed(malformed) => ClientError::Handshake { socket, message: malformed.to_string() },
        HandshakeError::Refused { refusal: Refusal::NoSharedVersion, text: _, peer } => {
            ClientError::VersionMismatch { client: own.versions, daemon: peer.versions, daemon_build: peer.build }
        }
        HandshakeError::Refused {
            refusal: refusal @ (Refusal::Busy | Refusal::Stopping | Refusal::Other(_)),
            text,
            ..
        } => ClientError::Refused { socket, refusal, message: text },
    }
}

/// Tells everyone who waits, also if the task is dropped with its runtime.
struct EndOfConnection(Arc<Pending>);

impl Drop for EndOfConnection {
    fn drop(&mut self) {
        self.0.lose(Lost::Closed("the client was stopped".to_owned()));
    }
}

async fn run(read_half: OwnedReadHalf, writer: Arc<Writer>, end: EndOfConnection, closing: CancellationToken) {
    let mut reading = std::pin::pin!(read_frames(read_half, &end.0));
    let closed_for_good = async {
        closing.cancelled().await;
        sleep(LAST_WORDS).await;
    };
    let lost = tokio::select! {
        lost = &mut reading => lost,
        written = writer.drain(PATIENCE_FOR_A_SLOW_READER) => match written {
            // The last handle is gone, and all is written.
            Ok(()) => return,
            // What the daemon sent before it closed can still be read.
            Err(error) => {
                let unread = timeout(LAST_WORDS, reading).await;
                unread.unwrap_or_else(|_| Lost::Closed(format!("writing failed: {error}")))
            }
        },
        () = closed_for_good => return,
    };
    end.0.lose(lost);
}

async fn read_frames(read_half: impl AsyncRead + Unpin, pending: &Pending) -> Lost {
    let mut reader = FrameReader::new(read_half, FRAME_TIMEOUT);
    loop {
        let delivered = match reader.next::<ServerFrame>().await {
            Ok(Some(frame)) => pending.deliver(frame),
            Ok(None) => return Lost::Closed("the daemon closed it".to_owned()),
            Err(error @ (ReadError::Io(_) | ReadError::Truncated | ReadError::Stalled(_))) => {
                return Lost::Closed(error.to_string());
            }
            Err(error @ (ReadError::TooLarge | ReadError::Malformed(_))) => return Lost::Broken(error.to_string()),
        };
        if let Err(lost) = delivered {
            return lost;
        }
    }
}
