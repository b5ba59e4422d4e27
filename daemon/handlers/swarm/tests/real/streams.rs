//! Commands in containers and connections to ports, on a real swarm.

#![allow(clippy::wildcard_enum_match_arm, reason = "any other item of a stream is wrong")]

use futures::{StreamExt as _, TryStreamExt as _};
use muster_engine::duplex::{Duplex, ExecOrder, ForwardOrder};
use muster_engine::handler::Handler as _;
use muster_protocol::model::service::{Exposure, Port, ServiceSpec};
use muster_protocol::{ErrorCode, ExecOutput, StreamInput, StreamItem, TerminalSize};

use crate::orders::{order, scene, service};
use crate::skip::docker_is_wanted;

/// Everything that a command says: standard output, standard error, exit code.
async fn all(duplex: Duplex) -> (String, String, i64) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let items: Vec<StreamItem> = duplex.output.try_collect().await.unwrap();
    let (last, items) = items.split_last().unwrap();
    for item in items {
        match item {
            StreamItem::Exec(ExecOutput::Stdout(bytes)) => out.extend(bytes),
            StreamItem::Exec(ExecOutput::Stderr(bytes)) => err.extend(bytes),
            other => panic!("{other:?}"),
        }
    }
    let StreamItem::Exec(ExecOutput::Exit(code)) = last else { panic!("{last:?}") };
    (String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap(), *code)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_runs_in_a_container_with_input_exit_code_and_terminal_and_a_published_port_is_reached() {
    if !docker_is_wanted(
        "a_command_runs_in_a_container_with_input_exit_code_and_terminal_and_a_published_port_is_reached",
    ) {
        return;
    }
    let scene = scene("streams").await;
    let (members, handler) = (scene.members(), &scene.handler);
    let port = |port, exposure, published| Port { port, protocol: Default::default(), exposure, published };
    let order = order(ServiceSpec {
        ports: vec![port(80, Exposure::Host, Some(8085)), port(81, Exposure::Cluster, None)],
        ..service("web", "mkdir /www; echo hello > /www/index.html; exec httpd -f -p 80 -h /www")
    });
    let name = order.spec.name.clone();
    handler.deploy(members, &order).await.unwrap();
    let view = scene.ready(&name, 1, 1).await;

    let exec = |command: &[&str], tty| ExecOrder {
        service: name.clone(),
        container: None,
        command: command.iter().map(|word| (*word).to_owned()).collect(),
        tty,
    };
    let duplex = handler.exec(members, &exec(&["sh", "-c", "cat; echo bad >&2; exit 7"], false)).await.unwrap();
    duplex.input.send(StreamInput::Bytes(b"typed\n".to_vec())).await.unwrap();
    duplex.input.send(StreamInput::End).await.unwrap();
    assert_eq!(all(duplex).await, ("typed\n".to_owned(), "bad\n".to_owned(), 7));

    let duplex = handler.exec(members, &exec(&["sh", "-c", "read line; stty size"], true)).await.unwrap();
    duplex.input.send(StreamInput::Resize(TerminalSize { columns: 123, rows: 45 })).await.unwrap();
    duplex.input.send(StreamInput::Bytes(b"\n".to_vec())).await.unwrap();
    let (said, _, code) = all(duplex).await;
    assert!(said.contains("45 123") && code == 0, "{said:?} {code}");

    let named = |id: &str| ExecOrder { container: Some(id.to_owned()), ..exec(&["true"], false) };
    assert_eq!(all(handler.exec(members, &named(&view.containers[0].id)).await.unwrap()).await.2, 0);
    let other = handler.exec(members, &named("other")).await.map(drop).unwrap_err();
    assert_eq!(other.code, ErrorCode::NotFound);

    let forward = |port| ForwardOrder { service: name.clone(), port };
    let Duplex { mut output, input } = handler.port_forward(members, &forward(80)).await.unwrap();
    input.send(StreamInput::Bytes(b"GET /index.html HTTP/1.0\r\n\r\n".to_vec())).await.unwrap();
    let mut answer = Vec::new();
    while let Some(item) = output.next().await {
        let StreamItem::Bytes(bytes) = item.unwrap() else { panic!("no bytes") };
        answer.extend(bytes);
    }
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.starts_with("HTTP/1.") && answer.ends_with("hello\n"), "{answer}");
    let refused = handler.port_forward(members, &forward(81)).await.map(drop).unwrap_err();
    assert_eq!(refused.code, ErrorCode::Unsupported);
}
