//! listHosts: the machines of one cluster or of all.

use muster_engine::desired::role_and_number;
use muster_engine::view;
use muster_protocol::page::PageRequest;
use muster_protocol::{Error, Name, Response};

use crate::gateway::context::Context;
use crate::gateway::paging;

/// A page of machines, by cluster; control planes first, then by number.
pub fn list(context: &Context, cluster: Option<&Name>, request: &PageRequest) -> Result<Response, Error> {
    let board = &context.provisioner.shared.board;
    let page = paging::page_of_clusters(board, cluster, request, view::hosts, |host| {
        let number = role_and_number(&host.name).map_or(0, |(_, number)| number);
        (host.cluster.clone(), host.cluster_id, (host.role, number))
    })?;
    Ok(Response::Hosts(page))
}
