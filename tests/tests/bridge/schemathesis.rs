//! `schemathesis` (PyPI) against the running bridge: what its description says is what it does.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use muster_tests::skip;
use tokio::process::Command;

use crate::support::World;

const LIMIT: Duration = Duration::from_secs(540);

/// The program: named by `MUSTER_TEST_SCHEMATHESIS`, or found on the path.
fn program() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("MUSTER_TEST_SCHEMATHESIS") {
        return Some(PathBuf::from(named));
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join("schemathesis")).find(|file| file.is_file())
}

#[tokio::test]
async fn whatever_is_sent_the_bridge_answers_as_its_description_says() -> Result<()> {
    let test = "whatever_is_sent_the_bridge_answers_as_its_description_says";
    let Some(program) = program() else {
        skip::note(test, "schemathesis from PyPI");
        return Ok(());
    };
    skip::stands_on_real_parts(test);
    let limits = "[limits]\nrequests_per_minute_per_token = 1000000\nrequests_per_minute_per_address = 1000000\n\
        refused_tokens_per_minute = 1000000\n";
    let world = World::start_with("", limits).await?;
    world.cluster("demo", 1).await?;
    world.service("demo", "web").await?;
    // The token is in a file of the test's own, not in arguments.
    let token = world.daemon.token("schemathesis", "admin", &[]).await?;
    let configuration = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/schemathesis.toml"))?;
    let file = world.bridge.folder().join("schemathesis.toml");
    std::fs::write(&file, configuration.replace("TOKEN", &token))?;
    let url = format!("{}/v1/openapi.json", world.bridge.address());
    let mut command = Command::new(program);
    command.arg("--config-file").arg(&file).arg("run").arg(&url).arg("--no-color");
    command.current_dir(world.bridge.folder()).stdin(Stdio::null()).kill_on_drop(true);
    let ended = tokio::time::timeout(LIMIT, command.output()).await.context("schemathesis did not end")??;
    let told = String::from_utf8_lossy(&ended.stdout).into_owned() + &String::from_utf8_lossy(&ended.stderr);
    ensure!(ended.status.success(), "schemathesis found failures:\n{told}");
    Ok(())
}
