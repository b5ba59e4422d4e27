//! Environment variables.

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::case::Cases;
use crate::world::{World, succeeded};

pub(super) fn cases() -> Cases {
    Cases::about("env")
        .case("variables are kept byte for byte", kept)
        .case("a variable whose name has an equals sign is refused", name_with_an_equals_sign)
        .case("a variable without a name is refused", without_a_name)
        .inside("a variable arrives byte for byte", byte_for_byte)
        .inside("an engine's template syntax is not expanded", templates)
        .inside("a reference to another variable is not expanded", references)
        .inside("an empty variable is there", empty)
        .inside("a changed variable is seen by the new copies", changed)
        .inside("no variables of other services are added", none_of_others)
}

async fn kept(world: World) -> Result<()> {
    let env = json!({ "A": "{{.Node.Hostname}}", "B": "$(A)", "C": "a=b", "D": "", "E": "ä\nö" });
    world.ask(world.spec("web", json!({ "env": env }))?).await?;
    let info = world.info(&world.name("web")?).await?;
    ensure!(serde_json::to_value(&info.spec.env)? == env, "{:?}", info.spec.env);
    Ok(())
}

async fn name_with_an_equals_sign(world: World) -> Result<()> {
    world.refuses(json!({ "env": { "A=B": "c" } }), "env").await?;
    Ok(())
}

async fn without_a_name(world: World) -> Result<()> {
    world.refuses(json!({ "env": { "": "c" } }), "env").await?;
    Ok(())
}

/// That a variable has this value inside.
async fn arrives(world: &World, value: &str) -> Result<()> {
    let name = world.run("web", json!({ "env": { "VALUE": value, "OTHER": "other" } })).await?.spec.name;
    let seen = world.shell(&name, "printf '%s|' \"$VALUE\"").await?;
    ensure!(seen == format!("{value}|"), "{seen:?}");
    Ok(())
}

async fn byte_for_byte(world: World) -> Result<()> {
    arrives(&world, "ä = \"b\" 'c' \\ `d` $e\nnew line\ttab ").await
}

async fn templates(world: World) -> Result<()> {
    arrives(&world, "{{.Node.Hostname}} {{.Names}} {{ {{env \"X\"}}").await
}

async fn references(world: World) -> Result<()> {
    arrives(&world, "$(OTHER) $$(OTHER) ${OTHER} $OTHER").await
}

async fn empty(world: World) -> Result<()> {
    let name = world.run("web", json!({ "env": { "EMPTY": "" } })).await?.spec.name;
    let seen = world.shell(&name, "echo \"${EMPTY-not there}|\"").await?;
    ensure!(seen == "|", "{seen:?}");
    Ok(())
}

async fn changed(world: World) -> Result<()> {
    let mut spec = world.run("web", json!({ "env": { "VERSION": "1" } })).await?.spec;
    spec.env.insert("VERSION".to_owned(), "2".to_owned());
    let name = spec.name.clone();
    succeeded(world.update(spec).await?)?;
    let seen = world.shell(&name, "echo $VERSION").await?;
    ensure!(seen == "2", "{seen}");
    Ok(())
}

async fn none_of_others(world: World) -> Result<()> {
    let ports: Value = json!([{ "port": 8080 }]);
    world.run("other", json!({ "ports": ports })).await?;
    let name = world.run("web", json!({})).await?.spec.name;
    let seen = world.shell(&name, "env").await?;
    let of_others = format!("OTHER_{}", world.number);
    ensure!(!seen.contains(&of_others), "{seen}");
    Ok(())
}
