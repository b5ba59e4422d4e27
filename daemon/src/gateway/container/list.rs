//! listContainers: the containers of one cluster or of all, of one service or of all.

use muster_engine::view;
use muster_protocol::page::PageRequest;
use muster_protocol::{Error, Name, Response};

use crate::gateway::context::Context;
use crate::gateway::paging;

/// A page of containers, by cluster, service and name.
pub fn list(
    context: &Context,
    cluster: Option<&Name>,
    service: Option<&Name>,
    request: &PageRequest,
) -> Result<Response, Error> {
    let board = &context.provisioner.shared.board;
    if let (Some(cluster), Some(service)) = (cluster, service)
        && !board.cluster(cluster)?.state.services.contains_key(service)
    {
        return Err(Error::not_found("service", service));
    }
    let wanted = |state: &_| {
        let containers = view::containers(state).into_iter();
        containers.filter(|container| service.is_none_or(|service| container.service == *service)).collect()
    };
    let page = paging::page_of_clusters(board, cluster, request, wanted, |container| {
        let within = (container.service.clone(), container.name.clone(), container.id.clone());
        (container.cluster.clone(), container.cluster_id, within)
    })?;
    Ok(Response::Containers(page))
}
