//! How copies of a service are spread: replicated, global, job.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use muster_client::protocol::ErrorCode;
use muster_client::protocol::model::container::ContainerPhase;
use muster_client::protocol::model::operation::OperationPhase;
use muster_client::protocol::model::service::{ServiceMode, ServicePhase};
use serde_json::{Value, json};

use crate::case::Cases;
use crate::world::{World, refused, succeeded};

pub(super) fn cases() -> Cases {
    Cases::about("mode")
        .case("a service is replicated if nothing else is said", replicated)
        .case("a global service has one copy on every machine", global)
        .case("a global service keeps to its constraints", global_with_constraint)
        .case("a global service has no number of copies", global_with_replicas)
        .case("a global service cannot be scaled", global_scaled)
        .case("a job that ends well is complete", job_completes)
        .case("a job of several copies completes as often", job_of_several)
        .case("a job has to complete at least once", job_of_none)
        .case("the mode of a service that is there cannot be changed", changed_mode)
        .inside("a job that fails again and again fails", job_fails)
        .inside("the copies of a job are not started again", job_runs_once)
        .inside("an updated job runs again", job_again)
}

async fn replicated(world: World) -> Result<()> {
    let info = world.run("web", json!({})).await?;
    ensure!(info.spec.mode == ServiceMode::Replicated && info.spec.replicas == 1, "{info:?}");
    Ok(())
}

async fn global(world: World) -> Result<()> {
    let info = world.run("agent", json!({ "mode": "global" })).await?;
    ensure!((info.ready, info.wanted) == (3, 3), "{info:?}");
    let copies = world.running(&info.spec.name).await?;
    let machines: BTreeSet<_> = copies.iter().filter_map(|copy| copy.machine.clone()).collect();
    ensure!(machines.len() == 3, "{copies:?}");
    Ok(())
}

async fn global_with_constraint(world: World) -> Result<()> {
    let info = world.run("agent", json!({ "mode": "global", "constraints": ["role==worker"] })).await?;
    ensure!((info.ready, info.wanted) == (2, 2), "{info:?}");
    let copies = world.running(&info.spec.name).await?;
    let is_worker = |name: &str| name.starts_with("worker-");
    ensure!(copies.iter().all(|copy| copy.machine.as_ref().is_some_and(|one| is_worker(one.as_str()))), "{copies:?}");
    Ok(())
}

async fn global_with_replicas(world: World) -> Result<()> {
    world.refuses(json!({ "mode": "global", "replicas": 2 }), "replicas").await?;
    Ok(())
}

async fn global_scaled(world: World) -> Result<()> {
    let info = world.run("agent", json!({ "mode": "global" })).await?;
    let asked = world.client.service_scale(&world.cluster, &info.spec.name, 5, None).await;
    refused(asked, ErrorCode::InvalidArgument, "replicas")?;
    Ok(())
}

fn job(script: &str) -> Value {
    json!({ "mode": "job", "command": ["sh", "-c", script] })
}

async fn job_completes(world: World) -> Result<()> {
    let info = world.run("job", job("echo done")).await?;
    ensure!(info.phase == ServicePhase::Complete && info.ready == 1, "{info:?}");
    let copies = world.containers(&info.spec.name).await?;
    let copy = copies.first().context("no copy")?;
    ensure!(copy.phase == ContainerPhase::Complete && copy.exit_code == Some(0), "{copy:?}");
    Ok(())
}

async fn job_of_several(world: World) -> Result<()> {
    let mut fields = job("echo done");
    fields["replicas"] = json!(3);
    let info = world.run("job", fields).await?;
    ensure!((info.phase, info.ready, info.wanted) == (ServicePhase::Complete, 3, 3), "{info:?}");
    Ok(())
}

async fn job_of_none(world: World) -> Result<()> {
    world.refuses(json!({ "mode": "job", "replicas": 0 }), "replicas").await?;
    Ok(())
}

async fn changed_mode(world: World) -> Result<()> {
    let info = world.run("web", json!({})).await?;
    let spec = world.spec("web", json!({ "mode": "global" }))?;
    let asked = world.client.service_update(&world.cluster, spec, None, None).await;
    refused(asked, ErrorCode::Unsupported, "mode")?;
    ensure!(world.info(&info.spec.name).await?.generation == 1, "it was changed");
    Ok(())
}

async fn job_fails(world: World) -> Result<()> {
    let mut fields = job("echo broken; exit 7");
    fields["update"] = json!({ "deadlineMs": 60_000 });
    let ended = world.create("job", fields).await?;
    ensure!(ended.phase == OperationPhase::Failed, "{ended:?}");
    let cause = ended.cause.context("no cause")?;
    ensure!(cause.message.contains('7'), "the code is not in it: {cause:?}");
    Ok(())
}

async fn job_runs_once(world: World) -> Result<()> {
    let name = world.run("job", job("echo done")).await?.spec.name;
    let lines = world.logs_of(&name, 1).await?;
    // As long as a copy that is started again would take to say it again.
    tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    let later = world.logs(&name, None).await?;
    ensure!(lines.len() == 1 && later == lines, "{later:?}");
    Ok(())
}

async fn job_again(world: World) -> Result<()> {
    let name = world.run("job", job("echo first")).await?.spec.name;
    succeeded(world.update(world.spec("job", job("echo second"))?).await?)?;
    let said = async || {
        let lines = world.logs(&name, None).await?;
        Ok(lines.iter().any(|line| line.text == "second").then_some(()))
    };
    world.until("the second run in the log", said).await?;
    ensure!(world.info(&name).await?.phase == ServicePhase::Complete, "it is not complete");
    Ok(())
}
