//! The machines of the cluster.

use anyhow::{Context, Result, ensure};
use muster_client::protocol::model::host::{HostPhase, Role};
use muster_client::protocol::page::PageRequest;
use muster_client::protocol::{ErrorCode, MachineId};
use serde_json::json;

use crate::case::Cases;
use crate::world::{World, refused};

pub(super) fn cases() -> Cases {
    Cases::about("hosts")
        .case("every machine is listed as ready, control planes first", every_machine_is_listed)
        .case("a machine shows its address, the infrastructure's id and the orchestrator's", shows_address_and_ids)
        .case("a machine shows what it has and its version", shows_what_it_has)
        .case("the info of a machine is what the list says", info_is_what_the_list_says)
        .case("a machine that is not there is not found", unknown_machine)
        .case("a machine counts the copies that run on it", counts_copies)
        .case("machines come in pages of the size that was asked for", pages_of_machines)
}

async fn every_machine_is_listed(world: World) -> Result<()> {
    let hosts = world.hosts().await?;
    let names: Vec<&str> = hosts.iter().map(|host| host.name.as_str()).collect();
    ensure!(names == ["control-plane-1", "worker-1", "worker-2"], "{names:?}");
    ensure!(hosts.iter().all(|host| host.phase == HostPhase::Ready && host.cause.is_none()), "{hosts:#?}");
    ensure!(hosts.first().is_some_and(|host| host.role == Role::ControlPlane), "{hosts:#?}");
    Ok(())
}

async fn shows_address_and_ids(world: World) -> Result<()> {
    for host in world.hosts().await? {
        ensure!(host.address.as_ref().is_some_and(|address| !address.is_empty()), "{host:?}");
        ensure!(host.provider_id.is_some() && host.node_id.is_some() && host.created_at.is_some(), "{host:?}");
    }
    Ok(())
}

async fn shows_what_it_has(world: World) -> Result<()> {
    let version = world.client.cluster_info(&world.cluster).await?.version;
    for host in world.hosts().await? {
        ensure!(host.version == version, "{host:?}");
        ensure!(host.cpu.is_some_and(|cpu| cpu.0 > 0), "{host:?}");
        ensure!(host.memory.is_some_and(|memory| memory.0 > 0), "{host:?}");
    }
    Ok(())
}

async fn info_is_what_the_list_says(world: World) -> Result<()> {
    for listed in world.hosts().await? {
        let info = world.client.host_info(listed.id).await?;
        ensure!((&info.name, info.role, &info.address) == (&listed.name, listed.role, &listed.address), "{info:?}");
    }
    Ok(())
}

async fn unknown_machine(world: World) -> Result<()> {
    refused(world.client.host_info(MachineId::generate()).await, ErrorCode::NotFound, "host")?;
    Ok(())
}

async fn counts_copies(world: World) -> Result<()> {
    let info = world.run("one", json!({ "constraints": ["host==worker-1"] })).await?;
    let of_worker = async || {
        let host = world.hosts().await?.into_iter().find(|host| host.name.as_str() == "worker-1");
        Ok::<_, anyhow::Error>(host.context("no worker-1")?.containers)
    };
    world.until("a copy counted on worker-1", async || Ok((of_worker().await? > 0).then_some(()))).await?;
    let copies = world.running(&info.spec.name).await?;
    ensure!(copies.iter().all(|copy| copy.machine.as_ref().is_some_and(|name| name.as_str() == "worker-1")));
    Ok(())
}

async fn pages_of_machines(world: World) -> Result<()> {
    let first = world.client.host_list(Some(&world.cluster), PageRequest { limit: Some(2), after: None }).await?;
    ensure!(first.items.len() == 2, "{}", first.items.len());
    let rest = PageRequest { limit: Some(2), after: first.next };
    ensure!(rest.after.is_some(), "the first of two pages says that it is the last");
    let second = world.client.host_list(Some(&world.cluster), rest).await?;
    ensure!(second.items.len() == 1 && second.next.is_none(), "{second:?}");
    Ok(())
}
