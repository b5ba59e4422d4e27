//! The cluster changes: machines come, are emptied and go. These run one after the other, behind all others, and the last
//! one removes the cluster.

use anyhow::{Context, Result, ensure};
use futures::TryStreamExt;
use muster_client::protocol::ErrorCode;
use muster_client::protocol::model::cluster::{ClusterPhase, ClusterSummary};
use muster_client::protocol::model::operation::OperationPhase;
use muster_client::protocol::request::ServiceSource;
use serde_json::json;

use crate::case::{Cases, Needs};
use crate::world::{World, refused, succeeded};

pub(super) fn cases() -> Cases {
    Cases::about("machines")
        .alone("a cluster gets another machine, which takes copies", Needs::Answers, grows)
        .alone("copies move before their machine goes", Needs::Answers, shrinks)
        .alone("a change of the number of machines can be cancelled", Needs::Answers, cancelled)
        .alone("certificates can be renewed while services run", Needs::Answers, renewed)
        .alone("a cluster with its services is removed completely", Needs::Answers, removed)
}

async fn scale(world: &World, workers: u32) -> Result<()> {
    let asked = world.client.cluster_scale(&world.cluster, None, Some(workers), None).await?;
    succeeded(world.client.wait(asked.id).await?)?;
    let summary = world.client.cluster_info(&world.cluster).await?.summary;
    ensure!((summary.workers.ready, summary.workers.wanted) == (workers, workers), "{summary:?}");
    ensure!(summary.phase == ClusterPhase::Ready, "{summary:?}");
    Ok(())
}

async fn grows(world: World) -> Result<()> {
    scale(&world, 3).await?;
    let info = world.run("web", json!({ "constraints": ["host==worker-3"] })).await?;
    ensure!(info.ready == 1, "{info:?}");
    Ok(())
}

async fn shrinks(world: World) -> Result<()> {
    // One on each, so that a copy has to move.
    let name = world.run("web", json!({ "replicas": 4 })).await?.spec.name;
    scale(&world, 2).await?;
    let hosts = world.hosts().await?;
    ensure!(hosts.iter().all(|host| host.name.as_str() != "worker-3"), "{hosts:?}");
    world
        .until("all copies run on the machines that are left", async || {
            let info = world.info(&name).await?;
            let copies = world.running(&name).await?;
            let is_left = |machine: &muster_client::protocol::Name| hosts.iter().any(|host| host.name == *machine);
            let all_left = copies.iter().all(|copy| copy.machine.as_ref().is_some_and(is_left));
            Ok((info.ready == 4 && copies.len() == 4 && all_left).then_some(()))
        })
        .await
}

async fn cancelled(world: World) -> Result<()> {
    let asked = world.client.cluster_scale(&world.cluster, None, Some(4), None).await?;
    let cancelled = world.client.operation_cancel(asked.id).await?;
    ensure!(cancelled.phase == OperationPhase::Cancelled, "{cancelled:?}");
    world
        .until("the cluster is as before", async || {
            let summary = world.client.cluster_info(&world.cluster).await?.summary;
            let hosts = world.hosts().await?;
            let is_so = summary.workers.wanted == 2 && summary.phase == ClusterPhase::Ready && hosts.len() == 3;
            Ok(is_so.then_some(()))
        })
        .await
}

async fn renewed(world: World) -> Result<()> {
    let name = world.run("web", json!({})).await?.spec.name;
    let copy = world.running(&name).await?.into_iter().next().context("no copy")?;
    let asked = world.client.cluster_renew(&world.cluster, None).await?;
    succeeded(world.client.wait(asked.id).await?)?;
    world
        .until("the service runs after it", async || {
            let info = world.info(&name).await?;
            Ok((info.ready == 1 && info.cause.is_none()).then_some(()))
        })
        .await?;
    ensure!(world.client.container_info(&copy.id).await.is_ok(), "the copy was replaced");
    Ok(())
}

async fn removed(world: World) -> Result<()> {
    world.run("web", json!({ "replicas": 2 })).await?;
    let asked = world.client.cluster_delete(&world.cluster, None).await?;
    // Nothing more is taken.
    let source = ServiceSource::Spec(Box::new(world.spec("late", json!({}))?));
    let late = world.client.service_create(&world.cluster, source, None).await;
    let code = late.err().context("a service on a cluster that goes")?.code();
    ensure!(code == ErrorCode::Conflict || code == ErrorCode::NotFound, "{code}");
    succeeded(world.client.wait(asked.id).await?)?;
    refused(world.client.cluster_info(&world.cluster).await, ErrorCode::NotFound, "cluster")?;
    let left: Vec<ClusterSummary> = world.client.clusters().try_collect().await?;
    ensure!(left.iter().all(|cluster| cluster.name != world.cluster), "{left:?}");
    Ok(())
}
