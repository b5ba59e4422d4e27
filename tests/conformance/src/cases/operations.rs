//! Operations: the records of changes that were asked for.

use anyhow::{Context, Result, ensure};
use futures::TryStreamExt;
use muster_client::protocol::model::operation::{OperationInfo, OperationKind, OperationPhase};
use muster_client::protocol::model::service::ServicePhase;
use muster_client::protocol::{ErrorCode, OperationId};
use serde_json::json;

use crate::case::Cases;
use crate::world::{World, refused, succeeded};

pub(super) fn cases() -> Cases {
    Cases::about("operations")
        .case("an operation says what was asked for, by whom and until when", says_what_was_asked)
        .case("operations are listed newest first", newest_first)
        .case("a watch tells every change until the end, and ends", watch_ends)
        .case("an operation that has ended has done all its steps", ended_has_done_all)
        .case("an operation that is not there is not found", unknown_operation)
        .case("a service whose creation is cancelled is removed", cancelled_create)
        .case("an update that is cancelled gives back what was before", cancelled_update)
        .case("an operation that has ended is not changed by cancelling it", cancelled_too_late)
        .case("a later change takes the place of an earlier one", superseded)
        .case("a removal takes the place of a creation that does not end", removal_supersedes)
        .case("an operation that fails says the step, the cause and the code", failed_says_why)
}

async fn says_what_was_asked(world: World) -> Result<()> {
    let asked = world.ask(world.spec("web", json!({}))?).await?;
    ensure!(asked.kind == OperationKind::ServiceCreate && asked.services == [world.name("web")?], "{asked:?}");
    ensure!(asked.requested_by == world.client.whoami().await?.principal, "{asked:?}");
    ensure!(asked.deadline > asked.created_at && asked.cluster == world.cluster, "{asked:?}");
    Ok(())
}

async fn newest_first(world: World) -> Result<()> {
    let first = world.ask(world.spec("a", json!({}))?).await?;
    let second = world.ask(world.spec("b", json!({}))?).await?;
    let all: Vec<OperationInfo> = world.client.operations(Some(&world.cluster)).try_collect().await?;
    let place = |id: OperationId| all.iter().position(|operation| operation.id == id).context("not listed");
    ensure!(place(second.id)? < place(first.id)?, "the older is first");
    Ok(())
}

async fn watch_ends(world: World) -> Result<()> {
    let asked = world.ask(world.spec("web", json!({}))?).await?;
    let told: Vec<OperationInfo> = world.client.operation_watch(asked.id).try_collect().await?;
    let last = told.last().context("it tells nothing")?;
    ensure!(last.phase == OperationPhase::Succeeded && last.ended_at.is_some(), "{last:?}");
    ensure!(told.iter().filter(|operation| operation.phase.is_ended()).count() == 1, "it ends more than once");
    Ok(())
}

async fn ended_has_done_all(world: World) -> Result<()> {
    let ended = succeeded(world.create("web", json!({})).await?)?;
    ensure!(ended.steps_done == ended.steps_total && ended.steps_total > 0, "{ended:?}");
    let info = world.client.operation_info(ended.id).await?;
    ensure!(info == ended, "{info:?}");
    Ok(())
}

async fn unknown_operation(world: World) -> Result<()> {
    let id = OperationId::generate();
    refused(world.client.operation_info(id).await, ErrorCode::NotFound, "operation")?;
    refused(world.client.operation_cancel(id).await, ErrorCode::NotFound, "operation")?;
    Ok(())
}

async fn cancelled_create(world: World) -> Result<()> {
    let asked = world.ask(world.spec("web", json!({ "image": world.missing_image() }))?).await?;
    let cancelled = world.client.operation_cancel(asked.id).await?;
    ensure!(cancelled.phase == OperationPhase::Cancelled, "{cancelled:?}");
    let name = world.name("web")?;
    world
        .until("the service is gone", async || {
            let asked = world.client.service_info(&world.cluster, &name).await;
            Ok(asked.is_err_and(|error| error.code() == ErrorCode::NotFound).then_some(()))
        })
        .await
}

async fn cancelled_update(world: World) -> Result<()> {
    let before = world.run("web", json!({ "env": { "VERSION": "1" } })).await?;
    let mut spec = before.spec.clone();
    spec.image = world.missing_image();
    let asked = world.client.service_update(&world.cluster, spec, None, None).await?;
    let cancelled = world.client.operation_cancel(asked.id).await?;
    ensure!(cancelled.phase == OperationPhase::Cancelled, "{cancelled:?}");
    world
        .until("the service runs as before", async || {
            let info = world.info(&before.spec.name).await?;
            Ok((info.phase == ServicePhase::Running && info.spec == before.spec).then_some(()))
        })
        .await
}

async fn cancelled_too_late(world: World) -> Result<()> {
    let ended = succeeded(world.create("web", json!({})).await?)?;
    let cancelled = world.client.operation_cancel(ended.id).await?;
    ensure!(cancelled == ended, "{cancelled:?}");
    ensure!(world.info(&world.name("web")?).await?.phase == ServicePhase::Running, "it is not as it was");
    Ok(())
}

async fn superseded(world: World) -> Result<()> {
    let mut spec = world.run("web", json!({})).await?.spec;
    spec.image = world.missing_image();
    let first = world.client.service_update(&world.cluster, spec.clone(), None, None).await?;
    spec.image = world.image.clone();
    spec.env.insert("VERSION".to_owned(), "2".to_owned());
    succeeded(world.update(spec).await?)?;
    let first = world.client.wait(first.id).await?;
    ensure!(first.phase == OperationPhase::Superseded, "{first:?}");
    Ok(())
}

async fn removal_supersedes(world: World) -> Result<()> {
    let asked = world.ask(world.spec("web", json!({ "image": world.missing_image() }))?).await?;
    world.remove(&world.name("web")?).await?;
    let ended = world.client.wait(asked.id).await?;
    ensure!(ended.phase == OperationPhase::Superseded, "{ended:?}");
    Ok(())
}

async fn failed_says_why(world: World) -> Result<()> {
    let fields = json!({ "image": world.missing_image(), "update": { "deadlineMs": world.short_deadline_ms() } });
    let ended = world.create("web", fields).await?;
    ensure!(ended.phase == OperationPhase::Failed, "{ended:?}");
    let cause = ended.cause.context("no cause")?;
    ensure!(cause.step.contains("service/") && !cause.message.is_empty(), "{cause:?}");
    ensure!(cause.remedy.is_some(), "no remedy: {cause:?}");
    Ok(())
}
