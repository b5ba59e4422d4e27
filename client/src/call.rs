//! One request and its answer on one connection.

use std::sync::Arc;

use muster_protocol::codec::{self, EncodeError, MAX_FRAME_BYTES};
use muster_protocol::{Asker, Error, Request, Response};

use crate::ClientError;
use crate::asker::frame;
use crate::connection::{Connection, InFlight};
use crate::pending::Lost;

/// Why a request has no answer on this connection.
pub(crate) enum CallError {
    /// It was never sent, because the connection was lost before.
    NotSent(Lost),
    /// It was sent, or may have been, and the connection was lost before the answer.
    Unanswered(Lost),
    /// It cannot be sent on any connection.
    Unsendable(ClientError),
}

impl From<EncodeError> for CallError {
    fn from(error: EncodeError) -> Self {
        Self::Unsendable(match error {
            EncodeError::TooLarge { bytes } => ClientError::TooLarge { bytes, limit: MAX_FRAME_BYTES },
            EncodeError::Form(error) => ClientError::Encode { message: error.to_string() },
        })
    }
}

impl Connection {
    /// Asks and waits for the answer. Dropping the future cancels the request.
    pub(crate) async fn call(
        self: &Arc<Self>,
        asker: Option<&Asker>,
        request: Request,
    ) -> Result<Result<Response, Error>, CallError> {
        let room = self.room().await;
        let id = self.pending.next_id();
        let body = codec::encode(&frame(self.agreed.features, id, asker, request))?;
        let answer = self.pending.expect_answer(id).map_err(CallError::NotSent)?;
        let _cancels_on_drop = InFlight { connection: Arc::clone(self), id };
        self.say(&body, room);
        answer.await.map_err(|_sender_is_gone| CallError::Unanswered(self.why_lost()))
    }

    pub(crate) fn why_lost(&self) -> Lost {
        self.pending.lost().unwrap_or_else(|| Lost::Closed("it was closed".to_owned()))
    }
}
