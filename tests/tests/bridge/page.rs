//! The page in a real browser: Debian's Chromium, driven by Playwright (tests/page/walk.mjs).

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use muster_tests::skip;
use tokio::process::Command;

use crate::support::World;

const CHROMIUM: &str = "/usr/bin/chromium";
/// Longer than the walk takes on a loaded machine.
const LIMIT: Duration = Duration::from_secs(240);

/// Where `npm install` in tests/page, or elsewhere by `MUSTER_TEST_NODE_MODULES`, put Playwright.
fn node_modules() -> PathBuf {
    let here = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/page/node_modules"));
    std::env::var_os("MUSTER_TEST_NODE_MODULES").map_or(here, PathBuf::from)
}

#[tokio::test]
async fn the_page_walks_in_a_real_browser_from_signing_in_to_deleting() -> Result<()> {
    let test = "the_page_walks_in_a_real_browser_from_signing_in_to_deleting";
    let modules = node_modules();
    if !PathBuf::from(CHROMIUM).exists() || !modules.join("playwright-core").exists() {
        skip::note(test, "chromium, node, and `npm install` in tests/page");
        return Ok(());
    }
    skip::stands_on_real_parts(test);
    let world = World::start_with("[sim]\nrollout_ms = 400\n", "").await?;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/page/walk.mjs");
    let shots = world.bridge.folder().join("shots");
    let mut command = Command::new("node");
    command.arg(script).arg(world.bridge.address()).arg(&modules).arg(&shots);
    // By its standard input: what stands in arguments can be read by everyone on this host.
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true).spawn()?;
    let mut input = child.stdin.take().context("no standard input")?;
    tokio::io::AsyncWriteExt::write_all(&mut input, world.operator_token.as_bytes()).await?;
    drop(input);
    let ended = tokio::time::timeout(LIMIT, child.wait_with_output()).await.context("the walk did not end")??;
    let told = String::from_utf8_lossy(&ended.stdout).into_owned() + &String::from_utf8_lossy(&ended.stderr);
    ensure!(ended.status.success(), "the walk failed:\n{told}\n{}", world.bridge.log());
    if let Some(folder) = std::env::var_os("MUSTER_WRITE_SCREENSHOTS") {
        for shot in std::fs::read_dir(&shots)? {
            let shot = shot?;
            std::fs::copy(shot.path(), PathBuf::from(&folder).join(shot.file_name()))?;
        }
    }
    Ok(())
}
