//! What each copy may use, and what is kept for it.

use anyhow::{Result, ensure};
use muster_client::protocol::quantity::{Bytes, CpuMillis};
use serde_json::json;

use crate::case::Cases;
use crate::world::World;

pub(super) fn cases() -> Cases {
    Cases::about("resources")
        .case("amounts keep their units", keep_their_units)
        .case("memory in megabytes that was meant but not said is refused", forgotten_unit)
        .case("more memory kept than may be used is refused", memory_kept_above_limit)
        .case("more processor time kept than may be used is refused", cpu_kept_above_limit)
        .inside("a copy may not use more memory than its limit", memory_limit)
        .inside("a copy may not use more processor time than its limit", cpu_limit)
        .inside("more memory than any machine has is the cause, with numbers", more_memory_than_there_is)
        .inside("more processor time than any machine has is the cause", more_cpu_than_there_is)
        .inside("a copy that was killed for its memory says so", killed_for_memory)
}

async fn keep_their_units(world: World) -> Result<()> {
    let resources = json!({
        "cpuLimit": "1500m", "memoryLimit": "64Mi", "cpuReservation": "0.1", "memoryReservation": "16Mi",
    });
    let resources = world.run("web", json!({ "resources": resources })).await?.spec.resources;
    ensure!(resources.cpu_limit == Some(CpuMillis(1500)), "{resources:?}");
    ensure!(resources.memory_limit == Some(Bytes(64 << 20)), "{resources:?}");
    ensure!(resources.cpu_reservation == Some(CpuMillis(100)), "{resources:?}");
    ensure!(resources.memory_reservation == Some(Bytes(16 << 20)), "{resources:?}");
    Ok(())
}

async fn forgotten_unit(world: World) -> Result<()> {
    let error = world.refuses(json!({ "resources": { "memoryLimit": 512 } }), "resources.memoryLimit").await?;
    ensure!(error.remedy.as_ref().is_some_and(|remedy| remedy.contains("512Mi")), "{error:?}");
    Ok(())
}

async fn memory_kept_above_limit(world: World) -> Result<()> {
    let resources = json!({ "memoryLimit": "64Mi", "memoryReservation": "128Mi" });
    world.refuses(json!({ "resources": resources }), "resources.memoryReservation").await?;
    Ok(())
}

async fn cpu_kept_above_limit(world: World) -> Result<()> {
    let resources = json!({ "cpuLimit": "100m", "cpuReservation": "200m" });
    world.refuses(json!({ "resources": resources }), "resources.cpuReservation").await?;
    Ok(())
}

/// What the kernel says of a copy's own control group: in the second version of control groups, or in the first.
async fn control_group(world: &World, resources: serde_json::Value, second: &str, first: &str) -> Result<String> {
    let name = world.run("web", json!({ "resources": resources })).await?.spec.name;
    world.shell(&name, &format!("cat /sys/fs/cgroup/{second} 2>/dev/null || cat /sys/fs/cgroup/{first}")).await
}

async fn memory_limit(world: World) -> Result<()> {
    let limit = json!({ "memoryLimit": "48Mi" });
    let seen = control_group(&world, limit, "memory.max", "memory/memory.limit_in_bytes").await?;
    ensure!(seen == (48 << 20).to_string(), "{seen}");
    Ok(())
}

async fn cpu_limit(world: World) -> Result<()> {
    let seen = control_group(&world, json!({ "cpuLimit": "250m" }), "cpu.max", "cpu/cpu.cfs_quota_us").await?;
    ensure!(seen.split(' ').next() == Some("25000"), "{seen}");
    Ok(())
}

async fn more_memory_than_there_is(world: World) -> Result<()> {
    world.ask(world.spec("web", json!({ "resources": { "memoryReservation": "900Gi" } }))?).await?;
    let cause = world.trouble(&world.name("web")?).await?;
    ensure!(cause.message.contains("memory") && cause.message.contains('3'), "{cause:?}");
    Ok(())
}

async fn more_cpu_than_there_is(world: World) -> Result<()> {
    world.ask(world.spec("web", json!({ "resources": { "cpuReservation": "900" } }))?).await?;
    let cause = world.trouble(&world.name("web")?).await?;
    let words = cause.message.to_lowercase();
    ensure!(words.contains("cpu") || words.contains("processor") || words.contains("resources"), "{cause:?}");
    Ok(())
}

async fn killed_for_memory(world: World) -> Result<()> {
    // tail keeps all that it reads of a line without an end.
    let command = ["sh", "-c", "tail /dev/zero; echo $?; exit 137"];
    world.ask(world.spec("web", json!({ "command": command, "resources": { "memoryLimit": "16Mi" } }))?).await?;
    let cause = world.trouble(&world.name("web")?).await?;
    ensure!(cause.message.contains("137") || cause.message.to_lowercase().contains("memory"), "{cause:?}");
    Ok(())
}
