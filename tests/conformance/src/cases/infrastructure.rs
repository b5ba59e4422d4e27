//! What every infrastructure owes: clusters beside each other, nothing left, and nothing of others touched.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use futures::TryStreamExt;
use muster_client::protocol::model::cluster::{ClusterPhase, ClusterSummary};
use muster_client::protocol::model::host::HostInfo;
use muster_client::protocol::{ErrorCode, Name};

use crate::case::{Cases, Needs};
use crate::world::{World, refused, succeeded};

pub(super) fn cases() -> Cases {
    Cases::about("infrastructure")
        .alone("a cluster beside another has machines of its own and goes alone", Needs::Answers, beside)
        .alone("a cluster that is deleted while it is made leaves nothing", Needs::Answers, deleted_while_made)
        .alone("a name that has become free can be used again at once", Needs::Answers, made_again)
}

/// The infrastructure's ids of a cluster's machines, by their names.
async fn machines_of(world: &World, cluster: &Name) -> Result<BTreeMap<Name, String>> {
    let hosts: Vec<HostInfo> = world.client.hosts(Some(cluster)).try_collect().await?;
    hosts.into_iter().map(|host| Ok((host.name, host.provider_id.context("a machine without an id")?))).collect()
}

async fn make(world: &World, short: &str) -> Result<Name> {
    let mut spec = world.cluster_like_this(short)?;
    (spec.control_planes, spec.workers) = (1, 0);
    let name = spec.name.clone();
    let asked = world.client.cluster_create(spec, None).await?;
    succeeded(world.client.wait(asked.id).await?)?;
    Ok(name)
}

async fn remove(world: &World, name: &Name) -> Result<()> {
    let asked = world.client.cluster_delete(name, None).await?;
    succeeded(world.client.wait(asked.id).await?)?;
    is_gone(world, name).await
}

async fn is_gone(world: &World, name: &Name) -> Result<()> {
    refused(world.client.cluster_info(name).await, ErrorCode::NotFound, "cluster")?;
    let clusters: Vec<ClusterSummary> = world.client.clusters().try_collect().await?;
    ensure!(clusters.iter().all(|cluster| cluster.name != *name), "{name} is still listed");
    let doctor = world.client.doctor().await?;
    let found = format!("{doctor:?}");
    ensure!(!found.contains(name.as_str()), "something is left of {name}: {found}");
    Ok(())
}

/// That the cluster which all cases share is as it was.
async fn is_untouched(world: &World, before: &BTreeMap<Name, String>) -> Result<()> {
    let now = machines_of(world, &world.cluster).await?;
    ensure!(now == *before, "the other cluster had {before:?} and has {now:?}");
    let summary = world.client.cluster_info(&world.cluster).await?.summary;
    ensure!(summary.phase == ClusterPhase::Ready, "{summary:?}");
    Ok(())
}

async fn beside(world: World) -> Result<()> {
    let others = machines_of(&world, &world.cluster).await?;
    let name = make(&world, "beside").await?;
    let own = machines_of(&world, &name).await?;
    ensure!(own.len() == 1, "{own:?}");
    ensure!(own.values().all(|id| !others.values().any(|other| other == id)), "{own:?} are {others:?}");
    remove(&world, &name).await?;
    is_untouched(&world, &others).await
}

async fn deleted_while_made(world: World) -> Result<()> {
    let others = machines_of(&world, &world.cluster).await?;
    let mut spec = world.cluster_like_this("early")?;
    (spec.control_planes, spec.workers) = (1, 1);
    let name = spec.name.clone();
    world.client.cluster_create(spec, None).await?;
    world
        .until("a machine is being made", async || {
            let steps = world.client.cluster_info(&name).await?.steps;
            Ok(steps.iter().any(|step| step.name.contains("machine/")).then_some(()))
        })
        .await?;
    remove(&world, &name).await?;
    is_untouched(&world, &others).await
}

async fn made_again(world: World) -> Result<()> {
    let name = make(&world, "again").await?;
    let first = machines_of(&world, &name).await?;
    remove(&world, &name).await?;
    ensure!(make(&world, "again").await? == name, "it has another name");
    let second = machines_of(&world, &name).await?;
    ensure!(first.keys().eq(second.keys()), "{first:?} became {second:?}");
    remove(&world, &name).await
}
