//! The cluster's network.

use std::collections::HashMap;
use std::fs;
use std::net::Ipv4Addr;
use std::time::Duration;

use bollard::errors::Error;
use bollard::models::{Ipam, IpamConfig, Network, NetworkCreateRequest, NetworkDisconnectRequest};
use bollard::query_parameters::{
    InspectContainerOptions, InspectNetworkOptions, ListNetworksOptions, ListNetworksOptionsBuilder,
};
use muster_engine::context::ClusterContext;
use muster_engine::failure::Failure;
use muster_engine::ledger::{Facts, InfraKey, Present, ResourceKey};
use muster_protocol::ErrorCode;
use tokio::time::{Instant, sleep};

use crate::address::{Subnet, candidates, routed};
use crate::docker_error::{failure, says, status};
use crate::mark;
use crate::{LocalDriver, NETWORK};

const ROUTES: &str = "/proc/net/route";
const BRIDGE_NAME: &str = "com.docker.network.bridge.name";
/// How long the engine may take from making a network's bridge to listing the network.
const LISTING_LAG: Duration = Duration::from_secs(5);
const LISTING_POLL: Duration = Duration::from_millis(50);

impl LocalDriver {
    pub(crate) async fn create_network(&self, cluster: &ClusterContext) -> Result<Present, Failure> {
        if let Some(present) = self.look_up_network(cluster).await? {
            return Ok(present);
        }
        let taken = self.taken_subnets().await?;
        for subnet in candidates(cluster.cluster, &taken) {
            let created = self.docker()?.create_network(network_request(cluster, subnet)).await;
            let error = match created {
                Ok(network) => return Ok(Present { id: network.id, facts: Facts::None }),
                Err(error) => error,
            };
            if says(&error, "overlaps") {
                // Somebody took it since we looked.
                continue;
            }
            if let Some(present) = self.look_up_faster(cluster, &error).await? {
                return Ok(present);
            }
            return Err(failure("create the network", error));
        }
        Err(Failure::not_applied(ErrorCode::Quota, "no subnet is left for the cluster's network in 10.213.0.0/16")
            .with_remedy("delete clusters, or routes and Docker networks in that range"))
    }

    /// The network, if ours was refused because another call of ours was faster: the bridge's name allows only one.
    async fn look_up_faster(&self, cluster: &ClusterContext, error: &Error) -> Result<Option<Present>, Failure> {
        if status(error).is_none() {
            return Ok(None);
        }
        // The engine knows the bridge before it lists the network.
        let patience = if says(error, "same bridge name") { LISTING_LAG } else { Duration::ZERO };
        let deadline = Instant::now() + patience;
        loop {
            let found = self.look_up_network(cluster).await?;
            if found.is_some() || Instant::now() >= deadline {
                return Ok(found);
            }
            sleep(LISTING_POLL).await;
        }
    }

    pub(crate) async fn look_up_network(&self, cluster: &ClusterContext) -> Result<Option<Present>, Failure> {
        let found = self.networks_of(cluster).await?.into_iter().find_map(|network| network.id);
        Ok(found.map(|id| Present { id, facts: Facts::None }))
    }

    /// The subnet of the cluster's network.
    pub(crate) async fn subnet_of(&self, cluster: &ClusterContext) -> Result<Subnet, Failure> {
        let networks = self.networks_of(cluster).await?;
        networks
            .iter()
            .flat_map(subnets)
            .next()
            .ok_or_else(|| Failure::not_applied(ErrorCode::Conflict, "the cluster's network is not there"))
    }

    /// The addresses of what runs in the cluster's network, be it a machine or somebody's.
    pub(crate) async fn addresses_in_use(&self, cluster: &ClusterContext) -> Result<Vec<Ipv4Addr>, Failure> {
        let mut addresses = Vec::new();
        for id in self.networks_of(cluster).await?.into_iter().filter_map(|network| network.id) {
            let inspected = self.docker()?.inspect_network(&id, None::<InspectNetworkOptions>).await;
            let inspected = inspected.map_err(|error| failure("look at the network", error))?;
            let endpoints = inspected.containers.unwrap_or_default().into_values();
            // With the length of the subnet's prefix: `10.213.4.2/22`.
            let texts = endpoints.filter_map(|endpoint| endpoint.ipv4_address);
            addresses.extend(texts.filter_map(|text| text.split('/').next()?.parse::<Ipv4Addr>().ok()));
        }
        Ok(addresses)
    }

    pub(crate) async fn remove_network(&self, cluster: &ClusterContext) -> Result<(), Failure> {
        for network in self.networks_of(cluster).await? {
            let Some(id) = network.id else { continue };
            self.detach_ghosts(&id).await?;
            match self.docker()?.remove_network(&id).await {
                Ok(()) => {}
                Err(error) if status(&error) == Some(404) => {}
                Err(error) => return Err(failure("remove the network", error)),
            }
        }
        Ok(())
    }

    /// The engine may keep endpoints of containers that are gone, and then refuses to remove the network. A container
    /// that is still there keeps the network: it is somebody's.
    async fn detach_ghosts(&self, network: &str) -> Result<(), Failure> {
        let docker = self.docker()?;
        let inspected = match docker.inspect_network(network, None::<InspectNetworkOptions>).await {
            Ok(inspected) => inspected,
            Err(error) if status(&error) == Some(404) => return Ok(()),
            Err(error) => return Err(failure("look at the network", error)),
        };
        for (container, endpoint) in inspected.containers.unwrap_or_default() {
            let name = endpoint.name.unwrap_or_else(|| container.clone());
            match docker.inspect_container(&container, None::<InspectContainerOptions>).await {
                Ok(_) => {
                    let message = format!("the container {name} is still attached to the cluster's network");
                    let network = inspected.name.unwrap_or_else(|| network.to_owned());
                    return Err(Failure::not_applied(ErrorCode::Conflict, message).with_remedy(format!(
                        "if it is none of Muster's: `docker network disconnect {network} {name}`"
                    )));
                }
                Err(error) if status(&error) == Some(404) => {}
                Err(error) => return Err(failure("look at a container in the network", error)),
            }
            let request = NetworkDisconnectRequest { container: name, force: Some(true) };
            match docker.disconnect_network(network, request).await {
                Ok(()) => {}
                Err(error) if status(&error) == Some(404) => {}
                Err(error) => return Err(failure("detach a container that is gone", error)),
            }
        }
        Ok(())
    }

    async fn networks_of(&self, cluster: &ClusterContext) -> Result<Vec<Network>, Failure> {
        let filter = mark::filter(cluster.instance, Some(cluster.cluster), Some(&network_key()));
        self.list_networks(&filter).await
    }

    pub(crate) async fn list_networks(&self, filter: &HashMap<String, Vec<String>>) -> Result<Vec<Network>, Failure> {
        let options = ListNetworksOptionsBuilder::new().filters(filter).build();
        let listed = self.docker()?.list_networks(Some(options)).await;
        listed.map_err(|error| failure("list networks", error))
    }

    /// What no new network may overlap: the engine's networks and what the host has routes to.
    async fn taken_subnets(&self) -> Result<Vec<Subnet>, Failure> {
        let networks = self.docker()?.list_networks(None::<ListNetworksOptions>).await;
        let networks = networks.map_err(|error| failure("list networks", error))?;
        let mut taken: Vec<Subnet> = networks.iter().flat_map(subnets).collect();
        // Without a routing table the engine's own check of its networks is what remains.
        taken.extend(routed(&fs::read_to_string(ROUTES).unwrap_or_default()));
        Ok(taken)
    }
}

/// The IPv4 subnets of a network.
fn network_key() -> ResourceKey {
    ResourceKey::Infra(InfraKey::only(NETWORK))
}

fn subnets(network: &Network) -> impl Iterator<Item = Subnet> {
    let configs = network.ipam.as_ref().and_then(|ipam| ipam.config.as_ref());
    configs.into_iter().flatten().filter_map(|config| config.subnet.as_ref()?.parse().ok())
}

fn network_request(cluster: &ClusterContext, subnet: Subnet) -> NetworkCreateRequest {
    let config = IpamConfig {
        subnet: Some(subnet.to_string()),
        gateway: Some(subnet.gateway().to_string()),
        ..Default::default()
    };
    NetworkCreateRequest {
        name: mark::network_name(cluster),
        driver: Some("bridge".to_owned()),
        ipam: Some(Ipam { config: Some(vec![config]), ..Default::default() }),
        options: Some(HashMap::from([(BRIDGE_NAME.to_owned(), mark::bridge_name(cluster))])),
        labels: Some(mark::labels(cluster, &network_key())),
        ..Default::default()
    }
}
