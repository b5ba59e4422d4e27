//! Services: created, listed, removed.

use anyhow::{Context, Result, ensure};
use futures::TryStreamExt;
use muster_client::protocol::ErrorCode;
use muster_client::protocol::model::container::ContainerInfo;
use muster_client::protocol::model::service::{ServiceInfo, ServicePhase};
use muster_client::protocol::page::PageRequest;
use muster_client::protocol::request::ServiceSource;
use serde_json::json;

use crate::case::Cases;
use crate::world::{World, refused, succeeded};

pub(super) fn cases() -> Cases {
    Cases::about("services")
        .case("a service that was created runs", created_runs)
        .case("a service is listed with its cluster and with all clusters", is_listed)
        .case("services come in pages without gap or repeat", pages_of_services)
        .case("a service that is not there is not found by any call", unknown_service)
        .case("a name that is taken by another service is refused", taken_name)
        .case("a service on a cluster that is not there is refused", unknown_cluster)
        .case("a service that was removed is gone with its copies", removed_is_gone)
        .case("the name of a removed service can be used again", name_is_free_again)
        .case("a service that is being removed can be removed again", removed_twice)
        .case("one key asked for twice is one service", same_key_twice)
        .case("a refused service leaves nothing behind", refused_leaves_nothing)
        .case("a service that cannot run is not hidden by the cluster", trouble_is_shown_in_the_list)
        .case("many services at once all run", many_at_once)
}

async fn created_runs(world: World) -> Result<()> {
    let info = world.run("web", json!({})).await?;
    ensure!(info.phase == ServicePhase::Running, "{info:?}");
    ensure!((info.ready, info.wanted, info.generation) == (1, 1, 1), "{info:?}");
    ensure!(info.cause.is_none() && info.cluster == world.cluster, "{info:?}");
    Ok(())
}

async fn is_listed(world: World) -> Result<()> {
    let info = world.run("web", json!({})).await?;
    for cluster in [Some(&world.cluster), None] {
        let all: Vec<ServiceInfo> = world.client.services(cluster).try_collect().await?;
        ensure!(all.iter().filter(|service| service.id == info.id).count() == 1, "not listed once of {cluster:?}");
    }
    Ok(())
}

async fn pages_of_services(world: World) -> Result<()> {
    let names = [world.name("a")?, world.name("b")?, world.name("c")?];
    for short in ["a", "b", "c"] {
        world.ask(world.spec(short, json!({ "replicas": 0 }))?).await?;
    }
    let mut seen = Vec::new();
    let mut page = PageRequest { limit: Some(2), after: None };
    loop {
        let answer = world.client.service_list(Some(&world.cluster), page).await?;
        ensure!(answer.items.len() <= 2, "a page has more than was asked for");
        seen.extend(answer.items.into_iter().map(|service| service.spec.name));
        let Some(next) = answer.next else { break };
        page = PageRequest { limit: Some(2), after: Some(next) };
    }
    for name in &names {
        ensure!(seen.iter().filter(|one| *one == name).count() == 1, "{name} is not there once: {seen:?}");
    }
    Ok(())
}

async fn unknown_service(world: World) -> Result<()> {
    let (client, cluster, name) = (&world.client, &world.cluster, world.name("nobody")?);
    refused(client.service_info(cluster, &name).await, ErrorCode::NotFound, "service")?;
    refused(client.service_delete(cluster, &name, None).await, ErrorCode::NotFound, "service")?;
    refused(client.service_scale(cluster, &name, 2, None).await, ErrorCode::NotFound, "service")?;
    let spec = world.spec("nobody", json!({}))?;
    refused(client.service_update(cluster, spec, None, None).await, ErrorCode::NotFound, "service")?;
    refused(client.service_logs(cluster, &name, false, None).try_next().await, ErrorCode::NotFound, "service")?;
    Ok(())
}

async fn taken_name(world: World) -> Result<()> {
    let first = world.run("web", json!({})).await?;
    let error = world.ask(world.spec("web", json!({}))?).await.err().context("two services of one name")?;
    ensure!(error.code() == ErrorCode::AlreadyExists, "{error}");
    ensure!(world.info(&first.spec.name).await?.id == first.id, "it is another service now");
    Ok(())
}

async fn unknown_cluster(world: World) -> Result<()> {
    let source = ServiceSource::Spec(Box::new(world.spec("web", json!({}))?));
    let asked = world.client.service_create(&world.name("nobody")?, source, None).await;
    refused(asked, ErrorCode::NotFound, "cluster")?;
    Ok(())
}

async fn removed_is_gone(world: World) -> Result<()> {
    let info = world.run("web", json!({ "replicas": 2 })).await?;
    world.remove(&info.spec.name).await?;
    refused(world.client.service_info(&world.cluster, &info.spec.name).await, ErrorCode::NotFound, "service")?;
    let gone = async || {
        let all: Vec<ContainerInfo> = world.client.containers(Some(&world.cluster), None).try_collect().await?;
        Ok(all.iter().all(|copy| copy.service_id != info.id).then_some(()))
    };
    world.until("no copies are left", gone).await
}

async fn name_is_free_again(world: World) -> Result<()> {
    let first = world.run("web", json!({})).await?;
    world.remove(&first.spec.name).await?;
    let second = world.run("web", json!({})).await?;
    ensure!(first.id != second.id && second.generation == 1, "{second:?}");
    Ok(())
}

async fn removed_twice(world: World) -> Result<()> {
    let info = world.run("web", json!({})).await?;
    let first = world.client.service_delete(&world.cluster, &info.spec.name, None).await?;
    match world.client.service_delete(&world.cluster, &info.spec.name, None).await {
        Ok(second) => ensure!(first.id == second.id, "two removals"),
        // It was quick.
        Err(error) => ensure!(error.code() == ErrorCode::NotFound, "{error}"),
    }
    succeeded(world.client.wait(first.id).await?)?;
    Ok(())
}

async fn same_key_twice(world: World) -> Result<()> {
    let key = Some(format!("conformance-{}", world.number));
    let spec = world.spec("web", json!({}))?;
    world.owns(&spec.name);
    let source = || ServiceSource::Spec(Box::new(spec.clone()));
    let first = world.client.service_create(&world.cluster, source(), key.clone()).await?;
    let second = world.client.service_create(&world.cluster, source(), key).await?;
    ensure!(first.id == second.id, "two operations");
    succeeded(world.client.wait(first.id).await?)?;
    Ok(())
}

async fn refused_leaves_nothing(world: World) -> Result<()> {
    world.refuses(json!({ "image": "" }), "image").await?;
    let all: Vec<ServiceInfo> = world.client.services(Some(&world.cluster)).try_collect().await?;
    let name = world.name("refused")?;
    ensure!(all.iter().all(|service| service.spec.name != name), "it is listed");
    Ok(())
}

async fn trouble_is_shown_in_the_list(world: World) -> Result<()> {
    world.ask(world.spec("web", json!({ "image": world.missing_image() }))?).await?;
    let name = world.name("web")?;
    world
        .until("a cause in the list of services", async || {
            let all: Vec<ServiceInfo> = world.client.services(Some(&world.cluster)).try_collect().await?;
            Ok(all.into_iter().find(|service| service.spec.name == name).and_then(|service| service.cause))
        })
        .await?;
    Ok(())
}

async fn many_at_once(world: World) -> Result<()> {
    let mut operations = Vec::new();
    for short in ["a", "b", "c", "d", "e"] {
        operations.push(world.ask(world.spec(short, json!({}))?).await?);
    }
    for operation in operations {
        succeeded(world.client.wait(operation.id).await?)?;
    }
    Ok(())
}
