//! As whom the processes of a service run, how they end, and who may read its files.

use anyhow::{Result, ensure};
use futures::TryStreamExt;
use muster_client::EventQuery;
use muster_client::protocol::model::event::EventKind;
use serde_json::json;

use crate::case::Cases;
use crate::world::{World, succeeded};

pub(super) fn cases() -> Cases {
    Cases::about("processes")
        .case("a user that is none is refused", no_user)
        .case("a signal that is none is refused", no_signal)
        .case("a time to end that is none or too long is refused", no_grace)
        .case("a mode with more than read, write and execute is refused", no_mode)
        .case("that there is no health check is kept as a word", no_health_check)
        .case("the time to end is shown if nothing was said", grace_is_shown)
        .inside("processes run as the user and group that were asked for", user)
        .inside("a process 1 of the orchestrator's own stands before the service's", init)
        .inside("secrets and files have the modes that were asked for", modes)
        .inside("a copy that had to be killed is told as an event", killed_is_told)
}

async fn no_user(world: World) -> Result<()> {
    for user in ["", "a b", "1000:", "4294967295"] {
        world.refuses(json!({ "user": user }), "user").await?;
    }
    Ok(())
}

async fn no_signal(world: World) -> Result<()> {
    for signal in ["", "TERM", "15", "SIGFOO"] {
        world.refuses(json!({ "stopSignal": signal }), "stopSignal").await?;
    }
    Ok(())
}

async fn no_grace(world: World) -> Result<()> {
    for grace in [0, 999, 86_400_001] {
        world.refuses(json!({ "stopGraceMs": grace }), "stopGraceMs").await?;
    }
    Ok(())
}

async fn no_mode(world: World) -> Result<()> {
    let secret = json!({ "name": "key", "value": "x", "mode": "4755" });
    world.refuses(json!({ "secrets": [secret] }), "secrets.mode").await?;
    let file = json!({ "path": "/etc/app.conf", "content": "x", "mode": "1777" });
    world.refuses(json!({ "files": [file] }), "files.mode").await?;
    Ok(())
}

async fn no_health_check(world: World) -> Result<()> {
    let info = world.run("web", json!({ "health": "none" })).await?;
    ensure!(serde_json::to_value(&info.spec.health)? == json!("none"), "{:?}", info.spec.health);
    Ok(())
}

async fn grace_is_shown(world: World) -> Result<()> {
    let info = world.run("web", json!({})).await?;
    ensure!(info.spec.stop_grace_ms == 10_000, "{} ms", info.spec.stop_grace_ms);
    Ok(())
}

async fn user(world: World) -> Result<()> {
    let name = world.run("web", json!({ "user": "1000:1001" })).await?.spec.name;
    let seen = world.shell(&name, "id -u; id -g; grep -e ^Uid -e ^Gid /proc/1/status | cut -f 2").await?;
    ensure!(seen == "1000\n1001\n1000\n1001", "{seen}");
    Ok(())
}

async fn init(world: World) -> Result<()> {
    let first = async |short: &str, init: bool| {
        let name = world.run(short, json!({ "init": init })).await?.spec.name;
        world.shell(&name, "cat /proc/1/comm").await
    };
    let (without, with) = (first("without", false).await?, first("with", true).await?);
    ensure!(without == "sh" && with != "sh", "without: {without}, with: {with}");
    Ok(())
}

async fn modes(world: World) -> Result<()> {
    let secrets = json!([{ "name": "key", "value": "x", "mode": "0400" }, { "name": "open", "value": "x" }]);
    let files = json!([{ "path": "/opt/run", "content": "#!/bin/sh\necho ran\n", "mode": "0755" }]);
    let name = world.run("web", json!({ "secrets": secrets, "files": files })).await?.spec.name;
    let seen = world.shell(&name, "stat -L -c %a /run/secrets/key /run/secrets/open; /opt/run").await?;
    ensure!(seen == "400\n444\nran", "{seen}");
    Ok(())
}

async fn killed_is_told(world: World) -> Result<()> {
    let fields = |script: &str| json!({ "command": ["sh", "-c", script], "stopGraceMs": 2_000 });
    let name = world.run("web", fields("trap '' TERM; sleep 1000000 & wait")).await?.spec.name;
    let polite = "trap 'exit 0' TERM; sleep 1000000 & wait";
    succeeded(world.update(world.spec("web", fields(polite))?).await?)?;
    let killed = async || {
        let query = EventQuery { since: None, cluster: Some(world.cluster.clone()), follow: false };
        let events: Vec<_> = world.client.events(query).try_collect().await?;
        let of_it = events.iter().filter(|event| event.service.as_ref() == Some(&name));
        Ok::<_, anyhow::Error>(of_it.filter(|event| event.kind == EventKind::ContainerKilled).count())
    };
    world.until("an event", async || Ok((killed().await? == 1).then_some(()))).await?;
    // The next one ends when it is asked to, and nothing is told of it.
    succeeded(world.update(world.spec("web", fields("trap 'exit 0' TERM; sleep 2000000 & wait"))?).await?)?;
    let told = killed().await?;
    ensure!(told == 1, "{told} events");
    Ok(())
}
