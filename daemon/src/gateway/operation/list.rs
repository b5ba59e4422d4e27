//! listOperations: newest first.

use muster_protocol::page::PageRequest;
use muster_protocol::{Error, Name, Response};

use crate::gateway::context::Context;
use crate::gateway::paging;

/// A page of operations.
pub fn list(context: &Context, cluster: Option<&Name>, request: &PageRequest) -> Result<Response, Error> {
    let (limit, before) = (paging::limit(request), paging::place(request)?);
    let operations = context.provisioner.shared.board.operations(cluster, before, limit + 1);
    Ok(Response::Operations(paging::page(operations, limit, |operation| operation.id)?))
}
