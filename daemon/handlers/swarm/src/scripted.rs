//! An engine that answers as a test tells it, over real HTTP. For what a real engine cannot be brought to do on demand:
//! failing between two calls.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use bollard::BollardRequest;
use bollard::errors::Error as EngineError;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use muster_engine::failure::Failure;
use muster_engine::ledger::MachineAccess;
use muster_engine::member::Member;
use muster_protocol::model::host::Role;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::connect::{Connector, Engine};

/// The requests that an engine was sent, as `GET /info`, with their bodies: without the API's version, and without what
/// follows a `?`.
#[derive(Clone, Default)]
pub(crate) struct Heard(Arc<Mutex<Vec<(String, Value)>>>);

impl Heard {
    /// Whether this was among them.
    pub(crate) fn has(&self, request: &str) -> bool {
        self.0.lock().unwrap().iter().any(|(asked, _)| asked == request)
    }

    /// How many there were.
    pub(crate) fn count(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    /// The body of the last one of this kind.
    pub(crate) fn body(&self, request: &str) -> Value {
        let all = self.0.lock().unwrap();
        all.iter().rev().find(|(asked, _)| asked == request).unwrap().1.clone()
    }
}

/// Starts an engine. `answer` says status and body for each request, and may see what was asked before it.
pub(crate) async fn engine(answer: impl Fn(&str, &Heard) -> (u16, Value) + Send + Sync + 'static) -> (Engine, Heard) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (asked, answer) = (Heard::default(), Arc::new(answer));
    let seen = asked.clone();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let (seen, answer) = (seen.clone(), Arc::clone(&answer));
            tokio::spawn(async move { serve(client, &seen, |request| answer(request, &seen)).await });
        }
    });
    let client = Client::builder(TokioExecutor::new()).build_http();
    let transport = move |request: BollardRequest| {
        let client = client.clone();
        let sent = async move { client.request(request).await.map_err(EngineError::from) };
        Box::pin(sent) as futures::future::BoxFuture<'static, _>
    };
    (Engine::new(Arc::new(transport), url).unwrap(), asked)
}

/// One request a connection.
async fn serve(mut client: TcpStream, asked: &Heard, answer: impl Fn(&str) -> (u16, Value)) {
    let mut reader = BufReader::new(&mut client);
    let (mut first, mut length) = (String::new(), 0);
    reader.read_line(&mut first).await.unwrap();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).await.unwrap();
        if line.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().unwrap();
        }
    }
    let mut sent = vec![0; length];
    reader.read_exact(&mut sent).await.unwrap();
    let mut words = first.split_whitespace();
    let (method, target) = (words.next().unwrap(), words.next().unwrap());
    let path = target.split('?').next().unwrap();
    let path = path.strip_prefix("/v").and_then(|rest| rest.split_once('/')).map_or(path, |(_, rest)| rest);
    let request = format!("{method} /{}", path.trim_start_matches('/'));
    let (status, body) = answer(&request);
    asked.0.lock().unwrap().push((request, serde_json::from_slice(&sent).unwrap_or_default()));
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let head = format!("HTTP/1.1 {status} -\r\ncontent-type: application/json\r\nconnection: close\r\n");
    let answer = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
    client.write_all(answer.as_bytes()).await.unwrap();
}

/// Engines by their machines' addresses.
pub(crate) struct Scripted(pub(crate) HashMap<String, Engine>);

impl Connector for Scripted {
    fn engine(&self, access: &MachineAccess) -> Result<Engine, Failure> {
        Ok(self.0[&access.address].clone())
    }
}

/// A machine of the cluster.
pub(crate) fn member(machine: &str, role: Role, address: &str) -> Member {
    let access = MachineAccess {
        address: address.to_owned(),
        private_address: address.to_owned(),
        ssh_port: 22,
        ssh_user: "root".to_owned(),
        host_key: String::new(),
    };
    Member { machine: machine.parse().unwrap(), role, access, node_id: None }
}
