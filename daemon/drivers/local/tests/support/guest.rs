//! A container of somebody else in a cluster's network.

use bollard::Docker;
use bollard::models::{ContainerCreateBody, HostConfig};
use bollard::query_parameters::{CreateContainerOptionsBuilder, RemoveContainerOptionsBuilder, StartContainerOptions};
use muster_driver_local::PLAIN_IMAGE;
use muster_engine::context::ClusterContext;

/// Starts it; the engine gives it the lowest address that is free. Its id.
pub async fn start(cluster: &ClusterContext, network: &str) -> String {
    let body = ContainerCreateBody {
        image: Some(PLAIN_IMAGE.to_owned()),
        cmd: Some(vec!["sleep".to_owned(), "300".to_owned()]),
        host_config: Some(HostConfig { network_mode: Some(network.to_owned()), ..Default::default() }),
        ..Default::default()
    };
    let docker = Docker::connect_with_unix_defaults().unwrap();
    let options = CreateContainerOptionsBuilder::new().name(&format!("guest-{}", cluster.instance)).build();
    let guest = docker.create_container(Some(options), body).await.unwrap().id;
    docker.start_container(&guest, None::<StartContainerOptions>).await.unwrap();
    guest
}

/// Takes it away.
pub async fn remove(guest: &str) {
    let docker = Docker::connect_with_unix_defaults().unwrap();
    let force = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
    docker.remove_container(guest, Some(force)).await.unwrap();
}
