//! Reads of operations.
//!
//! - getOperation: one operation.
//! - listOperations: newest first.

use muster_protocol::page::PageRequest;
use muster_protocol::{Error, Name, OperationId, Response};

use super::found;
use crate::app::App;
use crate::gateway::paging;
use crate::gateway::roles::Caller;

/// One operation.
pub fn info(app: &App, caller: &Caller, id: OperationId) -> Result<Response, Error> {
    Ok(Response::Operation(found(app, caller, id)?))
}

/// A page of operations.
pub fn list(app: &App, caller: &Caller, cluster: Option<&Name>, request: &PageRequest) -> Result<Response, Error> {
    let (limit, before) = (paging::limit(request), paging::place(request)?);
    let is_wanted = |of: &Name| caller.sees(of) && cluster.is_none_or(|cluster| of == cluster);
    let operations = app.provisioner.shared.board.operations(before, limit + 1, is_wanted);
    Ok(Response::Operations(paging::page(operations, limit, |operation| operation.id)?))
}
