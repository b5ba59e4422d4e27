//! cancelOperation: ends an operation; what was asked for before it is restored.

use muster_protocol::{Error, OperationId, Response};

use super::found;
use crate::app::App;
use crate::cluster::intent::{Intent, Wish};
use crate::gateway::ask;
use crate::gateway::roles::Caller;

/// Cancels an operation. One that has ended stays as it ended.
pub async fn cancel(app: &App, caller: &Caller, id: OperationId) -> Result<Response, Error> {
    let board = &app.provisioner.shared.board;
    let operation = found(app, caller, id)?;
    if operation.phase.is_ended() {
        return Ok(Response::Operation(operation));
    }
    let found = || board.cluster_by_id(operation.cluster_id).ok_or_else(|| Error::not_found("operation", id));
    let (asked, audit) = (app.asked(caller), caller.audit.clone());
    let intent = Intent { wish: Wish::Cancel(id), asked, answer: None, audit, turn: None };
    match ask::hand_over(app, &operation.cluster, found, intent).await {
        Ok(cancelled) => Ok(Response::Operation(cancelled)),
        // It may have ended by itself just now.
        Err(error) => match board.operation(id) {
            Ok(operation) if operation.phase.is_ended() => Ok(Response::Operation(operation)),
            Ok(_) | Err(_) => Err(error),
        },
    }
}
