//! One table from command line to request: `requests.txt` has a line for every command and every flag, and below each what
//! it asks the daemon, as JSON. A flag that is dropped on the way shows as a difference, and one that no line has fails.
//!
//! `UPDATE_GOLDEN=1` writes the requests anew. Secret values are shown by a placeholder.

#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, reason = "test code, though not always in a test function")]

mod command;
mod support;

use std::fs;
use std::path::{Path, PathBuf};

use command::{err, muster};
use muster_client::protocol::{ClientBody, Error, ErrorCode, Request, Response, ServerFrame};
use support::{Peer, Server, service, soon};

/// What the lines of the table read.
const FILES: [(&str, &str); 4] = [
    ("cluster.yaml", "name: demo\norchestrator: sim\ninfrastructure: sim\nworkers: 2\n"),
    ("service.yaml", "name: web\nimage: nginx:1\nsecrets: [{name: token}]\n"),
    ("account.yaml", "name: home\ninfrastructure: sim\n"),
    ("value.txt", "s3cret\n"),
];

/// Makes its request when somebody connects to the port that it listens on: `cli_duplex.rs` has it.
const LISTENS: &str = "muster service port-forward";

fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")
}

fn table() -> String {
    fs::read_to_string(here().join("requests.txt")).unwrap()
}

fn lines(table: &str) -> impl Iterator<Item = &str> {
    table.lines().filter_map(|line| line.strip_prefix("$ "))
}

#[tokio::test]
async fn every_command_line_asks_for_what_the_table_says() {
    let folder = tempfile::tempdir().unwrap();
    for (file, text) in FILES {
        fs::write(folder.path().join(file), text).unwrap();
    }
    let before = table();
    let mut now = String::new();
    for line in lines(&before) {
        now.push_str(&format!("$ {line}\n"));
        for request in asked(line, folder.path()).await {
            now.push_str(&format!("{request}\n"));
        }
        now.push('\n');
    }
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(here().join("requests.txt"), now).unwrap();
        return;
    }
    let difference = before.lines().zip(now.lines()).find(|(before, now)| before != now);
    assert!(before == now, "see the first difference, and UPDATE_GOLDEN=1: {difference:?}");
}

/// What a command asks the daemon until it ends.
async fn asked(line: &str, folder: &Path) -> Vec<String> {
    let server = Server::new();
    let mut command = muster(&server, line.strip_prefix("muster ").unwrap());
    command.current_dir(folder);
    let mut requests = Vec::new();
    let serve = async {
        loop {
            answer(server.accept().await, &mut requests).await;
        }
    };
    let output = tokio::select! {
        output = soon(line, command.output()) => output.unwrap(),
        () = serve => unreachable!("the server goes on"),
    };
    if requests.is_empty() {
        requests.push("no request".to_owned());
        assert!(output.status.success(), "{line}: {}", err(&output));
    }
    requests
}

/// Answers one connection: a service that is read is there, and everything else is refused.
async fn answer(mut peer: Peer, requests: &mut Vec<String>) {
    while let Some(frame) = peer.next().await {
        let ClientBody::Request { request, .. } = frame.body else { continue };
        let refused = Error::new(ErrorCode::NotFound, "only the request matters here");
        let is_read_first = matches!(*request, Request::ServiceInfo { .. });
        let answer = if is_read_first { Ok(Response::Service(Box::new(service()))) } else { Err(refused) };
        requests.push(shown(&request));
        peer.send(ServerFrame::answer(frame.id, answer)).await;
    }
}

/// The request as JSON. The key that the command makes up is another one each time.
fn shown(request: &Request) -> String {
    let mut value = serde_json::to_value(request).unwrap();
    let key = value
        .as_object_mut()
        .and_then(|kinds| kinds.values_mut().next())
        .and_then(|kind| kind.get_mut("idempotencyKey"));
    if let Some(key) = key
        && key.as_str().is_some_and(|key| key != "mine")
    {
        *key = "made up".into();
    }
    value.to_string()
}

#[test]
fn every_command_and_every_flag_of_the_reference_is_in_the_table() {
    let reference = fs::read_to_string(here().join("../../docs/reference/cli.md")).unwrap();
    let table = table();
    let mut missing = Vec::new();
    let mut command = "";
    for line in reference.lines() {
        if let Some((_, named)) = line.split_once("# `").filter(|(marks, _)| marks.starts_with('#')) {
            command = named.trim_end_matches('`');
        }
        if command.is_empty() || command == LISTENS {
            continue;
        }
        let of_command: Vec<&str> = lines(&table).filter(|line| line.starts_with(command)).collect();
        let flag =
            line.strip_prefix("| `").and_then(|row| row.split('`').next()).and_then(|flag| flag.split("--").nth(1));
        let wanted = flag.and_then(|flag| flag.split(' ').next()).map(|flag| format!(" --{flag}"));
        let is_there =
            |line: &&str| wanted.as_ref().is_none_or(|flag| line.split(" -- ").any(|part| part.contains(flag)));
        if !of_command.iter().any(is_there) {
            missing.push(format!("{command}{}", wanted.unwrap_or_default()));
        }
    }
    missing.dedup();
    assert!(missing.is_empty(), "no line of requests.txt has {missing:#?}");
}
