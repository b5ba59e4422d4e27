//! Configuration files in containers.

use anyhow::{Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::case::Cases;
use crate::world::{World, succeeded};

pub(super) fn cases() -> Cases {
    Cases::about("files")
        .case("files are kept byte for byte", kept)
        .case("a file at a path that is not absolute is refused", relative_path)
        .case("two files at one path are refused", two_at_one_path)
        .case("files that are too large are refused", too_large)
        .case("an empty file is kept", empty)
        .inside("a file arrives at its path byte for byte", byte_for_byte)
        .inside("a file may be any bytes", any_bytes)
        .inside("a file can stand in a folder that the image has", in_a_folder_of_the_image)
        .inside("a changed file is seen by the new copies", changed)
        .inside("a file has the mode and owner that were asked for", mode_and_owner)
}

const CONTENT: &str = "{{.Service.Name}} $(X) ${Y}\r\n\tä\n\n";

async fn kept(world: World) -> Result<()> {
    world.ask(world.spec("web", json!({ "files": [{ "path": "/etc/app.conf", "content": CONTENT }] }))?).await?;
    let info = world.info(&world.name("web")?).await?;
    ensure!(info.spec.files.first().is_some_and(|file| file.content.text() == Some(CONTENT)), "{:?}", info.spec.files);
    Ok(())
}

async fn relative_path(world: World) -> Result<()> {
    for path in ["app.conf", "", "/etc/.."] {
        world.refuses(json!({ "files": [{ "path": path, "content": "x" }] }), "files.path").await?;
    }
    Ok(())
}

async fn two_at_one_path(world: World) -> Result<()> {
    let file = json!({ "path": "/etc/app.conf", "content": "x" });
    world.refuses(json!({ "files": [file, file] }), "files.path").await?;
    Ok(())
}

async fn too_large(world: World) -> Result<()> {
    let content = "x".repeat(29 * 1024);
    world.refuses(json!({ "files": [{ "path": "/etc/app.conf", "content": content }] }), "spec").await?;
    Ok(())
}

async fn empty(world: World) -> Result<()> {
    world.run("web", json!({ "files": [{ "path": "/etc/app.conf", "content": "" }] })).await?;
    Ok(())
}

async fn byte_for_byte(world: World) -> Result<()> {
    let fields = json!({ "files": [{ "path": "/opt/new folder/app.conf", "content": CONTENT }] });
    let name = world.run("web", fields).await?.spec.name;
    let said = world.exec(&name, &["cat", "/opt/new folder/app.conf"], b"").await?;
    ensure!(said.stdout == CONTENT.as_bytes(), "{:?}", String::from_utf8_lossy(&said.stdout));
    Ok(())
}

/// No text in UTF-8, with a zero and a line's end at its end.
const BYTES: &[u8] = &[0, 0xff, 0xfe, b'$', b'{', 0x80, b'\n'];

async fn any_bytes(world: World) -> Result<()> {
    let content = json!({ "base64": STANDARD.encode(BYTES) });
    let service = world.run("web", json!({ "files": [{ "path": "/etc/app.bin", "content": content }] })).await?;
    ensure!(service.spec.files.first().is_some_and(|file| file.content.bytes() == BYTES), "{:?}", service.spec.files);
    let said = world.exec(&service.spec.name, &["cat", "/etc/app.bin"], b"").await?;
    ensure!(said.stdout == BYTES, "{:?}", said.stdout);
    Ok(())
}

async fn in_a_folder_of_the_image(world: World) -> Result<()> {
    let name = world.run("web", json!({ "files": [{ "path": "/etc/app.conf", "content": "x" }] })).await?.spec.name;
    let seen = world.shell(&name, "cat /etc/app.conf && ls /etc | wc -l").await?;
    ensure!(seen.starts_with('x') && seen != "x1", "the rest of the folder is gone: {seen}");
    Ok(())
}

async fn changed(world: World) -> Result<()> {
    let files = |content: &str| json!({ "files": [{ "path": "/etc/app.conf", "content": content }] });
    let name = world.run("web", files("first")).await?.spec.name;
    succeeded(world.update(world.spec("web", files("second"))?).await?)?;
    let seen = world.shell(&name, "cat /etc/app.conf").await?;
    ensure!(seen == "second", "{seen}");
    Ok(())
}

async fn mode_and_owner(world: World) -> Result<()> {
    let file = json!({ "path": "/etc/app.conf", "content": "x", "mode": "0640", "uid": 1000, "gid": 1001 });
    let name = world.run("web", json!({ "files": [file] })).await?.spec.name;
    let seen = world.shell(&name, "stat -L -c '%a %u %g' /etc/app.conf").await?;
    ensure!(seen == "640 1000 1001", "{seen}");
    Ok(())
}
