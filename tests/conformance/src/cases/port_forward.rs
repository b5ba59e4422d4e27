//! Connections to ports of services.

use anyhow::{Context, Result, bail, ensure};
use muster_client::ClientError;
use muster_client::protocol::duplex::StreamInput;
use muster_client::protocol::{ErrorCode, Name, StreamItem};
use serde_json::json;

use crate::case::Cases;
use crate::world::World;

pub(super) fn cases() -> Cases {
    Cases::about("port-forward")
        .case("a connection brings back what the service says", brings_back)
        .case("a connection to a service that is not there is refused", to_no_service)
        .case("a connection to port 0 is refused", to_port_zero)
        .case("several connections at once do not mix", several_at_once)
        .case("a connection ends when the caller has nothing more to say", ends)
        .inside("a port where nobody listens is told as such", nobody_listens)
        .inside("a port that is not published is reached", not_published)
}

const PORT: u16 = 7000;
/// Says back at three ports what it hears, to one caller a port at a time: busybox's `nc` knows no more than that.
const ECHO: &str = "trap 'exit 0' TERM; for p in 7000 7001 7002; do mkfifo /tmp/$p; \
    (while :; do nc -l -p $p < /tmp/$p | cat > /tmp/$p; done) & done; wait";

/// A service that says back what it hears.
async fn echo(world: &World) -> Result<Name> {
    // Published, because not every orchestrator has another way in.
    let publish = |place| json!({ "port": PORT + place, "exposure": "host", "published": world.host_port(place) });
    let ports = [publish(0), publish(1), publish(2)];
    let name = world.run("echo", json!({ "command": ["sh", "-c", ECHO], "ports": ports })).await?.spec.name;
    for port in [PORT, PORT + 1, PORT + 2] {
        world.until("somebody listens", async || said_back(world, &name, port, b"?").await.map(Some)).await?;
    }
    Ok(name)
}

async fn said_back(world: &World, name: &Name, port: u16, words: &[u8]) -> Result<()> {
    // The listener may be between two callers.
    let heard = world.until("an answer", async || answer(world, name, port, words).await).await??;
    ensure!(heard == words, "{} other bytes", heard.len());
    Ok(())
}

/// The answer; a refusal that will stay one is an answer, too.
async fn answer(world: &World, name: &Name, port: u16, words: &[u8]) -> Result<Option<Result<Vec<u8>>>> {
    match world.through_port(name, port, words, words.len()).await {
        Ok(heard) => Ok(Some(Ok(heard))),
        Err(error) if is_unsupported(&error) => Ok(Some(Err(error))),
        Err(error) => Err(error),
    }
}

fn is_unsupported(error: &anyhow::Error) -> bool {
    error.downcast_ref::<ClientError>().is_some_and(|error| error.code() == ErrorCode::Unsupported)
}

async fn brings_back(world: World) -> Result<()> {
    let name = echo(&world).await?;
    let words: Vec<u8> = (0..100_000_u32).map(|number| u8::try_from(number % 253).unwrap_or_default()).collect();
    said_back(&world, &name, PORT, &words).await
}

fn code_of<T>(asked: Result<T>) -> Result<ErrorCode> {
    match asked {
        Ok(_) => bail!("there is a connection"),
        Err(error) => error.downcast_ref::<ClientError>().map(ClientError::code).context("no answer of the daemon"),
    }
}

async fn to_no_service(world: World) -> Result<()> {
    let code = code_of(world.through_port(&world.name("nobody")?, PORT, b"x", 1).await)?;
    ensure!(code == ErrorCode::NotFound, "{code}");
    Ok(())
}

async fn to_port_zero(world: World) -> Result<()> {
    let name = world.run("web", json!({})).await?.spec.name;
    let code = code_of(world.through_port(&name, 0, b"x", 1).await)?;
    ensure!(code == ErrorCode::InvalidArgument, "{code}");
    Ok(())
}

async fn several_at_once(world: World) -> Result<()> {
    let name = echo(&world).await?;
    let words = [(PORT, "one"), (PORT + 1, "two"), (PORT + 2, "three")];
    let connections = words.map(|(port, word)| said_back(&world, &name, port, word.as_bytes()));
    futures::future::try_join_all(connections).await?;
    Ok(())
}

async fn ends(world: World) -> Result<()> {
    let name = echo(&world).await?;
    // The listener may be between two callers.
    let heard = world.until("a connection that ends", async || last_words(&world, &name).await.map(Some)).await?;
    // Whether the service still answers a caller who has hung up is its own affair.
    ensure!(b"last words".starts_with(&heard), "{heard:?}");
    Ok(())
}

/// What comes back to a caller who says something and that nothing more follows.
async fn last_words(world: &World, name: &Name) -> Result<Vec<u8>> {
    let mut connection = world.client.service_port_forward(&world.cluster, name, PORT).await?;
    connection.input().send_bytes(b"last words").await;
    connection.input().send(StreamInput::End).await;
    let mut heard = Vec::new();
    let listening = async {
        while let Some(StreamItem::Bytes(bytes)) = connection.next().await? {
            heard.extend(bytes);
        }
        Ok::<_, ClientError>(())
    };
    tokio::time::timeout(world.patience, listening).await.context("it has no end")??;
    Ok(heard)
}

async fn nobody_listens(world: World) -> Result<()> {
    let name = world.run("web", json!({})).await?.spec.name;
    let Err(error) = world.through_port(&name, 4444, b"x", 1).await else { bail!("somebody answers") };
    ensure!(!format!("{error:#}").contains("too little"), "it hangs");
    Ok(())
}

async fn not_published(world: World) -> Result<()> {
    let name = world.run("echo", json!({ "command": ["sh", "-c", ECHO] })).await?.spec.name;
    said_back(&world, &name, PORT, b"hello").await
}
