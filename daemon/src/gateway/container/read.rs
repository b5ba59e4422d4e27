//! Reads of containers.
//!
//! - getContainerInfo: one container, by its id or the beginning of it.
//! - listContainers: the containers of one cluster or of all, of one service or of all.

use muster_engine::view;
use muster_protocol::model::container::ContainerInfo;
use muster_protocol::page::PageRequest;
use muster_protocol::{Error, Name, Response};

use crate::app::App;
use crate::gateway::paging;
use crate::gateway::roles::Caller;

/// One container.
pub fn info(app: &App, caller: &Caller, id: &str) -> Result<Response, Error> {
    let clusters = app.provisioner.shared.board.all();
    let seen = clusters.iter().filter(|pinned| caller.sees(&pinned.state.desired().spec.name));
    let containers = seen.flat_map(|pinned| view::containers_with_id(&pinned.state, id));
    Ok(Response::Container(Box::new(find(containers, id)?)))
}

/// The container with this id, or the only one whose id begins so.
fn find(containers: impl Iterator<Item = ContainerInfo>, id: &str) -> Result<ContainerInfo, Error> {
    let mut candidates: Vec<ContainerInfo> = Vec::new();
    for container in containers.filter(|container| container.id.starts_with(id)) {
        if container.id == id {
            return Ok(container);
        }
        candidates.push(container);
    }
    let count = candidates.len();
    match candidates.pop() {
        Some(container) if count == 1 && !id.is_empty() => Ok(container),
        Some(_) => Err(Error::invalid("id", format!("{count} containers have ids that begin with `{id}`"))
            .with_remedy("give more of the id")),
        None => Err(Error::not_found("container", id)),
    }
}

/// A page of containers, by cluster, service and name.
pub fn list(
    app: &App,
    caller: &Caller,
    cluster: Option<&Name>,
    service: Option<&Name>,
    request: &PageRequest,
) -> Result<Response, Error> {
    let board = &app.provisioner.shared.board;
    if let (Some(cluster), Some(service)) = (cluster, service)
        && !board.cluster(cluster)?.state.services.contains_key(service)
    {
        return Err(Error::not_found("service", service));
    }
    let wanted = |state: &_| {
        let containers = view::containers(state).into_iter();
        containers.filter(|container| service.is_none_or(|service| container.service == *service)).collect()
    };
    let page = paging::page_of_clusters(board, caller, cluster, request, wanted, |container| {
        let within = (container.service.clone(), container.name.clone(), container.id.clone());
        (container.cluster.clone(), container.cluster_id, within)
    })?;
    Ok(Response::Containers(page))
}

#[cfg(test)]
mod tests {
    use muster_protocol::model::container::ContainerPhase;
    use muster_protocol::{ClusterId, ErrorCode, ServiceId};

    use super::*;

    fn containers(ids: &[&str]) -> std::vec::IntoIter<ContainerInfo> {
        let containers = ids.iter().map(|id| ContainerInfo {
            id: (*id).to_owned(),
            name: "web.1".to_owned(),
            cluster_id: ClusterId::from_u128(1),
            cluster: "demo".parse().unwrap(),
            service_id: ServiceId::from_u128(1),
            service: "web".parse().unwrap(),
            machine: None,
            phase: ContainerPhase::Running,
            healthy: None,
            address: None,
            image: "nginx".to_owned(),
            since: None,
            exit_code: None,
            message: None,
        });
        containers.collect::<Vec<_>>().into_iter()
    }

    #[test]
    fn an_id_may_be_shortened_as_long_as_it_names_one_container() {
        let ids = ["abc1", "abd2", "abd"];
        assert_eq!(find(containers(&ids), "abc").unwrap().id, "abc1");
        assert_eq!(find(containers(&ids), "abd").unwrap().id, "abd");
        assert_eq!(find(containers(&ids), "ab").unwrap_err().code, ErrorCode::InvalidArgument);
        assert_eq!(find(containers(&ids), "x").unwrap_err().code, ErrorCode::NotFound);
        assert_eq!(find(containers(&["abc1"]), "").unwrap_err().code, ErrorCode::InvalidArgument);
    }
}
