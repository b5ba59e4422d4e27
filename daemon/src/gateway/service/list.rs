//! getOrchestratorsServiceInfo: the services of one cluster or of all.

use muster_engine::view;
use muster_protocol::page::PageRequest;
use muster_protocol::{Error, Name, Response};

use crate::gateway::context::Context;
use crate::gateway::paging;

/// A page of services, by cluster and name.
pub fn list(context: &Context, cluster: Option<&Name>, request: &PageRequest) -> Result<Response, Error> {
    let board = &context.provisioner.shared.board;
    let page = paging::page_of_clusters(board, cluster, request, view::services, |service| {
        (service.cluster.clone(), service.cluster_id, service.spec.name.clone())
    })?;
    Ok(Response::Services(page))
}
