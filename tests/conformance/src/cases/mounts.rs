//! What is mounted into copies: volumes, paths of the machine, memory.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::case::Cases;
use crate::world::{World, succeeded};

pub(super) fn cases() -> Cases {
    Cases::about("mounts")
        .case("mounts are kept as they were asked for", kept)
        .case("a volume without a name is refused", volume_without_a_name)
        .case("a bind of a path that is not absolute is refused", relative_bind)
        .case("a tmpfs with a source is refused", tmpfs_with_a_source)
        .case("two mounts at one path are refused", two_at_one_path)
        .case("a mount at a path that is not absolute is refused", relative_target)
        .inside("a volume keeps its content when copies are replaced", volume_outlives_copies)
        .inside("a volume that is only read cannot be written", read_only)
        .inside("a path of the machine is seen by the copies on it", bind)
        .inside("a tmpfs is memory and gone with the copy", tmpfs)
        .inside("a service goes where its volume is", goes_where_its_volume_is)
        .inside("a path that the machine does not have is the cause, or is made", missing_bind)
}

fn mount(kind: &str, source: Option<&str>, target: &str) -> Value {
    json!({ "mounts": [{ "kind": kind, "source": source, "target": target }] })
}

async fn kept(world: World) -> Result<()> {
    let mounts = json!([
        { "kind": "volume", "source": format!("data-{}", world.number), "target": "/data", "readOnly": false },
        { "kind": "tmpfs", "source": null, "target": "/cache", "readOnly": false },
    ]);
    let info = world.run("web", json!({ "mounts": mounts })).await?;
    ensure!(serde_json::to_value(&info.spec.mounts)? == mounts, "{:?}", info.spec.mounts);
    Ok(())
}

async fn volume_without_a_name(world: World) -> Result<()> {
    for source in [None, Some(""), Some("a/b")] {
        world.refuses(mount("volume", source, "/data"), "mounts.source").await?;
    }
    Ok(())
}

async fn relative_bind(world: World) -> Result<()> {
    for source in [None, Some("srv")] {
        world.refuses(mount("bind", source, "/data"), "mounts.source").await?;
    }
    Ok(())
}

async fn tmpfs_with_a_source(world: World) -> Result<()> {
    world.refuses(mount("tmpfs", Some("x"), "/data"), "mounts.source").await?;
    Ok(())
}

async fn two_at_one_path(world: World) -> Result<()> {
    let one = json!({ "kind": "tmpfs", "target": "/data" });
    world.refuses(json!({ "mounts": [one, one] }), "mounts.target").await?;
    Ok(())
}

async fn relative_target(world: World) -> Result<()> {
    world.refuses(mount("tmpfs", None, "data"), "mounts.target").await?;
    Ok(())
}

/// A service with a volume of its own, on one machine.
fn with_volume(world: &World, version: &str, read_only: bool) -> Value {
    let volume = format!("data-{}", world.number);
    json!({
        "mounts": [{ "kind": "volume", "source": volume, "target": "/data", "readOnly": read_only }],
        "constraints": ["host==worker-1"],
        "env": { "VERSION": version },
    })
}

async fn volume_outlives_copies(world: World) -> Result<()> {
    let name = world.run("db", with_volume(&world, "1", false)).await?.spec.name;
    world.shell(&name, "echo kept > /data/x").await?;
    succeeded(world.update(world.spec("db", with_volume(&world, "2", false))?).await?)?;
    let seen = world.shell(&name, "echo $VERSION; cat /data/x").await?;
    ensure!(seen == "2\nkept", "{seen}");
    Ok(())
}

async fn read_only(world: World) -> Result<()> {
    let name = world.run("db", with_volume(&world, "1", true)).await?.spec.name;
    let said = world.exec(&name, &["sh", "-c", "echo x > /data/x"], b"").await?;
    ensure!(said.code != 0, "it was written");
    Ok(())
}

async fn bind(world: World) -> Result<()> {
    let fields = json!({ "mounts": [{ "kind": "bind", "source": "/etc", "target": "/machine", "readOnly": true }] });
    let name = world.run("web", fields).await?.spec.name;
    let copy = world.running(&name).await?.into_iter().next().context("no copy")?;
    let machine = copy.machine.context("on no machine")?;
    let seen = world.shell(&name, "cat /machine/hostname").await?;
    ensure!(seen.contains(machine.as_str()), "{seen} is not {machine}");
    Ok(())
}

async fn tmpfs(world: World) -> Result<()> {
    let name = world.run("web", mount("tmpfs", None, "/cache")).await?.spec.name;
    let seen = world.shell(&name, "touch /cache/x; grep ' /cache ' /proc/mounts").await?;
    ensure!(seen.contains("tmpfs"), "{seen}");
    Ok(())
}

async fn goes_where_its_volume_is(world: World) -> Result<()> {
    let volume = format!("data-{}", world.number);
    let fields = |version: &str| {
        json!({
            "mounts": [{ "kind": "volume", "source": volume, "target": "/data" }], "env": { "VERSION": version },
        })
    };
    let name = world.run("db", fields("1")).await?.spec.name;
    world.shell(&name, "echo kept > /data/x").await?;
    // Often enough that luck alone would send it to another machine.
    for version in ["2", "3", "4", "5"] {
        succeeded(world.update(world.spec("db", fields(version))?).await?)?;
        let said = world.exec(&name, &["cat", "/data/x"], b"").await?;
        ensure!(said.text() == "kept", "version {version} runs elsewhere, with an empty volume");
    }
    Ok(())
}

async fn missing_bind(world: World) -> Result<()> {
    let mut fields = mount("bind", Some("/srv/not-there"), "/data");
    fields["update"] = json!({ "deadlineMs": 20_000 });
    let ended = world.create("web", fields).await?;
    match ended.cause {
        None => {
            world.shell(&world.name("web")?, "test -d /data").await?;
        }
        Some(cause) => ensure!(cause.message.contains("/srv/not-there"), "{cause:?}"),
    }
    Ok(())
}
