//! What runs in place of the image's entry point.

use anyhow::{Result, ensure};
use serde_json::json;

use crate::case::Cases;
use crate::world::World;

pub(super) fn cases() -> Cases {
    Cases::about("command")
        .case("a command is kept word for word", kept)
        .inside("a command's words arrive byte for byte", byte_for_byte)
        .inside("a command takes the place of the image's own", takes_the_place)
}

const WORDS: [&str; 5] = ["{{.Node.Hostname}}", "$(HOSTNAME)", "a b", "'\"\\", "ä\nö"];

async fn kept(world: World) -> Result<()> {
    let command = ["sh", "-c", "sleep 1000000", WORDS[0], WORDS[1], WORDS[2], WORDS[3], WORDS[4]];
    world.ask(world.spec("web", json!({ "command": command }))?).await?;
    let info = world.info(&world.name("web")?).await?;
    ensure!(info.spec.command == command, "{:?}", info.spec.command);
    Ok(())
}

async fn byte_for_byte(world: World) -> Result<()> {
    // The words stand behind the shell's own, so it is the shell that sees them as they came.
    let script = "printf '%s|' \"$@\" > /tmp/words; trap 'exit 0' TERM; sleep 1000000 & wait";
    let command = ["sh", "-c", script, "sh", WORDS[0], WORDS[1], WORDS[2], WORDS[3], WORDS[4]];
    let name = world.run("web", json!({ "command": command })).await?.spec.name;
    let seen = world.until("the words", async || world.shell(&name, "cat /tmp/words").await.map(Some)).await?;
    let expected: String = WORDS.iter().map(|word| format!("{word}|")).collect();
    ensure!(seen == expected, "{seen:?}");
    Ok(())
}

async fn takes_the_place(world: World) -> Result<()> {
    let script = "trap 'exit 0' TERM; sleep 1000000 & wait";
    let name = world.run("web", json!({ "command": ["sh", "-c", script, "by-me"] })).await?.spec.name;
    let first = world.shell(&name, "tr '\\0' ' ' < /proc/1/cmdline").await?;
    ensure!(first.starts_with("sh -c") && first.contains("by-me"), "{first}");
    Ok(())
}
