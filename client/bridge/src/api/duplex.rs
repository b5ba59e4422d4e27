//! Streams that take input, as WebSockets: a command in a container, a connection to a port.
//!
//! Binary messages are bytes. For a command the first byte says whose: 0 its standard input, 1 its standard output, 2 its
//! standard error. Text messages are JSON: `{"end":true}` and `{"resize":{"columns":80,"rows":24}}` from the client;
//! `{"exit":0}` and `{"problem":{…}}` from the bridge, which then closes.

use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::response::Response;
use bytes::Bytes;
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt, StreamExt, future};
use muster_client::{ClientError, Duplex, DuplexInput};
use muster_protocol::duplex::{ExecOutput, MAX_CHUNK_BYTES, StreamInput, TerminalSize};
use muster_protocol::{Request, StreamItem};
use serde::{Deserialize, Serialize};
use utoipa::IntoParams;

use super::caller::Caller;
use super::responses::Problems;
use crate::extract::path::{ServicePath, ServicePortPath};
use crate::extract::{Path, Query};
use crate::problem::Problem;

const STDIN: u8 = 0;
const STDOUT: u8 = 1;
const STDERR: u8 = 2;
/// The longest message from a client.
const LONGEST: usize = 4 * MAX_CHUNK_BYTES;

/// Which command, for the description of the API.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "read by the description of the API only; `command` may be there several times")]
pub struct ExecQuery {
    /// The command and its arguments, one `command` each.
    command: Vec<String>,
    /// In this container, by its id; in any that runs, if left out.
    #[param(required = false)]
    container: Option<String>,
    /// With a terminal.
    #[param(required = false)]
    tty: bool,
}

/// Run a command in a container of a service, over a WebSocket. Binary messages are bytes behind one that says whose: 0 standard
/// input, 1 standard output, 2 standard error. Text messages are JSON: `end` and `resize` from the client, `exit` and
/// `problem` from the bridge.
#[utoipa::path(
    get, path = "/v1/orchestrators/{name}/services/{service}/exec", operation_id = "execInContainer", tag = "services",
    params(ServicePath, ExecQuery),
    responses((status = 101, description = "The command runs."), Problems)
)]
pub async fn exec(
    caller: Caller,
    Path(path): Path<ServicePath>,
    Query(pairs): Query<Vec<(String, String)>>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Problem> {
    let ServicePath { name: cluster, service } = path;
    let (mut command, mut container, mut tty) = (Vec::new(), None, false);
    for (name, value) in pairs {
        match name.as_str() {
            "command" => command.push(value),
            "container" => container = Some(value),
            "tty" => tty = value.parse().map_err(|_| Problem::invalid("tty", "tty is `true` or `false`"))?,
            other => return Err(Problem::invalid("query", format!("there is no `{other}` here"))),
        }
    }
    if command.is_empty() {
        return Err(Problem::invalid("command", "a command is needed"));
    }
    let request = Request::ContainerExec { cluster, service, container, command, tty };
    serve(caller, request, upgrade, true).await
}

/// Connect to a port of a service, over a WebSocket. Binary messages are bytes; `{"end":true}` as text says that no more come.
#[utoipa::path(
    get, path = "/v1/orchestrators/{name}/services/{service}/ports/{port}/forward", operation_id = "forwardServicePort",
    tag = "services", params(ServicePortPath),
    responses((status = 101, description = "It is connected."), Problems)
)]
pub async fn forward(
    caller: Caller,
    Path(path): Path<ServicePortPath>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Problem> {
    let ServicePortPath { name: cluster, service, port } = path;
    serve(caller, Request::ServicePortForward { cluster, service, port }, upgrade, false).await
}

async fn serve(
    caller: Caller,
    request: Request,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
    has_channels: bool,
) -> Result<Response, Problem> {
    let upgrade = upgrade.map_err(|refused| Problem::invalid("Upgrade", refused.body_text()))?;
    let (duplex, kept) = caller.duplex(request).await?;
    let upgrade = upgrade.max_message_size(LONGEST).max_frame_size(LONGEST);
    Ok(upgrade.on_upgrade(move |socket| async move {
        let _kept = kept;
        carry(socket, duplex, has_channels).await;
    }))
}

/// Carries until either side has ended. Each direction waits for its own receiver only.
async fn carry(socket: WebSocket, duplex: Duplex, has_channels: bool) {
    let (to_client, from_client) = socket.split();
    let input = duplex.input();
    let outward = Box::pin(send(to_client, duplex));
    let inward = Box::pin(receive(from_client, input, has_channels));
    // When the client has said its last word, politely or not, what is behind the stream ends with it.
    future::select(outward, inward).await;
}

/// What the bridge says beside bytes.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum Notice {
    Exit(i64),
    Problem(Box<Problem>),
}

async fn send(mut socket: SplitSink<WebSocket, Message>, mut duplex: Duplex) {
    loop {
        let (message, is_last) = match duplex.next().await {
            Ok(Some(item)) => message_of(item),
            Ok(None) => break,
            Err(error) => (word(Notice::Problem(Box::new(error.into()))), true),
        };
        if socket.send(message).await.is_err() || is_last {
            break;
        }
    }
    let end = CloseFrame { code: close_code::NORMAL, reason: "".into() };
    // The client may be gone.
    let _gone = socket.send(Message::Close(Some(end))).await;
}

fn message_of(item: StreamItem) -> (Message, bool) {
    match item {
        StreamItem::Bytes(bytes) => (Message::Binary(bytes.into()), false),
        StreamItem::Exec(ExecOutput::Stdout(bytes)) => (channel(STDOUT, &bytes), false),
        StreamItem::Exec(ExecOutput::Stderr(bytes)) => (channel(STDERR, &bytes), false),
        StreamItem::Exec(ExecOutput::Exit(code)) => (word(Notice::Exit(code)), true),
        StreamItem::Operation(_) | StreamItem::Event(_) | StreamItem::Log(_) => {
            let message = "the daemon was asked for bytes and sent something else".to_owned();
            (word(Notice::Problem(Box::new(ClientError::Protocol { message }.into()))), true)
        }
    }
}

fn channel(whose: u8, bytes: &[u8]) -> Message {
    Message::Binary(Bytes::from([&[whose], bytes].concat()))
}

fn word(word: Notice) -> Message {
    Message::Text(serde_json::to_string(&word).unwrap_or_default().into())
}

/// What a client says beside bytes.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
enum Said {
    End(bool),
    Resize(TerminalSize),
}

async fn receive(mut socket: SplitStream<WebSocket>, input: DuplexInput, has_channels: bool) {
    let mut is_open = true;
    while let Some(Ok(message)) = socket.next().await {
        let is_heard = match message {
            Message::Binary(bytes) if !is_open => {
                drop(bytes);
                false
            }
            Message::Binary(bytes) if has_channels => match bytes.split_first() {
                Some((&STDIN, bytes)) => input.send_bytes(bytes).await,
                Some(_) | None => false,
            },
            Message::Binary(bytes) => input.send_bytes(&bytes).await,
            Message::Text(text) => match serde_json::from_str(&text) {
                Ok(Said::End(true)) => {
                    is_open = false;
                    input.send(StreamInput::End).await
                }
                Ok(Said::End(false)) => true,
                Ok(Said::Resize(size)) => input.send(StreamInput::Resize(size)).await,
                Err(_) => false,
            },
            Message::Ping(_) | Message::Pong(_) => true,
            Message::Close(_) => false,
        };
        if !is_heard {
            return;
        }
    }
}
