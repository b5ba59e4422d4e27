//! Secrets, as files in containers.

use anyhow::{Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::case::Cases;
use crate::world::{World, succeeded};

pub(super) fn cases() -> Cases {
    Cases::about("secrets")
        .case("the value of a secret is shown nowhere", shown_nowhere)
        .case("a secret without a value is refused when a service is created", without_a_value)
        .case("an update without a secret's value keeps it", kept_by_an_update)
        .case("two secrets of one name are refused", two_of_one_name)
        .case("a secret at a path that is not absolute is refused", relative_path)
        .case("two things at one path are refused", two_at_one_path)
        .case("secrets that are too large together are refused", too_large)
        .case("an empty secret is kept", empty)
        .inside("a secret stands below /run/secrets under its name", at_its_usual_path)
        .inside("a secret stands at the path that was asked for", at_its_path)
        .inside("a secret arrives byte for byte, its last line end too", byte_for_byte)
        .inside("a secret may be any bytes", any_bytes)
        .inside("a new value is seen by the new copies", changed)
        .inside("a secret is not in the environment and can be read by any user of the container", is_a_file)
        .inside("a secret has the mode and owner that were asked for", mode_and_owner)
}

async fn shown_nowhere(world: World) -> Result<()> {
    let fields = json!({ "secrets": [{ "name": "key", "value": "hunter2-of-the-case" }] });
    let info = world.run("web", fields).await?;
    ensure!(info.spec.secrets.iter().all(|secret| secret.value.is_none()), "the info shows it");
    let operations = world.client.operation_list(Some(&world.cluster), Default::default()).await?;
    let shown = serde_json::to_string(&(&info, &operations.items))?;
    ensure!(!shown.contains("hunter2-of-the-case"), "it is shown");
    Ok(())
}

async fn without_a_value(world: World) -> Result<()> {
    world.refuses(json!({ "secrets": [{ "name": "key" }] }), "secrets.value").await?;
    Ok(())
}

async fn kept_by_an_update(world: World) -> Result<()> {
    let fields = json!({ "secrets": [{ "name": "key", "value": "first" }] });
    let mut spec = world.run("web", fields).await?.spec;
    let name = spec.name.clone();
    // What the info shows has no value.
    spec.env.insert("VERSION".to_owned(), "2".to_owned());
    succeeded(world.update(spec).await?)?;
    let info = world.info(&name).await?;
    ensure!(info.spec.secrets.len() == 1 && info.ready == 1, "{info:?}");
    Ok(())
}

async fn two_of_one_name(world: World) -> Result<()> {
    let secret = |path: &str| json!({ "name": "key", "value": "x", "path": path });
    world.refuses(json!({ "secrets": [secret("/a"), secret("/b")] }), "secrets").await?;
    Ok(())
}

async fn relative_path(world: World) -> Result<()> {
    for path in ["key", "/etc/../key", "./key"] {
        world.refuses(json!({ "secrets": [{ "name": "key", "value": "x", "path": path }] }), "secrets.path").await?;
    }
    Ok(())
}

async fn two_at_one_path(world: World) -> Result<()> {
    let secrets = json!([{ "name": "key", "value": "x", "path": "/etc/key" }]);
    let files = json!([{ "path": "/etc/key", "content": "x" }]);
    world.refuses(json!({ "secrets": secrets, "files": files }), "files.path").await?;
    Ok(())
}

async fn too_large(world: World) -> Result<()> {
    let value = "x".repeat(49 * 1024);
    world.refuses(json!({ "secrets": [{ "name": "key", "value": value }] }), "secrets.value").await?;
    Ok(())
}

async fn empty(world: World) -> Result<()> {
    world.run("web", json!({ "secrets": [{ "name": "key", "value": "" }] })).await?;
    Ok(())
}

async fn at_its_usual_path(world: World) -> Result<()> {
    let name = world.run("web", json!({ "secrets": [{ "name": "key", "value": "hunter2" }] })).await?.spec.name;
    let seen = world.shell(&name, "cat /run/secrets/key").await?;
    ensure!(seen == "hunter2", "{seen}");
    Ok(())
}

async fn at_its_path(world: World) -> Result<()> {
    let secrets = json!([
        { "name": "one", "value": "1", "path": "/etc/keys/one.pem" },
        { "name": "two", "value": "2", "path": "/two" },
    ]);
    let name = world.run("web", json!({ "secrets": secrets })).await?.spec.name;
    let seen = world.shell(&name, "cat /etc/keys/one.pem /two").await?;
    ensure!(seen == "12", "{seen}");
    Ok(())
}

async fn byte_for_byte(world: World) -> Result<()> {
    let value = "-----BEGIN {{.Service.Name}} $(X)\r\n\tä\u{1}\n\n";
    let name = world.run("web", json!({ "secrets": [{ "name": "key", "value": value }] })).await?.spec.name;
    let said = world.exec(&name, &["cat", "/run/secrets/key"], b"").await?;
    ensure!(said.stdout == value.as_bytes(), "{:?}", String::from_utf8_lossy(&said.stdout));
    Ok(())
}

/// No text in UTF-8, as keys and key stores are, with a line's end at its end.
const BYTES: &[u8] = &[0x30, 0x82, 0, 0xff, b'$', b'{', 0x80, b'\n'];

async fn any_bytes(world: World) -> Result<()> {
    let value = json!({ "base64": STANDARD.encode(BYTES) });
    let name = world.run("web", json!({ "secrets": [{ "name": "key", "value": value }] })).await?.spec.name;
    let said = world.exec(&name, &["cat", "/run/secrets/key"], b"").await?;
    ensure!(said.stdout == BYTES, "{:?}", said.stdout);
    Ok(())
}

async fn changed(world: World) -> Result<()> {
    let secrets = |value: &str| json!({ "secrets": [{ "name": "key", "value": value }] });
    let name = world.run("web", secrets("first")).await?.spec.name;
    succeeded(world.update(world.spec("web", secrets("second"))?).await?)?;
    let seen = world.shell(&name, "cat /run/secrets/key").await?;
    ensure!(seen == "second", "{seen}");
    Ok(())
}

async fn is_a_file(world: World) -> Result<()> {
    let name = world.run("web", json!({ "secrets": [{ "name": "key", "value": "hunter2" }] })).await?.spec.name;
    let env = world.shell(&name, "env; tr '\\0' ' ' < /proc/1/cmdline").await?;
    ensure!(!env.contains("hunter2"), "{env}");
    let mode = world.shell(&name, "stat -L -c %a /run/secrets/key").await?;
    ensure!(mode == "444", "{mode}");
    Ok(())
}

async fn mode_and_owner(world: World) -> Result<()> {
    let secret = json!({ "name": "key", "value": "x", "mode": "0400", "uid": 1000, "gid": 1001 });
    let name = world.run("web", json!({ "secrets": [secret] })).await?.spec.name;
    let seen = world.shell(&name, "stat -L -c '%a %u %g' /run/secrets/key").await?;
    ensure!(seen == "400 1000 1001", "{seen}");
    Ok(())
}
