//! Commands in containers and connections to ports, over WebSockets.
//!
//! Covers: execInContainer, forwardServicePort.

use anyhow::{Context, Result, bail};
use futures::{SinkExt, StreamExt};
use serde_json::json;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::support::World;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

async fn open(world: &World, token: &str, path: &str) -> Result<Socket, Error> {
    let url = format!("{}{path}", world.bridge.address().replace("http://", "ws://"));
    let mut request = url.into_client_request()?;
    let value = format!("Bearer {token}").parse().map_err(|_| Error::AttackAttempt)?;
    request.headers_mut().insert("authorization", value);
    Ok(connect_async(request).await?.0)
}

/// The next message that is not about the connection itself.
async fn next(socket: &mut Socket) -> Result<Option<Message>> {
    loop {
        let message = tokio::time::timeout(std::time::Duration::from_secs(20), socket.next()).await;
        match message.context("no message came")?.transpose()? {
            Some(Message::Ping(_) | Message::Pong(_)) => {}
            Some(Message::Close(_)) | None => return Ok(None),
            other => return Ok(other),
        }
    }
}

fn binary(message: Option<Message>) -> Result<Vec<u8>> {
    match message {
        Some(Message::Binary(bytes)) => Ok(bytes.to_vec()),
        other => bail!("not bytes: {other:?}"),
    }
}

#[tokio::test]
async fn a_command_hears_and_says_and_tells_its_exit_code() -> Result<()> {
    let world = World::start().await?;
    world.cluster("demo", 1).await?;
    world.service("demo", "web").await?;
    let path = "/v1/orchestrators/demo/services/web/exec?command=sh&command=-i&tty=true";
    let mut socket = open(&world, &world.operator_token, path).await?;
    assert_eq!(binary(next(&mut socket).await?)?, b"\x01sh -i\n");
    socket.send(Message::binary(b"\x00hello\n".to_vec())).await?;
    assert_eq!(binary(next(&mut socket).await?)?, b"\x01hello\n");
    socket.send(Message::text(json!({"resize": {"columns": 80, "rows": 24}}).to_string())).await?;
    assert_eq!(binary(next(&mut socket).await?)?, b"\x0180x24\n");
    socket.send(Message::binary(b"\x00!trouble\n".to_vec())).await?;
    assert_eq!(binary(next(&mut socket).await?)?[0], 2, "on standard error");
    socket.send(Message::binary(b"\x00exit 7\n".to_vec())).await?;
    let last = next(&mut socket).await?.context("no exit code")?;
    assert_eq!(last.into_text()?.as_str(), r#"{"exit":7}"#);
    assert_eq!(next(&mut socket).await?, None);
    Ok(())
}

#[tokio::test]
async fn a_port_carries_bytes_both_ways() -> Result<()> {
    let world = World::start().await?;
    world.cluster("demo", 1).await?;
    world.service("demo", "web").await?;
    let mut socket =
        open(&world, &world.operator_token, "/v1/orchestrators/demo/services/web/ports/80/forward").await?;
    let long = vec![7_u8; 100_000];
    socket.send(Message::binary(long.clone())).await?;
    let mut back = Vec::new();
    while back.len() < long.len() {
        back.extend(binary(next(&mut socket).await?)?);
    }
    assert_eq!(back, long);
    socket.send(Message::text(r#"{"end":true}"#)).await?;
    assert_eq!(next(&mut socket).await?, None);
    Ok(())
}

#[tokio::test]
async fn whoever_may_only_look_and_whoever_sends_no_websocket_is_refused() -> Result<()> {
    let world = World::start().await?;
    let path = "/v1/orchestrators/demo/services/web/exec?command=sh";
    let viewer = world.daemon.token("valerie", "viewer", &[]).await?;
    match open(&world, &viewer, path).await {
        Err(Error::Http(answer)) => assert_eq!(answer.status(), 403),
        other => bail!("not refused: {other:?}"),
    }
    world.operator.get(path).await?.problem(400, "invalid-argument")?;
    world.operator.get("/v1/orchestrators/demo/services/web/exec").await?.problem(400, "invalid-argument")?;
    // What the daemon refuses is told on the stream.
    let mut socket = open(&world, &world.operator_token, path).await?;
    let told = next(&mut socket).await?.context("no word")?.into_text()?;
    assert!(told.contains("\"problem\"") && told.contains("not-found"), "{told}");
    Ok(())
}
