//! Streams over HTTP, and how a follower that was cut off goes on.
//!
//! Covers: listEvents, watchOperation, getOrchestratorServiceLogs.

use anyhow::{Context, Result};
use serde_json::Value;

use crate::support::World;

#[tokio::test]
async fn a_follower_of_events_goes_on_behind_its_last_one_without_gap_or_repeat() -> Result<()> {
    let world = World::start().await?;
    world.cluster("demo", 2).await?;
    let mut follower = world.viewer.events("/v1/events").await?;
    let mut seen = Vec::new();
    for _ in 0..5 {
        seen.push(follower.next().await?.context("the stream ended")?);
    }
    drop(follower);
    let last = seen.last().context("none")?.id.clone();
    let mut again = world.viewer.with("last-event-id", &last)?.events("/v1/events").await?;
    for _ in 0..5 {
        seen.push(again.next().await?.context("the stream ended")?);
    }
    let numbers: Vec<String> = seen.iter().map(|event| event.id.clone()).collect();
    assert_eq!(numbers, (1..=10).map(|number| number.to_string()).collect::<Vec<_>>());
    assert_eq!(seen[0].json::<Value>()?["number"], 1);

    // From now on: only what comes.
    let page: Value = world.viewer.get("/v1/events?limit=1000").await?.expect(200)?.json()?;
    let newest = page["items"].as_array().and_then(|items| items.last()).context("none")?["number"].as_u64();
    let mut live = world.viewer.events("/v1/events?since=latest").await?;
    world.service("demo", "web").await?;
    let next = live.next().await?.context("the stream ended")?;
    assert_eq!(Some(next.json::<Value>()?["number"].as_u64().context("no number")?), newest.map(|newest| newest + 1));
    Ok(())
}

#[tokio::test]
async fn events_come_in_pages_too_and_a_cursor_ahead_of_the_log_is_refused() -> Result<()> {
    let world = World::start().await?;
    world.cluster("demo", 0).await?;
    let first: Value = world.viewer.get("/v1/events?limit=3&fields=number").await?.expect(200)?.json()?;
    assert_eq!(first["items"].to_string(), r#"[{"number":1},{"number":2},{"number":3}]"#);
    let since = first["next"].as_str().context("no cursor")?;
    let second: Value = world.viewer.get(&format!("/v1/events?limit=1&since={since}")).await?.expect(200)?.json()?;
    assert_eq!(second["items"][0]["number"], 4);
    world.viewer.get("/v1/events?since=9223372036854775807").await?.problem(400, "invalid-argument")?;
    world.viewer.get("/v1/events?since=18446744073709551615").await?.problem(400, "invalid-argument")?;
    world.viewer.get("/v1/events?since=soon").await?.problem(400, "invalid-argument")?;
    world.viewer.get("/v1/events?follow=true").await?.problem(400, "invalid-argument")?;
    Ok(())
}

#[tokio::test]
async fn an_operation_is_followed_to_its_end_and_a_follower_is_not_told_what_it_knows() -> Result<()> {
    let world = World::start().await?;
    let operation = world.cluster("demo", 1).await?;
    let path = format!("/v1/operations/{}", operation["id"].as_str().context("no id")?);
    let mut watch = world.viewer.events(&path).await?;
    let last = watch.next().await?.context("the stream ended")?;
    assert_eq!((last.kind.as_str(), last.json::<Value>()?["phase"].clone()), ("operation", "succeeded".into()));
    assert_eq!(watch.next().await?.context("no end")?.kind, "end");
    assert_eq!(watch.next().await?, None);
    let mut again = world.viewer.with("last-event-id", &last.id)?.events(&path).await?;
    assert_eq!(again.next().await?.context("no end")?.kind, "end");
    Ok(())
}

#[tokio::test]
async fn the_output_of_a_service_comes_as_lines_and_is_followed_as_events() -> Result<()> {
    let world = World::start().await?;
    world.cluster("demo", 1).await?;
    world.service("demo", "web").await?;
    let path = "/v1/orchestrators/demo/services/web/logs";
    let answer = world.viewer.get(path).await?.expect(200)?;
    assert_eq!(answer.header("content-type"), "application/x-ndjson");
    let lines: Vec<Value> = answer.text().lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    assert!(!lines.is_empty() && lines.iter().all(|line| line["text"].is_string()), "{lines:?}");
    let mut follower = world.viewer.events(&format!("{path}?tail=1&follow=true")).await?;
    let line = follower.next().await?.context("the stream ended")?;
    assert_eq!(line.kind, "log");
    let none = world.viewer.get(&format!("{path}?tail=0")).await?.expect(200)?;
    assert_eq!(none.text(), "", "a stream without a line is an answer, too");
    world.viewer.get(&format!("{path}?follow=true")).await?.problem(400, "invalid-argument")?;
    world.viewer.get("/v1/orchestrators/demo/services/none/logs").await?.problem(404, "not-found")?;
    Ok(())
}

#[tokio::test]
async fn a_token_has_only_so_many_streams_at_once_and_gets_their_places_back() -> Result<()> {
    let world = World::start_with("", "[limits]\nstreams_per_token = 2\n").await?;
    world.cluster("demo", 0).await?;
    let first = world.viewer.events("/v1/events").await?;
    let _second = world.viewer.events("/v1/events").await?;
    world.viewer.with("accept", "text/event-stream")?.get("/v1/events").await?.problem(429, "rate-limited")?;
    world.operator.events("/v1/events").await?;
    drop(first);
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while world.viewer.events("/v1/events").await.is_err() {
        assert!(std::time::Instant::now() < deadline, "the place is not free again");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    Ok(())
}
