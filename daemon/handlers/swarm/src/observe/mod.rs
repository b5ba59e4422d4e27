//! What the control plane sees, from three listings made at the same time.

mod addresses;
mod containers;
mod images;
mod nodes;
mod placement;
mod services;
pub(crate) mod tasks;
#[cfg(test)]
mod tests;
mod trouble;

use std::collections::BTreeMap;

use bollard::models::Service;
use bollard::query_parameters::ListServicesOptions;
use muster_engine::context::ClusterContext;
use muster_engine::failure::Failure;
use muster_engine::member::Member;
use muster_engine::observed::OrchestratorView;
use muster_protocol::Name;

use crate::connect::Engine;
use crate::failures::Answer as _;
use crate::marks;
use crate::membership::nodes::{self as swarm_nodes, is_reachable_manager};
use crate::services::labels;
pub(crate) use containers::container_name;
pub(crate) use images::Images;
use tasks::SeenTask;

/// Nodes, services and containers as the control plane sees them now.
pub(crate) async fn observe(
    cluster: &ClusterContext,
    manager: &Engine,
    members: &[Member],
) -> Result<OrchestratorView, Failure> {
    let (listed_nodes, listed_services, all_tasks) =
        tokio::try_join!(swarm_nodes::list(manager), list_services(cluster, manager), tasks::list(manager))?;
    let machines = nodes::machines(cluster, &listed_nodes, members);
    let mut by_service: BTreeMap<&str, Vec<&SeenTask>> = BTreeMap::new();
    for task in &all_tasks {
        by_service.entry(task.service_id()).or_default().push(task);
    }
    let mut view = OrchestratorView {
        version: listed_nodes.iter().filter(|node| is_reachable_manager(node)).find_map(nodes::version),
        endpoints: nodes::endpoints(&machines),
        nodes: nodes::observed(&machines),
        voters: Some(nodes::voters(&listed_nodes, &machines)),
        ..Default::default()
    };
    let used_up = addresses::used_up(&all_tasks, machines.len());
    let seen = services::Beside { all: &listed_services, machines: &machines, used_up: used_up.as_deref() };
    for service in &listed_services {
        let Some(name) = name(service) else { continue };
        let own = by_service.get(service.id.as_deref().unwrap_or_default()).map(Vec::as_slice).unwrap_or_default();
        view.containers.extend(containers::observed(&name, own, &machines));
        view.services.insert(name, services::observed(service, own, &seen));
    }
    Ok(view)
}

/// The services of ours, as the swarm lists them.
pub(crate) async fn list_services(cluster: &ClusterContext, manager: &Engine) -> Result<Vec<Service>, Failure> {
    let options = ListServicesOptions { filters: Some(marks::filter(cluster, None)), status: None };
    let listed = manager.api().list_services(Some(options)).await.reading("list the services")?;
    Ok(listed.into_iter().filter(|service| marks::are_ours(cluster, labels(service))).collect())
}

fn name(service: &Service) -> Option<Name> {
    service.spec.as_ref()?.name.as_ref()?.parse().ok()
}
