//! cancelOperation: ends an operation; what was asked for before it is restored.

use muster_protocol::{Error, OperationId, Response};

use crate::cluster::intent::{Intent, Wish};
use crate::gateway::ask;
use crate::gateway::context::Context;
use crate::gateway::roles::Caller;

/// Cancels an operation. One that has ended stays as it ended.
pub async fn cancel(context: &Context, caller: &Caller, id: OperationId) -> Result<Response, Error> {
    let board = &context.provisioner.shared.board;
    let operation = board.operation(id)?;
    if operation.phase.is_ended() {
        return Ok(Response::Operation(operation));
    }
    let found = || board.cluster_by_id(operation.cluster_id).ok_or_else(|| Error::not_found("operation", id));
    let intent = Intent { wish: Wish::Cancel(id), asked: context.asked(caller), answer: None, turn: None };
    match ask::hand_over(context, &operation.cluster, found, intent).await {
        Ok(cancelled) => Ok(Response::Operation(cancelled)),
        // It may have ended by itself just now.
        Err(error) => match board.operation(id) {
            Ok(operation) if operation.phase.is_ended() => Ok(Response::Operation(operation)),
            Ok(_) | Err(_) => Err(error),
        },
    }
}
