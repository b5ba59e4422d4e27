//! An API server that answers as a test tells it. For what a real one cannot be brought to do on demand: failing between
//! two calls, holding what others made.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use http_body_util::BodyExt as _;
use kube::Client;
use kube::client::Body;
use muster_engine::failure::Failure;
use muster_engine::ledger::MachineAccess;
use muster_engine::machine::{MachineRun, Machines, RunOutput};
use muster_engine::member::Member;
use muster_protocol::ErrorCode;
use serde_json::{Value, json};

use crate::access::{Candidate, Clients, Connector};
use crate::handler::KubernetesHandler;

/// What the server was sent: `GET /path`, without what follows a `?`.
#[derive(Clone, Default)]
pub(crate) struct Heard(Arc<Mutex<Vec<String>>>);

impl Heard {
    /// Whether this was among them.
    pub(crate) fn has(&self, request: &str) -> bool {
        self.count(request) > 0
    }

    /// How often it was.
    pub(crate) fn count(&self, request: &str) -> usize {
        self.0.lock().unwrap().iter().filter(|asked| *asked == request).count()
    }

    /// How many lists were asked for. Watches are none.
    pub(crate) fn lists(&self) -> usize {
        self.0.lock().unwrap().iter().filter(|asked| asked.starts_with("GET /api") && asked.ends_with('s')).count()
    }

    /// The requests that change something.
    pub(crate) fn changes(&self) -> Vec<String> {
        self.0
            .lock()
            .unwrap()
            .iter()
            .filter(|asked| !asked.starts_with("GET ") && !asked.starts_with("WATCH "))
            .cloned()
            .collect()
    }
}

/// A client of a server that `answer`s with status and body. What it answers nothing to is 404, as in an empty cluster:
/// empty lists, no objects; what is applied comes back with an id.
pub(crate) fn client(answer: impl Fn(&str) -> Option<(u16, Value)> + Send + Sync + 'static) -> (Client, Heard) {
    let (asked, answer) = (Heard::default(), Arc::new(answer));
    let seen = asked.clone();
    let service = tower::service_fn(move |request: http::Request<Body>| {
        let (seen, answer) = (seen.clone(), Arc::clone(&answer));
        async move {
            let (parts, body) = request.into_parts();
            let body = body.collect().await.map_err(|error| error.to_string())?.to_bytes();
            if parts.uri.query().is_some_and(|query| query.contains("watch=true")) {
                seen.0.lock().unwrap().push(format!("WATCH {}", parts.uri.path()));
                // Nothing happens, for as long as anybody listens.
                let silence =
                    futures::stream::pending::<Result<http_body::Frame<bytes::Bytes>, std::convert::Infallible>>();
                return Ok(http::Response::new(http_body_util::StreamBody::new(silence).boxed_unsync()));
            }
            let asked = format!("{} {}", parts.method, parts.uri.path());
            seen.0.lock().unwrap().push(asked.clone());
            let (status, answer) = answer(&asked).unwrap_or_else(|| empty_cluster(&asked, &body));
            let body = http_body_util::Full::new(bytes::Bytes::from(answer.to_string())).boxed_unsync();
            let answer = http::Response::builder().status(status).body(body);
            Ok::<_, String>(answer.unwrap())
        }
    });
    (Client::new(service, "default"), asked)
}

fn empty_cluster(asked: &str, body: &[u8]) -> (u16, Value) {
    let (method, path) = asked.split_once(' ').unwrap();
    let last = path.rsplit('/').next().unwrap();
    match method {
        "GET" if path == "/readyz" => (200, json!("ok")),
        "GET" if last.ends_with('s') => (200, json!({ "metadata": { "resourceVersion": "1" }, "items": [] })),
        "PATCH" => {
            let mut object: Value = serde_json::from_slice(body).unwrap();
            object["metadata"]["uid"] = json!(format!("{last}-uid"));
            (200, object)
        }
        "DELETE" => (200, status(200, "deleted")),
        _ => (404, status(404, "not found")),
    }
}

/// The API's own form of an answer that is no object.
pub(crate) fn status(code: u16, message: &str) -> Value {
    let status = if code < 400 { "Success" } else { "Failure" };
    let reason = match code {
        404 => "NotFound",
        409 => "Conflict",
        422 => "Invalid",
        _ => "",
    };
    json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": status, "code": code, "message": message, "reason": reason })
}

/// Connects to scripted servers by their machines' names. One that is not there is dead.
pub(crate) struct Scripted(pub(crate) BTreeMap<String, Arc<Clients>>);

#[async_trait]
impl Connector for Scripted {
    fn candidates(&self, members: &[Member]) -> Vec<Candidate> {
        let candidate = |member: &Member| Candidate { name: member.machine.to_string(), address: String::new() };
        members.iter().map(candidate).collect()
    }

    async fn connect(&self, candidate: &Candidate) -> Result<Arc<Clients>, Failure> {
        let dead = || Failure::not_applied(ErrorCode::Unreachable, format!("{} is dead", candidate.name));
        self.0.get(&candidate.name).cloned().ok_or_else(dead)
    }
}

/// A handler of the cluster whose machines are these servers.
pub(crate) fn handler(servers: impl IntoIterator<Item = (&'static str, Client)>) -> KubernetesHandler {
    let servers = servers.into_iter().map(|(name, client)| {
        let clients = Clients { requests: client.clone(), streams: client, url: format!("https://{name}") };
        (name.to_owned(), Arc::new(clients))
    });
    let servers = servers.collect();
    KubernetesHandler::with_connector(
        Arc::new(crate::fixtures::cluster()),
        Arc::new(NoMachines),
        Arc::new(Scripted(servers)),
    )
}

/// Machines on which nothing can be run.
pub(crate) struct NoMachines;

#[async_trait]
impl Machines for NoMachines {
    async fn run(&self, _: &MachineAccess, step: &MachineRun) -> Result<RunOutput, Failure> {
        Err(Failure::not_applied(ErrorCode::Internal, format!("{} cannot be run here", step.name)))
    }
}

/// A control plane of this name.
pub(crate) fn member(machine: &str) -> Member {
    let access = MachineAccess {
        address: String::new(),
        private_address: String::new(),
        ssh_port: 22,
        ssh_user: "root".to_owned(),
        host_key: String::new(),
    };
    let role = muster_protocol::model::host::Role::ControlPlane;
    Member { machine: machine.parse().unwrap(), role, access, node_id: None }
}
