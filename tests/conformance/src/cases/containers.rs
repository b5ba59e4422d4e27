//! Containers, the running copies of services.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use futures::TryStreamExt;
use muster_client::protocol::ErrorCode;
use muster_client::protocol::model::container::{ContainerInfo, ContainerPhase};
use muster_client::protocol::page::PageRequest;
use serde_json::json;

use crate::case::Cases;
use crate::world::{World, refused};

pub(super) fn cases() -> Cases {
    Cases::about("containers")
        .case("a container says its service, machine, image and phase", says_what_it_is)
        .case("the info of a container is what the list says", info_is_what_the_list_says)
        .case("a container that is not there is not found", unknown_container)
        .case("the containers of one service are no others", of_one_service_only)
        .case("copies have names and ids of their own", have_their_own_names)
        .case("containers come in pages", pages_of_containers)
        .inside("a container says since when it runs and at which address", says_since_when)
}

async fn says_what_it_is(world: World) -> Result<()> {
    let info = world.run("web", json!({})).await?;
    let copies = world.running(&info.spec.name).await?;
    let copy = copies.first().context("no copy")?;
    ensure!((&copy.service, &copy.cluster) == (&info.spec.name, &world.cluster), "{copy:?}");
    ensure!(copy.image == info.spec.image && copy.service_id == info.id, "{copy:?}");
    let machines: Vec<_> = world.hosts().await?.into_iter().map(|host| host.name).collect();
    ensure!(copy.machine.as_ref().is_some_and(|machine| machines.contains(machine)), "{copy:?}");
    Ok(())
}

async fn info_is_what_the_list_says(world: World) -> Result<()> {
    let info = world.run("web", json!({})).await?;
    let listed = world.running(&info.spec.name).await?.into_iter().next().context("no copy")?;
    let shown = world.client.container_info(&listed.id).await?;
    ensure!((&shown.name, &shown.machine, &shown.image) == (&listed.name, &listed.machine, &listed.image), "{shown:?}");
    Ok(())
}

async fn unknown_container(world: World) -> Result<()> {
    refused(world.client.container_info("no-such-container").await, ErrorCode::NotFound, "container")?;
    Ok(())
}

async fn of_one_service_only(world: World) -> Result<()> {
    let (one, other) = (world.run("one", json!({})).await?, world.run("other", json!({})).await?);
    let copies = world.containers(&one.spec.name).await?;
    ensure!(!copies.is_empty() && copies.iter().all(|copy| copy.service_id == one.id), "{copies:?}");
    let all: Vec<ContainerInfo> = world.client.containers(Some(&world.cluster), None).try_collect().await?;
    let of = |id| all.iter().filter(|copy| copy.service_id == id).count();
    ensure!(of(one.id) == 1 && of(other.id) == 1, "{} and {}", of(one.id), of(other.id));
    Ok(())
}

async fn have_their_own_names(world: World) -> Result<()> {
    let info = world.run("web", json!({ "replicas": 3 })).await?;
    let copies = world.running(&info.spec.name).await?;
    let names: BTreeSet<&str> = copies.iter().map(|copy| copy.name.as_str()).collect();
    let ids: BTreeSet<&str> = copies.iter().map(|copy| copy.id.as_str()).collect();
    ensure!((names.len(), ids.len()) == (3, 3), "{copies:?}");
    Ok(())
}

async fn pages_of_containers(world: World) -> Result<()> {
    let info = world.run("web", json!({ "replicas": 3 })).await?;
    let ask = |after| world.client.container_list(Some(&world.cluster), Some(&info.spec.name), after);
    let first = ask(PageRequest { limit: Some(2), after: None }).await?;
    let second = ask(PageRequest { limit: Some(2), after: first.next.clone() }).await?;
    let ids: BTreeSet<&str> = first.items.iter().chain(&second.items).map(|copy| copy.id.as_str()).collect();
    ensure!((first.items.len(), ids.len()) == (2, 3), "{first:?} {second:?}");
    Ok(())
}

async fn says_since_when(world: World) -> Result<()> {
    let info = world.run("web", json!({})).await?;
    let copy = world.running(&info.spec.name).await?.into_iter().next().context("no copy")?;
    ensure!(copy.phase == ContainerPhase::Running && copy.exit_code.is_none(), "{copy:?}");
    ensure!(copy.since.is_some() && copy.address.is_some(), "{copy:?}");
    Ok(())
}
