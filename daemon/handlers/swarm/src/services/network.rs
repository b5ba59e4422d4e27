//! The network that all services of a cluster share, and on which they find each other by name.

use bollard::models::NetworkCreateRequest;
use bollard::query_parameters::ListNetworksOptions;
use muster_engine::context::ClusterContext;
use muster_engine::failure::Failure;
use muster_protocol::ErrorCode;

use crate::connect::Engine;
use crate::failures::{Answer as _, is_taken};
use crate::marks;

/// Its name in the swarm.
pub(crate) const NETWORK: &str = "muster";

/// The network's id; it is made if it is not there.
pub(crate) async fn ensure(cluster: &ClusterContext, manager: &Engine) -> Result<String, Failure> {
    if let Some(id) = find(cluster, manager).await? {
        return Ok(id);
    }
    let request = NetworkCreateRequest {
        name: NETWORK.to_owned(),
        driver: Some("overlay".to_owned()),
        // So that people can attach a container of their own to look into things.
        attachable: Some(true),
        labels: Some(marks::of_cluster(cluster)),
        ..Default::default()
    };
    match manager.api().create_network(request).await {
        Err(error) if is_taken(&error) => find(cluster, manager).await?.ok_or_else(|| {
            Failure::not_applied(ErrorCode::Conflict, format!("the network `{NETWORK}` was there and is gone"))
        }),
        answer => Ok(answer.writing("create the cluster's network")?.id),
    }
}

async fn find(cluster: &ClusterContext, manager: &Engine) -> Result<Option<String>, Failure> {
    let options = ListNetworksOptions { filters: Some([("name".to_owned(), vec![NETWORK.to_owned()])].into()) };
    let networks = manager.api().list_networks(Some(options)).await.reading("list the networks")?;
    // The engine's filter takes parts of names too.
    let mut named = networks.into_iter().filter(|network| network.name.as_deref() == Some(NETWORK));
    let Some(network) = named.next() else { return Ok(None) };
    if !marks::are_ours(cluster, network.labels.as_ref()) {
        return Err(Failure::not_applied(
            ErrorCode::Conflict,
            format!("a network `{NETWORK}` is there that Muster did not make"),
        )
        .permanent()
        .with_remedy(format!("remove or rename it: `docker network rm {NETWORK}`")));
    }
    Ok(network.id)
}
