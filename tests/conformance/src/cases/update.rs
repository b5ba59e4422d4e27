//! How a change is rolled out, and what happens when it goes wrong.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use muster_client::protocol::ErrorCode;
use muster_client::protocol::model::operation::OperationPhase;
use muster_client::protocol::model::service::{ServiceInfo, ServicePhase};
use serde_json::{Value, json};

use crate::case::Cases;
use crate::world::{World, succeeded};

pub(super) fn cases() -> Cases {
    Cases::about("update")
        .case("an update is another generation with other copies", another_generation)
        .case("the same again changes nothing", same_again)
        .case("a version that does not run gives way to the last good one", returns_to_the_last_good)
        .case("after a return the next update goes on from there", update_after_a_return)
        .case("a return says why it was made", return_says_why)
        .case("a first version that does not run fails and stays to be mended", first_version_fails)
        .case("an update of a generation that is past is refused", past_generation)
        .case("a change that needs less than a second is refused", too_short_a_deadline)
        .case("a change that may take longer than a day is refused", too_long_a_deadline)
        .case("all copies can be changed at once", all_at_once)
        .case("a service can be updated while it has no copies", without_copies)
        .inside("a version that runs for a moment and ends is never the last good one", flapping)
        .inside("a new copy runs before the old one stops if it is asked for", start_first)
        .inside("the old copy stops before the new one runs if nothing is asked for", stop_first)
        .inside("a copy is given time to end well", stop_grace)
        .inside("a copy that hears no signal is told so by one of its own", stop_signal)
}

fn version(number: u32) -> Value {
    json!({ "env": { "VERSION": number.to_string() } })
}

/// The service, once it runs with this version.
async fn runs_version(world: &World, number: u32) -> Result<ServiceInfo> {
    let name = world.name("web")?;
    let wanted = number.to_string();
    world
        .until("the version runs", async || {
            let info = world.info(&name).await?;
            let is_it = info.spec.env.get("VERSION") == Some(&wanted) && info.phase == ServicePhase::Running;
            Ok(is_it.then_some(info))
        })
        .await
}

/// A version that does not run, with little time for it.
fn broken(world: &World, number: u32) -> Value {
    let mut fields = world.broken();
    fields["env"] = json!({ "VERSION": number.to_string() });
    fields["update"] = json!({ "deadlineMs": world.short_deadline_ms() });
    fields
}

async fn another_generation(world: World) -> Result<()> {
    let first = world.run("web", version(1)).await?;
    let copies = world.running(&first.spec.name).await?;
    succeeded(world.update(world.spec("web", version(2))?).await?)?;
    let second = world.info(&first.spec.name).await?;
    ensure!((second.generation, second.id) == (2, first.id), "{second:?}");
    let later = world.running(&first.spec.name).await?;
    ensure!(later.len() == 1 && copies.iter().all(|copy| copy.id != later[0].id), "{later:?}");
    Ok(())
}

async fn same_again(world: World) -> Result<()> {
    let first = world.run("web", version(1)).await?;
    let copies = world.running(&first.spec.name).await?;
    succeeded(world.update(first.spec.clone()).await?)?;
    let second = world.info(&first.spec.name).await?;
    ensure!(second.generation == first.generation, "{second:?}");
    let later = world.running(&first.spec.name).await?;
    ensure!(copies.iter().map(|copy| &copy.id).eq(later.iter().map(|copy| &copy.id)), "other copies");
    Ok(())
}

async fn returns_to_the_last_good(world: World) -> Result<()> {
    world.run("web", version(1)).await?;
    let ended = world.update(world.spec("web", broken(&world, 2))?).await?;
    ensure!(ended.phase == OperationPhase::Failed, "{ended:?}");
    let info = runs_version(&world, 1).await?;
    ensure!(info.ready == 1 && info.generation == 3, "{info:?}");
    Ok(())
}

async fn update_after_a_return(world: World) -> Result<()> {
    world.run("web", version(1)).await?;
    world.update(world.spec("web", broken(&world, 2))?).await?;
    succeeded(world.update(world.spec("web", version(3))?).await?)?;
    let info = runs_version(&world, 3).await?;
    ensure!(info.cause.is_none(), "{info:?}");
    Ok(())
}

async fn return_says_why(world: World) -> Result<()> {
    world.run("web", version(1)).await?;
    let ended = world.update(world.spec("web", broken(&world, 2))?).await?;
    let cause = ended.cause.context("the operation has no cause")?;
    ensure!(cause.remedy.is_some(), "{cause:?}");
    let info = runs_version(&world, 1).await?;
    ensure!(info.cause.is_some(), "the service does not say that its version was taken back: {info:?}");
    Ok(())
}

async fn first_version_fails(world: World) -> Result<()> {
    let ended = world.create("web", broken(&world, 1)).await?;
    ensure!(ended.phase == OperationPhase::Failed, "{ended:?}");
    let info = world.info(&world.name("web")?).await?;
    ensure!(info.phase == ServicePhase::Degraded && info.cause.is_some(), "{info:?}");
    succeeded(world.update(world.spec("web", version(2))?).await?)?;
    runs_version(&world, 2).await?;
    Ok(())
}

async fn past_generation(world: World) -> Result<()> {
    world.run("web", version(1)).await?;
    succeeded(world.update(world.spec("web", version(2))?).await?)?;
    let spec = world.spec("web", version(3))?;
    let asked = world.client.service_update(&world.cluster, spec, Some(1), None).await;
    let error = asked.err().context("it is accepted")?;
    ensure!(error.code() == ErrorCode::Conflict, "{error}");
    runs_version(&world, 2).await?;
    Ok(())
}

async fn too_short_a_deadline(world: World) -> Result<()> {
    world.refuses(json!({ "update": { "deadlineMs": 999 } }), "update.deadlineMs").await?;
    Ok(())
}

async fn too_long_a_deadline(world: World) -> Result<()> {
    world.refuses(json!({ "update": { "deadlineMs": 86_400_001 } }), "update.deadlineMs").await?;
    world.refuses(json!({ "update": { "delayMs": 86_400_001 } }), "update.delayMs").await?;
    Ok(())
}

async fn all_at_once(world: World) -> Result<()> {
    let fields = |number: &str| json!({ "replicas": 3, "env": { "VERSION": number }, "update": { "parallelism": 0 } });
    let name = world.run("web", fields("1")).await?.spec.name;
    succeeded(world.update(world.spec("web", fields("2"))?).await?)?;
    let info = world.info(&name).await?;
    ensure!((info.ready, info.wanted) == (3, 3), "{info:?}");
    Ok(())
}

async fn without_copies(world: World) -> Result<()> {
    let mut fields = version(1);
    fields["replicas"] = json!(0);
    let name = world.run("web", fields).await?.spec.name;
    let mut fields = version(2);
    fields["replicas"] = json!(0);
    succeeded(world.update(world.spec("web", fields)?).await?)?;
    let info = world.scale(&name, 1).await?;
    ensure!(info.spec.env.get("VERSION").map(String::as_str) == Some("2"), "{info:?}");
    Ok(())
}

async fn flapping(world: World) -> Result<()> {
    world.run("web", version(1)).await?;
    let mut flapping = version(2);
    flapping["command"] = json!(["sh", "-c", "sleep 2; exit 1"]);
    flapping["update"] = json!({ "deadlineMs": 30_000 });
    let ended = world.update(world.spec("web", flapping)?).await?;
    ensure!(ended.phase == OperationPhase::Failed, "a version that ends after 2 s: {ended:?}");
    runs_version(&world, 1).await?;
    Ok(())
}

/// How often is looked whether a copy runs.
const LOOK: Duration = Duration::from_millis(100);

/// Whether at some time of an update no copy ran.
async fn was_interrupted(world: &World, order: &str) -> Result<bool> {
    let fields = |number: &str| {
        // It takes a while to be ready, so that a pause would be seen.
        let health =
            json!({ "probe": { "command": ["test", "-e", "/tmp/well"] }, "intervalMs": 1000, "startPeriodMs": 60000 });
        let script = "sleep 3; touch /tmp/well; trap 'exit 0' TERM; sleep 1000000 & wait";
        json!({
            "command": ["sh", "-c", script], "env": { "VERSION": number }, "health": health,
            "update": { "order": order },
        })
    };
    let name = world.run("web", fields("1")).await?.spec.name;
    let asked = world.client.service_update(&world.cluster, world.spec("web", fields("2"))?, None, None).await?;
    let watched = async {
        let mut was_interrupted = false;
        loop {
            was_interrupted |= world.running(&name).await?.is_empty();
            let now = world.client.operation_info(asked.id).await?;
            if now.phase.is_ended() {
                succeeded(now)?;
                return Ok(was_interrupted);
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::time::timeout(world.patience, watched).await.context("the update has no end")?
}

async fn start_first(world: World) -> Result<()> {
    ensure!(!was_interrupted(&world, "start-first").await?, "there was a time without a copy");
    Ok(())
}

async fn stop_first(world: World) -> Result<()> {
    ensure!(was_interrupted(&world, "stop-first").await?, "two copies ran at once");
    Ok(())
}

/// Writes what became of its end into a volume, and is then replaced by one that reads it.
async fn ended_well(world: &World, trap: &str, extra: Value) -> Result<String> {
    let volume = format!("data-{}", world.number);
    let fields = |script: String| {
        let mut fields = json!({
            "command": ["sh", "-c", script], "constraints": ["host==worker-1"],
            "mounts": [{ "kind": "volume", "source": volume, "target": "/data" }],
        });
        if let (Some(all), Some(more)) = (fields.as_object_mut(), extra.as_object()) {
            all.extend(more.clone());
        }
        fields
    };
    let script = format!("echo killed > /data/x; {trap}; sleep 1000000 & wait");
    let name = world.run("db", fields(script)).await?.spec.name;
    let script = "trap 'exit 0' TERM; sleep 1000000 & wait".to_owned();
    succeeded(world.update(world.spec("db", fields(script))?).await?)?;
    world.shell(&name, "cat /data/x").await
}

async fn stop_grace(world: World) -> Result<()> {
    let trap = "trap 'sleep 14; echo clean > /data/x; exit 0' TERM";
    let seen = ended_well(&world, trap, json!({ "stopGraceMs": 30_000 })).await?;
    ensure!(seen == "clean", "{seen}");
    Ok(())
}

async fn stop_signal(world: World) -> Result<()> {
    let trap = "trap '' TERM; trap 'echo clean > /data/x; exit 0' USR1";
    let seen = ended_well(&world, trap, json!({ "stopSignal": "SIGUSR1" })).await?;
    ensure!(seen == "clean", "{seen}");
    Ok(())
}
