//! The image of a service.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use muster_client::protocol::model::operation::OperationPhase;
use muster_client::protocol::{ErrorCode, Name};
use muster_tests::images::foreign;
use muster_tests::images::tags::Repository;
use muster_tests::registry::LOGIN;
use serde_json::json;

use crate::case::Cases;
use crate::world::{World, refused, succeeded};

pub(super) fn cases() -> Cases {
    Cases::about("image")
        .case("copies run the image that was asked for", run_the_image)
        .case("an image that does not exist is named in the cause", missing_is_named)
        .case("a service with an image that does not exist can be mended", missing_can_be_mended)
        .case("an image without a name is refused", without_a_name)
        .case("an image with a blank in its name is refused", with_a_blank)
        .case("an image with a password in it is refused without showing it", with_a_password)
        .inside("the cause of an image that does not exist comes before the deadline", missing_is_said_soon)
        .inside("a tag means the same image for every copy of one submission", one_digest)
        .case("a service that is not there cannot be refreshed", refresh_nothing)
        .inside("a refresh follows a tag that was moved, and changes no copy if it was not", refresh)
        .inside("an image behind a login is pulled with the login of the configuration", behind_login)
        .inside("an image that wants a login which is not configured is named with that", without_login)
        .inside("an image for another processor is named with it, and nobody waits for it", for_another_processor)
        .inside("the wait for an image that will never come ends before the deadline", wait_ends_early)
}

async fn run_the_image(world: World) -> Result<()> {
    let info = world.run("web", json!({})).await?;
    let copies = world.running(&info.spec.name).await?;
    ensure!(!copies.is_empty() && copies.iter().all(|copy| copy.image == world.image), "{copies:?}");
    Ok(())
}

async fn missing_is_named(world: World) -> Result<()> {
    let image = world.missing_image();
    world.ask(world.spec("web", json!({ "image": image }))?).await?;
    let cause = world.trouble(&world.name("web")?).await?;
    ensure!(cause.message.contains(&image), "{cause:?}");
    Ok(())
}

async fn missing_can_be_mended(world: World) -> Result<()> {
    let fields = json!({ "image": world.missing_image(), "update": { "deadlineMs": world.short_deadline_ms() } });
    let ended = world.create("web", fields).await?;
    ensure!(ended.phase == OperationPhase::Failed, "{ended:?}");
    succeeded(world.update(world.spec("web", json!({}))?).await?)?;
    Ok(())
}

async fn without_a_name(world: World) -> Result<()> {
    world.refuses(json!({ "image": "" }), "image").await?;
    Ok(())
}

async fn with_a_blank(world: World) -> Result<()> {
    world.refuses(json!({ "image": "busybox 1.36" }), "image").await?;
    Ok(())
}

async fn with_a_password(world: World) -> Result<()> {
    let error = world.refuses(json!({ "image": "me:hunter2@registry.example/app:1" }), "image").await?;
    ensure!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    Ok(())
}

async fn missing_is_said_soon(world: World) -> Result<()> {
    let asked = world.ask(world.spec("web", json!({ "image": world.missing_image() }))?).await?;
    let began = std::time::Instant::now();
    world.trouble(&world.name("web")?).await?;
    ensure!(began.elapsed().as_secs() < 30, "after {} s", began.elapsed().as_secs());
    let now = world.client.operation_info(asked.id).await?;
    ensure!(now.cause.is_some(), "the operation does not say it: {now:?}");
    Ok(())
}

async fn one_digest(world: World) -> Result<()> {
    let info = world.run("web", json!({ "replicas": 2 })).await?;
    let shown = serde_json::to_value(&info)?;
    let digest = shown.get("imageDigest").or_else(|| shown.get("digest"));
    let digest = digest.and_then(|digest| digest.as_str()).context("no digest is shown")?;
    ensure!(digest.contains("sha256:"), "{digest}");
    Ok(())
}

async fn refresh_nothing(world: World) -> Result<()> {
    let asked = world.client.service_refresh(&world.cluster, &world.name("nothing")?, None).await;
    refused(asked, ErrorCode::NotFound, "service")?;
    Ok(())
}

async fn refresh(world: World) -> Result<()> {
    let (address, repository, tag) = world.image_in_registry()?;
    let moving = world.name("moving")?;
    let tags = Repository::new(address, repository)?;
    tags.copy(tag, moving.as_str()).await?;
    let image = format!("{address}/{repository}:{moving}");
    let before = world.run("web", json!({ "image": image, "replicas": 2 })).await?;
    let name = &before.spec.name;
    let copies = ids(&world, name).await?;

    succeeded(world.refresh(name).await?)?;
    let same = world.info(name).await?;
    ensure!(same.digest == before.digest && ids(&world, name).await? == copies, "the tag was not moved: {same:?}");

    tags.list(tag, moving.as_str(), processor()).await?;
    succeeded(world.refresh(name).await?)?;
    let after = world.info(name).await?;
    ensure!(after.digest.is_some() && after.digest != before.digest, "{:?} as before", after.digest);
    let others = ids(&world, name).await?;
    ensure!(others.len() == 2 && others.is_disjoint(&copies), "{others:?} after {copies:?}");
    Ok(())
}

async fn ids(world: &World, service: &Name) -> Result<BTreeSet<String>> {
    Ok(world.running(service).await?.into_iter().map(|copy| copy.id).collect())
}

/// The processor of the machines here, as images name it.
fn processor() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

async fn wait_ends_early(world: World) -> Result<()> {
    // Ten times as long as anybody should wait.
    let fields = json!({ "image": world.missing_image(), "update": { "deadlineMs": 600_000 } });
    let asked = world.ask(world.spec("web", fields)?).await?;
    let ended = tokio::time::timeout(world.patience, world.client.wait(asked.id)).await;
    let ended = ended.with_context(|| format!("it waits longer than {} s", world.patience.as_secs()))??;
    ensure!(ended.phase == OperationPhase::Failed, "{ended:?}");
    Ok(())
}

async fn behind_login(world: World) -> Result<()> {
    let image = world.behind_login.clone().context("the stage has no registry that wants a login")?;
    let info = world.run("web", json!({ "image": image, "replicas": 2 })).await?;
    let copies = world.running(&info.spec.name).await?;
    ensure!(copies.len() == 2 && copies.iter().all(|copy| copy.image == image), "{copies:?}");
    let shown = serde_json::to_string(&info)?;
    ensure!(!shown.contains(LOGIN.1), "the password is shown: {shown}");
    Ok(())
}

async fn without_login(world: World) -> Result<()> {
    let image = world.without_login.clone().context("the stage has no registry that wants a login")?;
    world.ask(world.spec("web", json!({ "image": image }))?).await?;
    let cause = world.trouble(&world.name("web")?).await?;
    let registry = image.split('/').next().unwrap_or_default();
    let lacks = format!("no login is configured for {registry}");
    ensure!(cause.message.contains(&image) && cause.message.contains(&lacks), "{cause:?}");
    Ok(())
}

async fn for_another_processor(world: World) -> Result<()> {
    let (address, repository, tag) = world.image_in_registry()?;
    let image = foreign::ensure(address, repository, tag).await?;
    let fields = json!({ "image": image, "update": { "deadlineMs": 600_000 } });
    let asked = world.ask(world.spec("web", fields)?).await?;
    let ended = tokio::time::timeout(world.patience, world.client.wait(asked.id)).await;
    let ended = ended.with_context(|| format!("it waits longer than {} s", world.patience.as_secs()))??;
    let cause = ended.cause.context("it has no cause")?;
    let is_named = cause.message.contains(foreign::PROCESSOR) || cause.message.contains("no match for platform");
    ensure!(is_named && cause.remedy.is_some_and(|remedy| remedy.contains("processor")), "{}", cause.message);
    Ok(())
}
