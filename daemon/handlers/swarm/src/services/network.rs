//! The network that all services of a cluster share, and on which they find each other by name; and the size of packets
//! on it and in the ingress mesh.

use std::collections::HashMap;
use std::time::Duration;

use bollard::models::{Network, NetworkCreateRequest};
use bollard::query_parameters::ListNetworksOptions;
use muster_engine::context::ClusterContext;
use muster_engine::failure::Failure;
use muster_material::labels;
use muster_material::networks::USUAL_MTU;
use muster_protocol::ErrorCode;
use tokio::time::{Instant, sleep};

use crate::connect::Engine;
use crate::failures::{Answer as _, is_missing, is_taken};
use crate::marks;
use crate::membership::networks;

/// Its name in the swarm.
pub(crate) const NETWORK: &str = "muster";

/// The engine's own name of the ingress mesh.
const MESH: &str = "ingress";

/// How long an engine may take to take down a network that was removed; on a quiet machine it is less than a second.
const REMOVAL_LIMIT: Duration = Duration::from_secs(20);
const REMOVAL_POLL: Duration = Duration::from_millis(100);

/// The driver's option for the largest packet of the network beneath; what it adds to each packet it takes off itself.
const DRIVER_MTU: &str = "com.docker.network.driver.mtu";

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
        options: carried(cluster, manager).await?.map(driver_options),
        ..Default::default()
    };
    match manager.api().create_network(request).await {
        Err(error) if is_taken(&error) => find(cluster, manager).await?.ok_or_else(|| {
            Failure::not_applied(ErrorCode::Conflict, format!("the network `{NETWORK}` was there and is gone"))
        }),
        answer => Ok(answer.writing("create the cluster's network")?.id),
    }
}

/// Lets the ingress mesh send no larger packets than the machines' network carries. The engine makes it without asking,
/// and before there is any service.
pub(crate) async fn fit_mesh(cluster: &ClusterContext, manager: &Engine) -> Result<(), Failure> {
    let Some(mtu) = carried(cluster, manager).await? else { return Ok(()) };
    let options = driver_options(mtu);
    for mesh in named(manager, MESH).await? {
        let fits = mesh.options.as_ref().is_some_and(|present| present.get(DRIVER_MTU) == options.get(DRIVER_MTU));
        if fits {
            return Ok(());
        }
        let id = mesh.id.unwrap_or_default();
        let removed = manager.api().remove_network(&id).await;
        if !removed.as_ref().is_err_and(is_missing) {
            removed.writing("remove the ingress mesh, to make it fit")?;
        }
    }
    until_gone(manager, MESH).await?;
    let request = NetworkCreateRequest {
        name: MESH.to_owned(),
        driver: Some("overlay".to_owned()),
        ingress: Some(true),
        options: Some(options),
        ..Default::default()
    };
    manager.api().create_network(request).await.writing("make the ingress mesh")?;
    Ok(())
}

/// Returns when the engine has taken a network down that was removed. Two of one name would be in each other's way.
async fn until_gone(manager: &Engine, name: &str) -> Result<(), Failure> {
    let deadline = Instant::now() + REMOVAL_LIMIT;
    while !named(manager, name).await?.is_empty() {
        if Instant::now() >= deadline {
            let message = format!("the network `{name}` that was removed is still there");
            return Err(Failure::not_applied(ErrorCode::Orchestrator, message));
        }
        sleep(REMOVAL_POLL).await;
    }
    Ok(())
}

/// The largest packet that the machines' network carries, if it is not the usual one: what the cluster's options say, or
/// else what the preparation has found on this machine.
async fn carried(cluster: &ClusterContext, manager: &Engine) -> Result<Option<u32>, Failure> {
    let asked = networks(cluster)?.mtu;
    let carried = match asked {
        Some(mtu) => Some(mtu),
        None => found(&manager.api().info().await.reading("ask the engine for its labels")?.labels.unwrap_or_default()),
    };
    Ok(carried.filter(|mtu| *mtu != USUAL_MTU))
}

fn found(engine_labels: &[String]) -> Option<u32> {
    let of = |label: &String| label.split_once('=').filter(|(name, _)| *name == labels::MTU)?.1.parse().ok();
    engine_labels.iter().find_map(of)
}

fn driver_options(mtu: u32) -> HashMap<String, String> {
    [(DRIVER_MTU.to_owned(), mtu.to_string())].into()
}

async fn find(cluster: &ClusterContext, manager: &Engine) -> Result<Option<String>, Failure> {
    let Some(network) = named(manager, NETWORK).await?.into_iter().next() else { return Ok(None) };
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

async fn named(manager: &Engine, name: &str) -> Result<Vec<Network>, Failure> {
    let options = ListNetworksOptions { filters: Some([("name".to_owned(), vec![name.to_owned()])].into()) };
    let networks = manager.api().list_networks(Some(options)).await.reading("list the networks")?;
    // The engine's filter takes parts of names too.
    Ok(networks.into_iter().filter(|network| network.name.as_deref() == Some(name)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_machine_carries_is_read_from_its_engines_labels() {
        let labels = |labels: &[&str]| labels.iter().map(|label| (*label).to_owned()).collect::<Vec<_>>();
        assert_eq!(found(&labels(&["io.muster.ipvs=yes", "io.muster.mtu=1450"])), Some(1450));
        assert_eq!(found(&labels(&["io.muster.mtu=", "io.muster.mtus=7"])), None);
    }
}
