//! Who waits for a write of the supervisor.

use muster_engine::failure::Failure;
use muster_engine::state::ClusterState;
use muster_protocol::Error;
use muster_protocol::model::operation::OperationInfo;
use ractor::RpcReplyPort;

use super::intent::Turn;

/// Who waits for what is written next, and is told whether it was.
pub(super) enum PendingReply {
    /// Somebody who asked for a change.
    Change {
        /// The operation, as it was admitted.
        admitted: OperationInfo,
        /// The turn of its idempotency key, which ends with the answer.
        _turn: Option<Turn>,
        /// Where the answer goes.
        reply: RpcReplyPort<Result<OperationInfo, Error>>,
    },
    /// The handler's session.
    Session(RpcReplyPort<Result<(), Failure>>),
}

impl PendingReply {
    /// The operation as it is after the conclusions were drawn; it may have ended already.
    pub(super) fn with_conclusions(mut self, next: &ClusterState) -> Self {
        if let Self::Change { admitted, .. } = &mut self
            && let Some(operation) = next.operations.get(&admitted.id)
        {
            *admitted = operation.info.clone();
        }
        self
    }

    /// It is on disk.
    pub(super) fn confirm(self) {
        // A caller that has gone away finds the operation in the list; a session that has ended is given what is kept.
        match self {
            Self::Change { admitted, reply, _turn } => drop(reply.send(Ok(admitted))),
            Self::Session(reply) => drop(reply.send(Ok(()))),
        }
    }

    /// It certainly is not on disk.
    pub(super) fn refuse(self, error: Error) {
        match self {
            Self::Change { reply, .. } => drop(reply.send(Err(error))),
            Self::Session(reply) => drop(reply.send(Err(Failure::not_applied(error.code, error.message)))),
        }
    }
}
