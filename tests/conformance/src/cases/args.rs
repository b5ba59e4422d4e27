//! Arguments to the entry point.

use anyhow::{Result, ensure};
use serde_json::json;

use crate::case::Cases;
use crate::world::World;

pub(super) fn cases() -> Cases {
    Cases::about("args")
        .case("arguments are kept word for word", kept)
        .inside("arguments arrive behind the command, byte for byte", behind_the_command)
        .inside("an empty argument is an argument", empty)
}

async fn kept(world: World) -> Result<()> {
    let args = ["{{.Names}}", "$(HOME)", "$$", "", "two words"];
    world.ask(world.spec("web", json!({ "args": args }))?).await?;
    let info = world.info(&world.name("web")?).await?;
    ensure!(info.spec.args == args, "{:?}", info.spec.args);
    Ok(())
}

/// What a shell sees as its arguments, each with a bar behind it.
async fn seen(world: &World, args: &[&str]) -> Result<String> {
    let script = "printf '%s|' \"$@\" > /tmp/words; trap 'exit 0' TERM; sleep 1000000 & wait";
    let fields = json!({ "command": ["sh", "-c", script, "sh"], "args": args });
    let name = world.run("web", fields).await?.spec.name;
    world.until("the words", async || world.shell(&name, "cat /tmp/words").await.map(Some)).await
}

async fn behind_the_command(world: World) -> Result<()> {
    let args = ["{{.Node.Hostname}}", "{{.Names}}", "{{", "$(HOME)", "$$(HOME)", "$HOME", "a  b", "\"'\\`"];
    let seen = seen(&world, &args).await?;
    let expected: String = args.iter().map(|word| format!("{word}|")).collect();
    ensure!(seen == expected, "{seen:?}");
    Ok(())
}

async fn empty(world: World) -> Result<()> {
    let seen = seen(&world, &["one", "", "two"]).await?;
    ensure!(seen == "one||two|", "{seen:?}");
    Ok(())
}
