//! Who waits for which frame on one connection.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use muster_protocol::credit::Credit;
use muster_protocol::{Error, RequestId, Response, ServerBody, ServerFrame, StreamItem};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};

use crate::ClientError;

/// The id that no request has: what is answered to it is meant for the connection, and is the last of it.
const NOBODYS: RequestId = 0;

/// Why a connection is of no more use.
#[derive(Clone, Debug)]
pub(crate) enum Lost {
    /// It was closed or failed: a new one may serve.
    Closed(String),
    /// The protocol was broken, by the daemon or, as it says, by us: a new one will not be better.
    Broken(String),
}

impl Lost {
    pub(crate) fn into_error(self, maybe_applied: bool) -> ClientError {
        match self {
            Self::Closed(reason) => ClientError::Lost { maybe_applied, idempotency_key: None, reason },
            Self::Broken(message) => ClientError::Protocol { message },
        }
    }
}

/// What comes for a stream.
pub(crate) enum StreamEvent {
    Item(StreamItem),
    End(Result<(), Error>),
}

enum Waiter {
    Answer(oneshot::Sender<Result<Response, Error>>),
    /// Has room for everything that the daemon was allowed to send. The credit is what the daemon allows us to send.
    Stream(mpsc::Sender<StreamEvent>, Credit),
}

#[derive(Default)]
struct PendingState {
    last_id: RequestId,
    waiting: HashMap<RequestId, Waiter>,
    lost: Option<Lost>,
}

/// The requests in flight on one connection.
#[derive(Default)]
pub(crate) struct Pending(Mutex<PendingState>);

impl Pending {
    /// Every section under the lock leaves the state whole, so a poisoned lock is as good.
    fn state(&self) -> MutexGuard<'_, PendingState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An id that no request of this connection had.
    pub(crate) fn next_id(&self) -> RequestId {
        let mut state = self.state();
        state.last_id += 1;
        state.last_id
    }

    /// Waits for the answer to a request. The receiver sees its sender dropped when the connection is lost.
    pub(crate) fn expect_answer(&self, id: RequestId) -> Result<oneshot::Receiver<Result<Response, Error>>, Lost> {
        let (sender, receiver) = oneshot::channel();
        self.register(id, Waiter::Answer(sender))?;
        Ok(receiver)
    }

    /// Waits for a stream of which at most `window` items are ever on their way.
    pub(crate) fn expect_stream(
        &self,
        id: RequestId,
        window: u32,
        credit: Credit,
    ) -> Result<mpsc::Receiver<StreamEvent>, Lost> {
        let room_for_the_end = 1;
        let (sender, receiver) = mpsc::channel(window as usize + room_for_the_end);
        self.register(id, Waiter::Stream(sender, credit))?;
        Ok(receiver)
    }

    fn register(&self, id: RequestId, waiter: Waiter) -> Result<(), Lost> {
        let mut state = self.state();
        if let Some(lost) = &state.lost {
            return Err(lost.clone());
        }
        state.waiting.insert(id, waiter);
        Ok(())
    }

    /// Nobody waits for this request any more. Returns whether the daemon still owes something for it.
    pub(crate) fn forget(&self, id: RequestId) -> bool {
        self.state().waiting.remove(&id).is_some()
    }

    /// Hands a frame to whoever waits for it. Frames for requests that were cancelled meanwhile are dropped.
    pub(crate) fn deliver(&self, frame: ServerFrame) -> Result<(), Lost> {
        let mut state = self.state();
        let ServerFrame { id, body } = frame;
        if let (NOBODYS, ServerBody::Answer(Err(last_word))) = (id, &body) {
            return Err(Lost::Broken(format!("the daemon says: {}", last_word.message)));
        }
        let Some(waiter) = state.waiting.get(&id) else { return Ok(()) };
        let event = match (waiter, body) {
            (Waiter::Answer(_), ServerBody::Answer(answer)) => {
                if let Some(Waiter::Answer(sender)) = state.waiting.remove(&id) {
                    // The receiver may be gone in this very moment; then nobody wants it.
                    let _nobody_waits = sender.send(answer);
                }
                return Ok(());
            }
            (Waiter::Stream(_, credit), ServerBody::Credit(items)) => {
                return credit.grant(items).map_err(|error| Lost::Broken(error.to_string()));
            }
            (Waiter::Stream(..), ServerBody::Item(item)) => StreamEvent::Item(item),
            (Waiter::Stream(..), ServerBody::End(result)) => StreamEvent::End(result),
            (Waiter::Stream(..), ServerBody::Answer(Err(refusal))) => StreamEvent::End(Err(refusal)),
            (Waiter::Stream(..), ServerBody::Answer(Ok(_))) => {
                return Err(Lost::Broken("the daemon sent an answer to a request for a stream".to_owned()));
            }
            (Waiter::Answer(_), ServerBody::Item(_) | ServerBody::End(_) | ServerBody::Credit(_)) => {
                return Err(Lost::Broken("the daemon sent a stream to a request for an answer".to_owned()));
            }
        };
        let Waiter::Stream(sender, _) = waiter else { return Ok(()) };
        let is_end = matches!(event, StreamEvent::End(_));
        match sender.try_send(event) {
            Ok(()) | Err(TrySendError::Closed(_)) => {}
            Err(TrySendError::Full(_)) => {
                return Err(Lost::Broken("the daemon sent more items of a stream than it was granted".to_owned()));
            }
        }
        if is_end {
            state.waiting.remove(&id);
        }
        Ok(())
    }

    /// The connection is of no more use: everyone who waits is told. The first reason counts.
    pub(crate) fn lose(&self, lost: Lost) {
        let mut state = self.state();
        state.lost.get_or_insert(lost);
        state.waiting.clear();
    }

    /// Whether the connection is of no more use, and why.
    pub(crate) fn lost(&self) -> Option<Lost> {
        self.state().lost.clone()
    }
}
