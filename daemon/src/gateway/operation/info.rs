//! getOperation: one operation.

use muster_protocol::{Error, OperationId, Response};

use crate::gateway::context::Context;

/// One operation.
pub fn info(context: &Context, id: OperationId) -> Result<Response, Error> {
    Ok(Response::Operation(context.provisioner.shared.board.operation(id)?))
}
