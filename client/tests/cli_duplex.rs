//! `muster service exec` and `muster service port-forward` against a scripted server.

#![cfg(feature = "cli")]
#![allow(clippy::wildcard_enum_match_arm, reason = "any other frame is wrong")]
#![allow(clippy::unwrap_used, reason = "test code, though not always in a test function")]

mod command;
mod support;

use std::process::Stdio;

use command::{err, muster, out, run};
use muster_client::protocol::{ClientBody, ExecOutput, Request, ServerFrame, StreamInput, StreamItem};
use support::{Peer, Server, name, soon};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// The next item of input.
async fn heard(peer: &mut Peer) -> StreamInput {
    match peer.next().await.unwrap().body {
        ClientBody::Item(item) => item,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn exec_hands_input_in_shows_both_outputs_and_ends_with_the_commands_code() {
    let server = Server::new();
    let mut command = muster(&server, "service exec web --cluster demo --container c1 -- sh -c ls");
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    let serve = async {
        let mut peer = server.accept().await;
        let (id, request, _) = peer.stream_request().await;
        let (cluster, service) = (name("demo"), name("web"));
        let command = ["sh", "-c", "ls"].map(str::to_owned).into();
        let container = Some("c1".to_owned());
        assert_eq!(request, Request::ContainerExec { cluster, service, container, command, tty: false });
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(b"typed\n").await.unwrap();
        drop(stdin);
        peer.send(ServerFrame::credit(id, 2)).await;
        assert_eq!(heard(&mut peer).await, StreamInput::Bytes(b"typed\n".to_vec()));
        assert_eq!(heard(&mut peer).await, StreamInput::End);
        for output in
            [ExecOutput::Stdout(b"out\n".to_vec()), ExecOutput::Stderr(b"err\n".to_vec()), ExecOutput::Exit(42)]
        {
            peer.item(id, StreamItem::Exec(output)).await;
        }
        peer.send(ServerFrame::end(id, Ok(()))).await;
        child.wait_with_output().await.unwrap()
    };
    let output = soon("the command", serve).await;
    assert_eq!((out(&output), err(&output), output.status.code()), ("out\n", "err\n", Some(42)));
}

#[tokio::test]
async fn a_command_that_is_cut_off_is_a_failure_and_not_a_success() {
    let server = Server::new();
    let output = run(&server, "service exec web --cluster demo -- sh", |mut peer| async move {
        let (id, _, _) = peer.stream_request().await;
        peer.send(ServerFrame::end(id, Ok(()))).await;
    })
    .await;
    assert_eq!(output.status.code(), Some(1));
    assert!(err(&output).contains("was lost before its end"), "{}", err(&output));
}

#[tokio::test]
async fn a_local_port_leads_to_the_services_port() {
    let server = Server::new();
    let mut child = muster(&server, "service port-forward web 0:80 --cluster demo").spawn().unwrap();
    let serve = async {
        let mut peer = server.accept().await;
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).await.unwrap();
        let address = line.split(' ').next().unwrap();
        assert_eq!(line, format!("{address} leads to port 80 of web\n"));
        let mut connection = TcpStream::connect(address).await.unwrap();
        connection.write_all(b"GET /").await.unwrap();
        let (id, request, _) = peer.stream_request().await;
        assert_eq!(request, Request::ServicePortForward { cluster: name("demo"), service: name("web"), port: 80 });
        peer.send(ServerFrame::credit(id, 1)).await;
        assert_eq!(heard(&mut peer).await, StreamInput::Bytes(b"GET /".to_vec()));
        peer.item(id, StreamItem::Bytes(b"hello".to_vec())).await;
        peer.send(ServerFrame::end(id, Ok(()))).await;
        let mut answer = String::new();
        connection.read_to_string(&mut answer).await.unwrap();
        assert_eq!(answer, "hello");
    };
    soon("the connection", serve).await;
}
