//! Reads of operations.
//!
//! - getOperation: one operation.
//! - listOperations: newest first.

use muster_protocol::model::operation::OperationInfo;
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

/// A page of operations: of all clusters, or of the one that has this name or had it last. Those of an earlier cluster of
/// the name are about other machines.
pub fn list(app: &App, caller: &Caller, cluster: Option<&Name>, request: &PageRequest) -> Result<Response, Error> {
    let (limit, before) = (paging::limit(request), paging::place(request)?);
    let board = &app.provisioner.shared.board;
    let of = cluster.map(|name| board.latest_named(name));
    let is_wanted =
        |info: &OperationInfo| caller.sees(&info.cluster) && of.is_none_or(|of| of == Some(info.cluster_id));
    let operations = board.operations(before, limit + 1, is_wanted);
    Ok(Response::Operations(paging::page(operations, limit, |operation| operation.id)?))
}
