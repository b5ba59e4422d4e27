//! The output of services.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use futures::{StreamExt, TryStreamExt};
use muster_client::protocol::model::service::{LogLine, LogSource};
use muster_client::protocol::{ErrorCode, Name};
use serde_json::json;

use crate::case::Cases;
use crate::world::{World, refused};

pub(super) fn cases() -> Cases {
    Cases::about("logs")
        .case("the log of a service that is not there is not found", unknown_service)
        .case("a log that is given up leaves the daemon well", given_up)
        .inside("lines come with their container and in their order", in_order)
        .inside("the last lines are the last ones", last_lines)
        .inside("no line of before is left out of a log of all", nothing_left_out)
        .inside("a follower hears what is written later", follower_hears)
        .inside("standard error is told from standard output", sources)
        .inside("every copy is heard", every_copy)
        .inside("a long line is one line", long_line)
        .inside("a line of exactly 16384 bytes is one line and no empty one behind it", line_of_a_buffer)
        .inside("letters of two bytes are whole wherever a line is cut", two_byte_letters)
        .inside("bytes that are no text are replaced and the rest stays", no_text)
        .inside("an empty line is a line", empty_line)
        .inside("a last line without an end is not lost", without_an_end)
        .inside("what a copy wrote before it ended is kept", of_an_ended_copy)
}

const IDLE: &str = "trap 'exit 0' TERM; sleep 1000000 & wait";

/// A service that writes this and then idles.
async fn writes(world: &World, script: &str) -> Result<Name> {
    let script = format!("{script}\n{IDLE}");
    Ok(world.run("web", json!({ "command": ["sh", "-c", script] })).await?.spec.name)
}

fn texts(lines: &[LogLine]) -> Vec<&str> {
    lines.iter().map(|line| line.text.as_str()).collect()
}

async fn unknown_service(world: World) -> Result<()> {
    let log = world.client.service_logs(&world.cluster, &world.name("nobody")?, true, None).try_next().await;
    refused(log, ErrorCode::NotFound, "service")?;
    Ok(())
}

async fn given_up(world: World) -> Result<()> {
    let name = world.run("web", json!({})).await?.spec.name;
    for _ in 0..20 {
        let mut log = world.client.service_logs(&world.cluster, &name, true, Some(1));
        let _no_line_in_time = tokio::time::timeout(std::time::Duration::from_millis(20), log.next()).await;
    }
    world.client.whoami().await?;
    Ok(())
}

async fn in_order(world: World) -> Result<()> {
    let name = writes(&world, "for i in 1 2 3 4 5; do echo line $i; done").await?;
    let lines = world.logs_of(&name, 5).await?;
    ensure!(texts(&lines) == ["line 1", "line 2", "line 3", "line 4", "line 5"], "{lines:?}");
    let copy = world.running(&name).await?.into_iter().next().context("no copy")?;
    ensure!(lines.iter().all(|line| line.container == copy.id && line.name == copy.name), "{lines:?}");
    Ok(())
}

async fn last_lines(world: World) -> Result<()> {
    let name = writes(&world, "for i in 1 2 3 4 5; do echo line $i; done").await?;
    world.logs_of(&name, 5).await?;
    let lines = world.logs(&name, Some(2)).await?;
    ensure!(texts(&lines) == ["line 4", "line 5"], "{lines:?}");
    ensure!(world.logs(&name, Some(0)).await?.is_empty(), "lines, though none were asked for");
    Ok(())
}

async fn nothing_left_out(world: World) -> Result<()> {
    let name = writes(&world, "i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); done").await?;
    let lines = world.logs_of(&name, 3000).await?;
    ensure!(lines.len() == 3000, "{} lines", lines.len());
    ensure!(lines.iter().enumerate().all(|(number, line)| line.text == format!("line {number}")), "another order");
    Ok(())
}

async fn follower_hears(world: World) -> Result<()> {
    let name = writes(&world, "while [ ! -e /tmp/go ]; do sleep 0.1; done; echo later").await?;
    let mut follower = world.client.service_logs(&world.cluster, &name, true, None);
    let hears = async {
        let (line, said) = tokio::join!(follower.next(), world.shell(&name, "touch /tmp/go"));
        said?;
        line.context("the log has ended")?.map_err(anyhow::Error::from)
    };
    let line = tokio::time::timeout(world.patience, hears).await.context("it hears nothing")??;
    ensure!(line.text == "later", "{line:?}");
    Ok(())
}

async fn sources(world: World) -> Result<()> {
    let name = writes(&world, "echo good; echo bad >&2").await?;
    let lines = world.logs_of(&name, 2).await?;
    let seen: BTreeSet<(&str, String)> =
        lines.iter().map(|line| (line.text.as_str(), line.source.to_string())).collect();
    let expected = [("good", LogSource::Stdout.to_string()), ("bad", LogSource::Stderr.to_string())].into();
    ensure!(seen == expected, "{seen:?}");
    Ok(())
}

async fn every_copy(world: World) -> Result<()> {
    let command = format!("echo I am here\n{IDLE}");
    let info = world.run("web", json!({ "replicas": 3, "command": ["sh", "-c", command] })).await?;
    let lines = world.logs_of(&info.spec.name, 3).await?;
    let containers: BTreeSet<&str> = lines.iter().map(|line| line.container.as_str()).collect();
    ensure!((lines.len(), containers.len()) == (3, 3), "{lines:?}");
    Ok(())
}

async fn long_line(world: World) -> Result<()> {
    let name = writes(&world, "head -c 40000 /dev/zero | tr '\\0' a; echo; echo end").await?;
    let lines = world.logs_of(&name, 2).await?;
    ensure!(lines.len() == 2, "{} lines", lines.len());
    let first = lines.first().map(|line| line.text.as_str()).unwrap_or_default();
    ensure!(first.len() == 40_000 && first.bytes().all(|byte| byte == b'a'), "{} bytes", first.len());
    Ok(())
}

async fn line_of_a_buffer(world: World) -> Result<()> {
    let name = writes(&world, "head -c 16384 /dev/zero | tr '\\0' a; echo; echo end").await?;
    let lines = world.logs_of(&name, 2).await?;
    let lengths: Vec<usize> = lines.iter().map(|line| line.text.len()).collect();
    ensure!(lengths == [16_384, 3], "{lengths:?}");
    Ok(())
}

async fn two_byte_letters(world: World) -> Result<()> {
    // An odd number of bytes before them, so that every cut at an even place is in the middle of a letter.
    let script = "printf x; i=0; while [ $i -lt 10 ]; do head -c 2000 /dev/zero | tr '\\0' a | sed 's/a/ä/g'; i=$((i+1)); done; echo";
    let name = writes(&world, script).await?;
    let lines = world.logs_of(&name, 1).await?;
    let text = lines.first().map(|line| line.text.as_str()).unwrap_or_default();
    ensure!(lines.len() == 1 && text.chars().count() == 20_001, "{} lines, {}", lines.len(), text.chars().count());
    let other = text.chars().enumerate().skip(1).find(|(_, letter)| *letter != 'ä');
    ensure!(other.is_none(), "a letter was cut: {other:?}");
    Ok(())
}

async fn no_text(world: World) -> Result<()> {
    let name = writes(&world, "printf 'a\\377b\\n'").await?;
    let lines = world.logs_of(&name, 1).await?;
    ensure!(texts(&lines) == ["a\u{fffd}b"], "{lines:?}");
    Ok(())
}

async fn empty_line(world: World) -> Result<()> {
    let name = writes(&world, "echo one; echo; echo two").await?;
    let lines = world.logs_of(&name, 3).await?;
    ensure!(texts(&lines) == ["one", "", "two"], "{lines:?}");
    Ok(())
}

async fn without_an_end(world: World) -> Result<()> {
    let fields = json!({ "mode": "job", "command": ["sh", "-c", "echo one; printf two"] });
    let name = world.run("web", fields).await?.spec.name;
    let lines = world.logs_of(&name, 2).await?;
    ensure!(texts(&lines) == ["one", "two"], "{lines:?}");
    Ok(())
}

async fn of_an_ended_copy(world: World) -> Result<()> {
    let fields = json!({ "mode": "job", "command": ["sh", "-c", "echo done by me"] });
    let name = world.run("web", fields).await?.spec.name;
    let lines = world.logs_of(&name, 1).await?;
    ensure!(texts(&lines) == ["done by me"], "{lines:?}");
    Ok(())
}
