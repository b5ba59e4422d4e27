//! Events, the durable log of what happened.

use anyhow::{Context, Result, ensure};
use futures::{StreamExt, TryStreamExt};
use muster_client::EventQuery;
use muster_client::protocol::model::event::{Event, EventKind};
use serde_json::json;

use crate::case::Cases;
use crate::world::World;

pub(super) fn cases() -> Cases {
    Cases::about("events")
        .case("events are numbered without a gap", without_a_gap)
        .case("the life of a service is told from its beginning to its end", life_of_a_service)
        .case("the events of one cluster are no others", of_one_cluster)
        .case("a follower hears what happens later", follower_hears)
        .case("a reader goes on behind the event that it has seen", goes_on_behind)
        .case("an event of a change says who asked for it", says_who)
        .case("a command in a container is told with its program and without its arguments", command_is_told)
}

async fn all(world: &World, since: Option<u64>, of_cluster: bool) -> Result<Vec<Event>> {
    let cluster = of_cluster.then(|| world.cluster.clone());
    Ok(world.client.events(EventQuery { since, cluster, follow: false }).try_collect().await?)
}

async fn without_a_gap(world: World) -> Result<()> {
    let events = all(&world, None, false).await?;
    ensure!(!events.is_empty(), "there are none");
    let first = events.first().map_or(0, |event| event.number);
    ensure!(events.iter().zip(first..).all(|(event, number)| event.number == number), "a gap");
    Ok(())
}

async fn life_of_a_service(world: World) -> Result<()> {
    let info = world.run("web", json!({})).await?;
    world.remove(&info.spec.name).await?;
    let events = all(&world, None, true).await?;
    let of_it: Vec<&Event> = events.iter().filter(|event| event.service.as_ref() == Some(&info.spec.name)).collect();
    let place = |kind: EventKind, words: &str| {
        let found = of_it.iter().position(|event| event.kind == kind && event.message.contains(words));
        found.with_context(|| format!("no {kind} `{words}`: {of_it:#?}"))
    };
    let life = [
        place(EventKind::OperationStarted, "service-create")?,
        place(EventKind::ServicePhase, "is running")?,
        place(EventKind::OperationEnded, "service-create succeeded")?,
        place(EventKind::OperationStarted, "service-delete")?,
        place(EventKind::OperationEnded, "service-delete succeeded")?,
    ];
    ensure!(life.is_sorted(), "in another order: {of_it:#?}");
    Ok(())
}

async fn of_one_cluster(world: World) -> Result<()> {
    let events = all(&world, None, true).await?;
    ensure!(!events.is_empty(), "there are none");
    ensure!(events.iter().all(|event| event.cluster.as_ref() == Some(&world.cluster)), "of another one");
    Ok(())
}

async fn follower_hears(world: World) -> Result<()> {
    let since = all(&world, None, false).await?.last().map(|event| event.number);
    let query = EventQuery { since, cluster: Some(world.cluster.clone()), follow: true };
    let mut follower = world.client.events(query);
    let asked = world.ask(world.spec("web", json!({}))?).await?;
    let hears = async {
        while let Some(event) = follower.next().await {
            if event?.operation == Some(asked.id) {
                return Ok(());
            }
        }
        anyhow::bail!("the follower's stream has ended")
    };
    tokio::time::timeout(world.patience, hears).await.context("it hears nothing")?
}

async fn goes_on_behind(world: World) -> Result<()> {
    let before = all(&world, None, false).await?;
    let middle = before.get(before.len() / 2).context("there are none")?.number;
    let rest = all(&world, Some(middle), false).await?;
    ensure!(rest.first().is_some_and(|event| event.number == middle + 1), "{:?}", rest.first());
    Ok(())
}

async fn says_who(world: World) -> Result<()> {
    let asked = world.ask(world.spec("web", json!({}))?).await?;
    let events = all(&world, None, true).await?;
    let started = |event: &&Event| event.operation == Some(asked.id) && event.kind == EventKind::OperationStarted;
    let event = events.iter().find(started).context("not told")?;
    ensure!(event.who.as_ref() == Some(&asked.requested_by), "{event:?}");
    Ok(())
}

async fn command_is_told(world: World) -> Result<()> {
    let info = world.run("web", json!({})).await?;
    world.exec(&info.spec.name, &["echo", "between-us"], b"").await?;
    let events = all(&world, None, true).await?;
    let session = |event: &&Event| event.kind == EventKind::Session && event.service.as_ref() == Some(&info.spec.name);
    let event = events.iter().find(session).context("not told")?;
    ensure!(event.who.is_some() && event.message.contains("echo"), "{event:?}");
    ensure!(!event.message.contains("between-us"), "{event:?}");
    Ok(())
}
