//! On which machines a service may run.

use anyhow::{Context, Result, ensure};
use muster_client::protocol::model::service::ServiceSpec;
use serde_json::json;

use crate::case::Cases;
use crate::world::{World, succeeded};

pub(super) fn cases() -> Cases {
    Cases::about("constraints")
        .case("copies keep to a role", to_a_role)
        .case("copies keep to a machine", to_a_machine)
        .case("copies keep off a machine", off_a_machine)
        .case("all constraints must hold", all_must_hold)
        .case("a machine that is not there is the cause", no_such_machine)
        .case("a label that no machine has is the cause", no_such_label)
        .case("a text that is no constraint is not taken for one", no_constraint)
        .case("copies move when a constraint changes", changed)
        .inside("the cause of constraints that no machine meets has numbers", cause_with_numbers)
}

/// Where the copies of a service with these constraints run.
async fn machines(world: &World, constraints: &[&str]) -> Result<Vec<String>> {
    let info = world.run("web", json!({ "replicas": 2, "constraints": constraints })).await?;
    let copies = world.running(&info.spec.name).await?;
    ensure!(copies.len() == 2, "{copies:?}");
    copies.into_iter().map(|copy| Ok(copy.machine.context("on no machine")?.to_string())).collect()
}

async fn to_a_role(world: World) -> Result<()> {
    let on = machines(&world, &["role==worker"]).await?;
    ensure!(on.iter().all(|machine| machine.starts_with("worker-")), "{on:?}");
    Ok(())
}

async fn to_a_machine(world: World) -> Result<()> {
    let on = machines(&world, &["host==worker-2"]).await?;
    ensure!(on.iter().all(|machine| machine == "worker-2"), "{on:?}");
    Ok(())
}

async fn off_a_machine(world: World) -> Result<()> {
    let on = machines(&world, &["host!=worker-2"]).await?;
    ensure!(on.iter().all(|machine| machine != "worker-2"), "{on:?}");
    Ok(())
}

async fn all_must_hold(world: World) -> Result<()> {
    let on = machines(&world, &["role!=control-plane", "host!=worker-1"]).await?;
    ensure!(on.iter().all(|machine| machine == "worker-2"), "{on:?}");
    Ok(())
}

async fn no_such_machine(world: World) -> Result<()> {
    world.ask(world.spec("web", json!({ "constraints": ["host==worker-9"] }))?).await?;
    let cause = world.trouble(&world.name("web")?).await?;
    ensure!(!cause.message.is_empty() && cause.remedy.is_some(), "{cause:?}");
    Ok(())
}

async fn no_such_label(world: World) -> Result<()> {
    world.ask(world.spec("web", json!({ "constraints": ["label.disk==ssd"] }))?).await?;
    let cause = world.trouble(&world.name("web")?).await?;
    ensure!(!cause.message.is_empty() && cause.remedy.is_some(), "{cause:?}");
    Ok(())
}

async fn no_constraint(world: World) -> Result<()> {
    for text in ["role=worker", "role==king", "label.==x", "disk==ssd", "host==", "a==b!=c"] {
        let taken: Result<ServiceSpec> = world.spec("web", json!({ "constraints": [text] }));
        ensure!(taken.is_err(), "`{text}` is taken for a constraint");
    }
    Ok(())
}

async fn changed(world: World) -> Result<()> {
    let name = world.run("web", json!({ "constraints": ["host==worker-1"] })).await?.spec.name;
    succeeded(world.update(world.spec("web", json!({ "constraints": ["host==worker-2"] }))?).await?)?;
    let copies = world.running(&name).await?;
    let on: Vec<String> = copies.iter().filter_map(|copy| copy.machine.as_ref().map(ToString::to_string)).collect();
    ensure!(on == ["worker-2"], "{on:?}");
    Ok(())
}

async fn cause_with_numbers(world: World) -> Result<()> {
    world.ask(world.spec("web", json!({ "constraints": ["label.disk==ssd"] }))?).await?;
    let cause = world.trouble(&world.name("web")?).await?;
    ensure!(cause.message.contains('3'), "three machines lack it: {cause:?}");
    Ok(())
}
