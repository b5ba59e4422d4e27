//! How a service shows that it is well.

use anyhow::{Context, Result, ensure};
use muster_client::protocol::model::operation::OperationPhase;
use muster_client::protocol::model::service::ServicePhase;
use serde_json::{Value, json};

use crate::case::Cases;
use crate::world::World;

pub(super) fn cases() -> Cases {
    Cases::about("health")
        .case("a check is kept with its times", kept)
        .case("an empty command as a check is refused", empty_command)
        .case("a check without time between its probes is refused", no_interval)
        .case("a check of port 0 is refused", port_zero)
        .case("a check whose times are longer than a day is refused", too_long)
        .inside("a copy counts once its command passes", command_passes)
        .inside("a copy whose command fails does not count, and the cause says so", command_fails)
        .inside("a copy counts once its page answers", http_passes)
        .inside("a copy counts once its port answers", tcp_passes)
        .inside("a copy is not judged before its start period is over", start_period)
        .inside("a copy that becomes unhealthy is replaced", becomes_unhealthy)
        .inside("a copy shows whether it is healthy", shown_on_the_copy)
}

fn check(probe: &Value) -> Value {
    json!({ "probe": probe, "intervalMs": 1000, "timeoutMs": 1000, "retries": 2 })
}

async fn kept(world: World) -> Result<()> {
    let health = json!({
        "probe": { "command": ["true"] }, "intervalMs": 2000, "timeoutMs": 1500, "retries": 4, "startPeriodMs": 3000,
    });
    let info = world.run("web", json!({ "health": health })).await?;
    ensure!(serde_json::to_value(&info.spec.health)? == health, "{:?}", info.spec.health);
    Ok(())
}

async fn empty_command(world: World) -> Result<()> {
    world.refuses(json!({ "health": check(&json!({ "command": [] })) }), "health.probe").await?;
    Ok(())
}

async fn no_interval(world: World) -> Result<()> {
    let health = json!({ "probe": { "command": ["true"] }, "intervalMs": 0 });
    world.refuses(json!({ "health": health }), "health").await?;
    Ok(())
}

async fn port_zero(world: World) -> Result<()> {
    world.refuses(json!({ "health": check(&json!({ "tcp": 0 })) }), "health.probe").await?;
    Ok(())
}

async fn too_long(world: World) -> Result<()> {
    let health = json!({ "probe": { "command": ["true"] }, "startPeriodMs": 100_000_000 });
    world.refuses(json!({ "health": health }), "health.startPeriodMs").await?;
    Ok(())
}

async fn command_passes(world: World) -> Result<()> {
    let info = world.run("web", json!({ "health": check(&json!({ "command": ["true"] })) })).await?;
    ensure!(info.phase == ServicePhase::Running && info.ready == 1, "{info:?}");
    Ok(())
}

async fn command_fails(world: World) -> Result<()> {
    let fields = json!({ "health": check(&json!({ "command": ["false"] })), "update": { "deadlineMs": 25_000 } });
    let ended = world.create("web", fields).await?;
    ensure!(ended.phase == OperationPhase::Failed, "{ended:?}");
    let words = ended.cause.context("no cause")?.message.to_lowercase();
    ensure!(words.contains("health") || words.contains("probe"), "{words}");
    Ok(())
}

/// A service that answers at port 8080 after two seconds.
fn late_web(probe: &Value) -> Value {
    let script =
        "mkdir -p /www; echo hello > /www/index.html; sleep 2; trap 'exit 0' TERM; httpd -f -p 8080 -h /www & wait";
    let mut health = check(probe);
    health["startPeriodMs"] = json!(20_000);
    json!({ "command": ["sh", "-c", script], "health": health })
}

async fn http_passes(world: World) -> Result<()> {
    world.run("web", late_web(&json!({ "http": { "port": 8080, "path": "/index.html" } }))).await?;
    Ok(())
}

async fn tcp_passes(world: World) -> Result<()> {
    world.run("web", late_web(&json!({ "tcp": 8080 }))).await?;
    Ok(())
}

async fn start_period(world: World) -> Result<()> {
    // Two failures in a row would be the end of it at once.
    let script = "sleep 5; touch /tmp/well; trap 'exit 0' TERM; sleep 1000000 & wait";
    let mut health = check(&json!({ "command": ["test", "-e", "/tmp/well"] }));
    health["startPeriodMs"] = json!(60_000);
    let name = world.run("web", json!({ "command": ["sh", "-c", script], "health": health })).await?.spec.name;
    let copies = world.containers(&name).await?;
    ensure!(copies.len() == 1, "it was started again: {copies:?}");
    Ok(())
}

async fn becomes_unhealthy(world: World) -> Result<()> {
    let script = "touch /tmp/well; trap 'exit 0' TERM; sleep 1000000 & wait";
    let health = check(&json!({ "command": ["test", "-e", "/tmp/well"] }));
    let name = world.run("web", json!({ "command": ["sh", "-c", script], "health": health })).await?.spec.name;
    world.shell(&name, "touch /tmp/first; rm /tmp/well").await?;
    world
        .until("another copy, which is well", async || {
            let is_new = world.shell(&name, "test ! -e /tmp/first && test -e /tmp/well").await.is_ok();
            let info = world.info(&name).await?;
            Ok((is_new && info.phase == ServicePhase::Running).then_some(()))
        })
        .await
}

async fn shown_on_the_copy(world: World) -> Result<()> {
    let with = world.run("with", json!({ "health": check(&json!({ "command": ["true"] })) })).await?;
    let without = world.run("without", json!({})).await?;
    let healthy = async |name| Ok::<_, anyhow::Error>(world.running(name).await?.first().map(|copy| copy.healthy));
    ensure!(healthy(&with.spec.name).await? == Some(Some(true)), "the one with a check");
    ensure!(healthy(&without.spec.name).await? == Some(None), "the one without");
    Ok(())
}
