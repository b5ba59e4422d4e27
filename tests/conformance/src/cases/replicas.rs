//! How many copies a service has.

use anyhow::{Result, ensure};
use muster_client::protocol::ErrorCode;
use muster_client::protocol::model::service::ServicePhase;
use serde_json::json;

use crate::case::Cases;
use crate::world::{World, refused, succeeded};

pub(super) fn cases() -> Cases {
    Cases::about("replicas")
        .case("as many copies run as are asked for", as_many_as_asked)
        .case("more copies are started when a service is scaled up", scaled_up)
        .case("copies are stopped when a service is scaled down", scaled_down)
        .case("a service can be scaled to nothing and back", to_nothing_and_back)
        .case("a service can be created with no copies", created_with_none)
        .case("more copies than can be are refused", too_many)
        .case("scaling keeps everything else", keeps_everything_else)
        .case("the same number again changes nothing", the_same_number)
        .case("never are more copies ready than are wanted", never_too_many_ready)
        .inside("scaling leaves the copies that run alone", leaves_copies_alone)
}

async fn as_many_as_asked(world: World) -> Result<()> {
    let info = world.run("web", json!({ "replicas": 3 })).await?;
    ensure!((info.ready, info.wanted) == (3, 3), "{info:?}");
    let copies = world.running(&info.spec.name).await?;
    ensure!(copies.len() == 3, "{copies:?}");
    Ok(())
}

async fn scaled_up(world: World) -> Result<()> {
    let name = world.run("web", json!({})).await?.spec.name;
    let info = world.scale(&name, 3).await?;
    ensure!((info.ready, info.wanted, info.spec.replicas) == (3, 3, 3), "{info:?}");
    Ok(())
}

async fn scaled_down(world: World) -> Result<()> {
    let name = world.run("web", json!({ "replicas": 3 })).await?.spec.name;
    let info = world.scale(&name, 1).await?;
    ensure!((info.ready, info.wanted) == (1, 1), "{info:?}");
    let one = async || Ok((world.running(&name).await?.len() == 1).then_some(()));
    world.until("one copy is left", one).await
}

async fn to_nothing_and_back(world: World) -> Result<()> {
    let name = world.run("web", json!({})).await?.spec.name;
    let none = world.scale(&name, 0).await?;
    ensure!((none.ready, none.wanted) == (0, 0), "{none:?}");
    let back = world.scale(&name, 2).await?;
    ensure!((back.ready, back.wanted, back.phase) == (2, 2, ServicePhase::Running), "{back:?}");
    Ok(())
}

async fn created_with_none(world: World) -> Result<()> {
    let info = world.run("web", json!({ "replicas": 0 })).await?;
    ensure!((info.ready, info.wanted) == (0, 0), "{info:?}");
    Ok(())
}

async fn too_many(world: World) -> Result<()> {
    world.refuses(json!({ "replicas": 10_001 }), "replicas").await?;
    let name = world.run("web", json!({})).await?.spec.name;
    let asked = world.client.service_scale(&world.cluster, &name, 10_001, None).await;
    refused(asked, ErrorCode::InvalidArgument, "replicas")?;
    Ok(())
}

async fn keeps_everything_else(world: World) -> Result<()> {
    let fields =
        json!({ "env": { "A": "b" }, "labels": { "team": "red" }, "secrets": [{ "name": "k", "value": "v" }] });
    let before = world.run("web", fields).await?;
    let mut after = world.scale(&before.spec.name, 2).await?.spec;
    after.replicas = 1;
    ensure!(after == before.spec, "{after:?}");
    Ok(())
}

async fn the_same_number(world: World) -> Result<()> {
    let before = world.run("web", json!({ "replicas": 2 })).await?;
    let after = world.scale(&before.spec.name, 2).await?;
    ensure!(before.generation == after.generation, "generation {} became {}", before.generation, after.generation);
    Ok(())
}

async fn never_too_many_ready(world: World) -> Result<()> {
    let fields = json!({ "replicas": 3, "update": { "order": "start-first", "parallelism": 0 } });
    let mut spec = world.run("web", fields).await?.spec;
    spec.env.insert("VERSION".to_owned(), "2".to_owned());
    let name = spec.name.clone();
    let asked = world.client.service_update(&world.cluster, spec, None, None).await?;
    // Every look at it checks the numbers.
    let ends = async {
        loop {
            world.info(&name).await?;
            let now = world.client.operation_info(asked.id).await?;
            if now.phase.is_ended() {
                return succeeded(now);
            }
        }
    };
    ends.await?;
    Ok(())
}

async fn leaves_copies_alone(world: World) -> Result<()> {
    let name = world.run("web", json!({})).await?.spec.name;
    let first = world.running(&name).await?;
    world.scale(&name, 3).await?;
    let later = world.running(&name).await?;
    ensure!(first.iter().all(|copy| later.iter().any(|one| one.id == copy.id)), "a copy was replaced: {later:?}");
    Ok(())
}
