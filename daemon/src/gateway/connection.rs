//! A connection, as its reader, its requests and its outbox share it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use muster_protocol::credit::Credit;
use muster_protocol::duplex::MAX_CHUNK_BYTES;
use muster_protocol::handshake::Agreed;
use muster_protocol::{RequestId, StreamInput};
use tokio::sync::mpsc::{self, error::TrySendError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::meters::Meters;
use super::outbox::Outbox;
use super::roles::Caller;
use crate::app::App;

/// A place among the requests that one session may have under way; free again when dropped.
pub(super) type Place = OwnedSemaphorePermit;

/// What the tasks of one connection share.
pub(super) struct Connection {
    pub(super) app: Arc<App>,
    pub(super) caller: Caller,
    /// What both sides agreed on when they said hello.
    pub(super) agreed: Agreed,
    pub(super) outbox: Outbox,
    pub(super) running: Mutex<HashMap<RequestId, Running>>,
    pub(super) requests: TaskTracker,
    pub(super) meters: Meters,
    pub(super) room: Arc<Semaphore>,
    /// Ends everything that only this session wants.
    pub(super) over: CancellationToken,
}

impl Connection {
    /// A place for one more request under way, if there is one.
    pub(super) fn place(&self) -> Option<Place> {
        self.room.clone().try_acquire_owned().ok()
    }

    /// Keeps a request that is under way from now on.
    pub(super) fn running(
        &self,
        id: RequestId,
        is_stream: bool,
        input: Option<mpsc::Sender<StreamInput>>,
        token: Option<Arc<str>>,
    ) -> Running {
        let running = Running { credit: Credit::new(), cancelled: self.over.child_token(), is_stream, input, token };
        self.lock_running().insert(id, running.clone());
        running
    }

    pub(super) fn lock_running(&self) -> std::sync::MutexGuard<'_, HashMap<RequestId, Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The reader's handle to a request under way.
#[derive(Clone)]
pub(super) struct Running {
    /// What a stream may still send.
    pub(super) credit: Credit,
    /// The caller is no longer interested, or gone.
    pub(super) cancelled: CancellationToken,
    /// Whether it goes on until somebody ends it.
    pub(super) is_stream: bool,
    /// Where its input goes, if it takes any.
    pub(super) input: Option<mpsc::Sender<StreamInput>>,
    /// The name of the token whose holder asks, with which a stream ends.
    pub(super) token: Option<Arc<str>>,
}

impl Running {
    /// Takes one item of input, or says how the peer broke the protocol.
    pub(super) fn hear(&self, item: StreamInput) -> Result<(), &'static str> {
        if matches!(&item, StreamInput::Bytes(bytes) if bytes.len() > MAX_CHUNK_BYTES) {
            return Err("an item of a stream is too large");
        }
        let Some(input) = &self.input else { return Err("an item came for a request that takes none") };
        match input.try_send(item) {
            Ok(()) | Err(TrySendError::Closed(_)) => Ok(()),
            Err(TrySendError::Full(_)) => Err("more items came for a stream than were granted"),
        }
    }
}
