//! getContainerInfo: one container, by its id or the beginning of it.

use muster_engine::view;
use muster_protocol::model::container::ContainerInfo;
use muster_protocol::{Error, Response};

use crate::gateway::context::Context;

/// One container.
pub fn info(context: &Context, id: &str) -> Result<Response, Error> {
    let clusters = context.provisioner.shared.board.all();
    let containers = clusters.iter().flat_map(|pinned| view::containers(&pinned.state));
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
