//! What somebody else's hand changes: it is mended and told, or left as the hand wants it. One after the other, on the cluster
//! that all share.

use anyhow::{Context, Result, ensure};
use muster_client::protocol::model::cluster::ClusterPhase;
use muster_client::protocol::model::host::HostPhase;
use muster_client::protocol::model::service::ServicePhase;
use serde_json::json;

use crate::case::{Cases, Needs};
use crate::world::{World, succeeded};

pub(super) fn cases() -> Cases {
    Cases::about("by hand")
        .alone("a service that somebody removed is made again", Needs::Programs, removed_service)
        .alone("a machine that somebody keeps copies off stays so and nothing waits for it", Needs::Programs, kept_off)
        .alone("a service waits for the machine that has its volume and says so", Needs::Programs, waits_for_its_volume)
        .alone("a machine that was switched off comes back as it was", Needs::Programs, switched_off)
        .alone("a machine that left the cluster joins again", Needs::Programs, left)
        .alone("a machine that is lost is made anew", Needs::Programs, lost)
}

/// That everything is as it should be, with the same number of machines as before.
async fn is_whole(world: &World) -> Result<()> {
    world
        .until("the cluster is ready", async || {
            let summary = world.client.cluster_info(&world.cluster).await?.summary;
            ensure!(summary.workers.ready <= summary.workers.wanted, "{summary:?}");
            let hosts = world.hosts().await?;
            let all_ready = hosts.iter().all(|host| host.phase == HostPhase::Ready);
            let is_so = summary.phase == ClusterPhase::Ready && hosts.len() == 3 && all_ready;
            Ok(is_so.then_some(()))
        })
        .await
}

async fn removed_service(world: World) -> Result<()> {
    let name = world.run("web", json!({})).await?.spec.name;
    let first = world.running(&name).await?;
    world.remove_service_by_hand(&name).await?;
    world
        .until("another copy runs", async || {
            let info = world.info(&name).await?;
            let copies = world.running(&name).await?;
            let is_new = !copies.is_empty() && copies.iter().all(|copy| first.iter().all(|old| old.id != copy.id));
            Ok((is_new && info.phase == ServicePhase::Running).then_some(()))
        })
        .await
}

async fn kept_off(world: World) -> Result<()> {
    world.keep_off_by_hand("worker-2", true).await?;
    let ended = async {
        let asked = world.client.cluster_scale(&world.cluster, None, Some(3), None).await?;
        succeeded(world.client.wait(asked.id).await?)?;
        let summary = world.client.cluster_info(&world.cluster).await?.summary;
        ensure!(summary.workers.ready <= summary.workers.wanted, "{summary:?}");
        let info = world.run("web", json!({ "replicas": 4 })).await?;
        let copies = world.running(&info.spec.name).await?;
        ensure!(copies.iter().all(|copy| copy.machine.as_ref().is_some_and(|name| name.as_str() != "worker-2")));
        anyhow::Ok(())
    };
    // In time for the rest to be undone, however long it would wait.
    let ended = tokio::time::timeout(world.patience * 2, ended).await;
    let ended = ended.unwrap_or_else(|_| Err(anyhow::anyhow!("it waits longer than twice {:?}", world.patience)));
    world.keep_off_by_hand("worker-2", false).await?;
    let asked = world.client.cluster_scale(&world.cluster, None, Some(2), None).await?;
    succeeded(world.client.wait(asked.id).await?)?;
    ended
}

async fn waits_for_its_volume(world: World) -> Result<()> {
    let volume = format!("data-{}", world.number);
    let fields = |version: &str| {
        let mounts = json!([{ "kind": "volume", "source": volume, "target": "/data" }]);
        json!({ "mounts": mounts, "env": { "VERSION": version } })
    };
    let name = world.run("db", fields("1")).await?.spec.name;
    world.shell(&name, "echo kept > /data/x").await?;
    succeeded(world.update(world.spec("db", fields("2"))?).await?)?;
    let copies = world.running(&name).await?;
    let home = copies.first().and_then(|copy| copy.machine.clone()).context("it runs nowhere")?;
    world.keep_off_by_hand(home.as_str(), true).await?;
    let said = world
        .until("the cause names the volume", async || {
            let cause = world.info(&name).await?.cause;
            Ok(cause.filter(|cause| cause.message.contains(&volume)))
        })
        .await;
    world.keep_off_by_hand(home.as_str(), false).await?;
    said?;
    world
        .until("it runs again", async || {
            let info = world.info(&name).await?;
            Ok((info.phase == ServicePhase::Running).then_some(()))
        })
        .await?;
    let seen = world.shell(&name, "cat /data/x").await?;
    ensure!(seen == "kept", "{seen}");
    Ok(())
}

async fn switched_off(world: World) -> Result<()> {
    let before = world.host("worker-1").await?;
    world.stop_machine("worker-1").await?;
    world.until("it is off", async || Ok((!world.machine_is_up("worker-1").await?).then_some(()))).await?;
    world.start_machine_as_its_owner("worker-1").await?;
    world.until("it is up again", async || Ok(world.machine_is_up("worker-1").await?.then_some(()))).await?;
    is_whole(&world).await?;
    ensure!(world.host("worker-1").await?.provider_id == before.provider_id, "it is another machine");
    Ok(())
}

async fn left(world: World) -> Result<()> {
    let ended = leaves_and_joins(&world).await;
    if ended.is_err() {
        // The other cases need the machine.
        world.strike_off_by_hand("worker-1").await?;
        is_whole(&world).await?;
    }
    ended
}

async fn leaves_and_joins(world: &World) -> Result<()> {
    let before = world.host("worker-1").await?;
    world.leave_by_hand("worker-1").await?;
    world
        .until("it is missed", async || {
            let now = world.host("worker-1").await?;
            Ok((now.phase != HostPhase::Ready || now.node_id != before.node_id).then_some(()))
        })
        .await?;
    is_whole(world).await
}

async fn lost(world: World) -> Result<()> {
    let name = world.run("web", json!({ "replicas": 2 })).await?.spec.name;
    let before = world.host("worker-2").await?;
    world.lose_machine("worker-2").await?;
    world
        .until("another machine is in its place", async || {
            let now = world.host("worker-2").await?;
            Ok((now.provider_id.is_some() && now.provider_id != before.provider_id).then_some(()))
        })
        .await?;
    is_whole(&world).await?;
    world.until("all copies run", async || Ok((world.info(&name).await?.ready == 2).then_some(()))).await
}
