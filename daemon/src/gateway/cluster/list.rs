//! listOrchestrators: all clusters, by name.

use muster_engine::view;
use muster_protocol::page::PageRequest;
use muster_protocol::{Error, Response};

use crate::gateway::context::Context;
use crate::gateway::paging;

/// A page of clusters.
pub fn list(context: &Context, request: &PageRequest) -> Result<Response, Error> {
    let (limit, after) = (paging::limit(request), paging::place(request)?);
    let states = context.provisioner.shared.board.page(after.as_ref(), limit + 1);
    let summaries = states.iter().map(|state| view::summary(state));
    Ok(Response::Clusters(paging::page(summaries, limit, |summary| (summary.name.clone(), summary.id))?))
}
