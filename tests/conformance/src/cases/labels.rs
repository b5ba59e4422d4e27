//! The user's own labels.

use anyhow::{Result, ensure};
use serde_json::json;

use crate::case::Cases;
use crate::world::{World, succeeded};

pub(super) fn cases() -> Cases {
    Cases::about("labels")
        .case("labels are kept as they are", kept)
        .case("a value with an engine's template syntax is not expanded", templates)
        .case("a label of Muster's own is refused", reserved)
        .case("a label without a name is refused", without_a_name)
        .case("labels can be changed", changed)
}

async fn kept(world: World) -> Result<()> {
    let labels = json!({ "team": "red", "example.com/tier": "1", "note": "ä b" });
    let info = world.run("web", json!({ "labels": labels })).await?;
    ensure!(serde_json::to_value(&info.spec.labels)? == labels, "{:?}", info.spec.labels);
    Ok(())
}

async fn templates(world: World) -> Result<()> {
    let labels = json!({ "note": "{{.Node.Hostname}} $(X)" });
    let info = world.run("web", json!({ "labels": labels })).await?;
    ensure!(serde_json::to_value(&info.spec.labels)? == labels, "{:?}", info.spec.labels);
    Ok(())
}

async fn reserved(world: World) -> Result<()> {
    world.refuses(json!({ "labels": { "io.muster.key": "x" } }), "labels").await?;
    Ok(())
}

async fn without_a_name(world: World) -> Result<()> {
    world.refuses(json!({ "labels": { "": "x" } }), "labels").await?;
    Ok(())
}

async fn changed(world: World) -> Result<()> {
    let name = world.run("web", json!({ "labels": { "team": "red" } })).await?.spec.name;
    succeeded(world.update(world.spec("web", json!({ "labels": { "team": "blue" } }))?).await?)?;
    let info = world.info(&name).await?;
    ensure!(info.spec.labels.get("team").map(String::as_str) == Some("blue"), "{:?}", info.spec.labels);
    Ok(())
}
