//! A daemon that has just started: it answers before its clusters are supervised, from what is on disk.
//!
//! Covers: getOrchestratorInfo, listOrchestrators, listHosts, scaleOrchestrator.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail as tests do")]

mod bare;
#[path = "gateway/support.rs"]
#[allow(dead_code, reason = "the tests of the gateway use the rest")]
mod support;

use std::sync::Arc;

use async_trait::async_trait;
use bare::Bare;
use muster_engine::context::ClusterContext;
use muster_engine::driver::Driver;
use muster_engine::handler::Handler;
use muster_engine::preparer::Preparer;
use muster_engine::rollout::Rollout;
use muster_engine::sim::{CallKind, Fault, SimOptions, SimWorld};
use muster_engine::view;
use muster_protocol::model::cluster::{ClusterPhase, Infrastructure, Orchestrator};
use muster_protocol::model::operation::OperationPhase;
use muster_protocol::page::PageRequest;
use muster_protocol::{ClusterId, Error, ErrorCode, OperationId, Principal, Request, Response};
use muster_store::{Batch, CodecError, Payload, Record, Table};
use musterd::clock::Clock;
use musterd::config::Config;
use musterd::gateway::dispatch::dispatch;
use musterd::gateway::reply::Dispatched;
use musterd::gateway::roles::{Caller, Role};
use musterd::kinds::{Account, Kinds};
use serde::{Deserialize, Serialize};
use support::{LIMIT, kinds, name, places, spec};
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

/// Kinds that are not opened before the test says so, or say that they cannot be.
struct Held {
    inner: Arc<dyn Kinds>,
    opened: watch::Receiver<Option<Result<(), Error>>>,
}

#[async_trait]
impl Kinds for Held {
    async fn opened(&self) -> Result<(), Error> {
        self.opened.clone().wait_for(Option::is_some).await.unwrap().clone().unwrap()
    }

    fn driver(&self, infrastructure: Infrastructure, account: Option<&Account>) -> Result<Arc<dyn Driver>, Error> {
        self.inner.driver(infrastructure, account)
    }

    fn preparer(&self, orchestrator: Orchestrator, infrastructure: Infrastructure) -> Result<Arc<dyn Preparer>, Error> {
        self.inner.preparer(orchestrator, infrastructure)
    }

    fn rollout(&self, orchestrator: Orchestrator) -> Result<Arc<dyn Rollout>, Error> {
        self.inner.rollout(orchestrator)
    }

    fn handler(&self, context: Arc<ClusterContext>) -> Result<Arc<dyn Handler>, Error> {
        self.inner.handler(context)
    }
}

/// A folder with ready clusters of these names, and their world.
struct Bench {
    folder: TempDir,
    world: SimWorld,
}

impl Bench {
    async fn with_clusters(names: &[&str]) -> Self {
        let world = SimWorld::new(SimOptions::default());
        let bench = Self { folder: tempfile::tempdir().unwrap(), world };
        let daemon = bench.start(Ok(())).await.0;
        for cluster in names {
            daemon.ask(Request::ClusterCreate { spec: spec(cluster), idempotency_key: None }).await.unwrap();
        }
        for cluster in names {
            daemon.until_ready(&name(cluster), LIMIT).await;
        }
        daemon.stop().await;
        bench
    }

    /// A daemon whose kinds are opened at once.
    async fn start(&self, opened: Result<(), Error>) -> (Bare, watch::Sender<Option<Result<(), Error>>>) {
        let (daemon, open) = self.start_held().await;
        open.send_replace(Some(opened));
        (daemon, open)
    }

    /// A daemon whose kinds are opened by the sender.
    async fn start_held(&self) -> (Bare, watch::Sender<Option<Result<(), Error>>>) {
        let (open, opened) = watch::channel(None);
        let inner = kinds(&Config::default(), &places(&self.folder), &self.world);
        let kinds = Arc::new(Held { inner, opened });
        let daemon = Bare::start(self.folder.path(), Clock::system(), kinds, |store| Arc::new(store.clone())).await;
        (daemon, open)
    }
}

/// The answer to a read of an administrator.
fn answer(daemon: &Bare, request: Request) -> Response {
    let caller = Caller::new(Principal::user("root"), 0, Some(Role::Admin));
    let Dispatched::AtOnce(answer) = dispatch(&daemon.core.app, caller, request) else { panic!("a read waits") };
    answer.unwrap()
}

fn is_supervised(daemon: &Bare, cluster: &str) -> bool {
    daemon.cluster(&name(cluster)).supervisor.is_some()
}

async fn until(what: &str, is_so: impl Fn() -> bool) {
    let waiting = async {
        while !is_so() {
            sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    timeout(LIMIT, waiting).await.expect(what);
}

fn phase(daemon: &Bare, operation: OperationId) -> OperationPhase {
    daemon.core.app.provisioner.shared.board.operation(operation).unwrap().phase
}

fn scale(cluster: &str, workers: u32) -> Request {
    let workers = Some(workers);
    Request::ClusterScale { cluster: name(cluster), control_planes: None, workers, idempotency_key: None }
}

#[tokio::test]
async fn who_asks_before_supervisors_run_is_answered_from_disk_and_who_changes_a_cluster_has_its_supervisor_first() {
    let bench = Bench::with_clusters(&["a", "b", "c"]).await;
    let (daemon, open) = bench.start_held().await;
    let Response::Clusters(clusters) = answer(&daemon, Request::ClusterList { page: PageRequest::default() }) else {
        panic!("another answer")
    };
    let listed: Vec<_> = clusters.items.into_iter().map(|cluster| (cluster.name, cluster.phase)).collect();
    assert_eq!(listed, ["a", "b", "c"].map(|cluster| (name(cluster), ClusterPhase::Ready)));
    let Response::Cluster(info) = answer(&daemon, Request::ClusterInfo { cluster: name("a") }) else {
        panic!("another answer")
    };
    assert_eq!((info.summary.name, info.summary.phase), (name("a"), ClusterPhase::Ready));
    let of_c = Request::HostList { cluster: Some(name("c")), page: PageRequest::default() };
    let Response::Hosts(hosts) = answer(&daemon, of_c) else { panic!("another answer") };
    assert_eq!(hosts.items.len(), 3);
    assert!(!is_supervised(&daemon, "b"));

    daemon.ask(scale("b", 3)).await.unwrap();
    assert_eq!(["a", "b", "c"].map(|cluster| is_supervised(&daemon, cluster)), [false, true, false]);
    until("the change is made", || {
        let state = daemon.cluster(&name("b")).state;
        view::hosts(&state).len() == 4 && state.operations.is_empty()
    })
    .await;
    assert!(!is_supervised(&daemon, "a"), "the others wait until their kinds are opened");

    open.send_replace(Some(Ok(())));
    until("the others follow", || is_supervised(&daemon, "a") && is_supervised(&daemon, "c")).await;
    assert!(is_supervised(&daemon, "b"));
    daemon.stop().await;
}

#[tokio::test]
async fn what_was_under_way_at_a_kill_is_known_at_once_and_goes_on_also_after_a_start_that_was_broken_off() {
    let bench = Bench::with_clusters(&["a", "b"]).await;
    let (daemon, _open) = bench.start(Ok(())).await;
    bench.world.inject(|call| (call.kind == CallKind::Create).then_some(Fault::Hang { applied: true }));
    let keyed = || {
        let workers = Some(3);
        let idempotency_key = Some("once".parse().unwrap());
        Request::ClusterScale { cluster: name("b"), control_planes: None, workers, idempotency_key }
    };
    daemon.ask(keyed()).await.unwrap();
    let begun: Vec<OperationId> = daemon.cluster(&name("b")).state.operations.keys().copied().collect();
    assert_eq!(begun.len(), 1);
    daemon.core.fleet.kill();
    daemon.store.close().await;
    bench.world.clear_faults();

    let (daemon, _open) = bench.start_held().await;
    assert_eq!(phase(&daemon, begun[0]), OperationPhase::Running);
    daemon.stop().await;

    let (daemon, open) = bench.start_held().await;
    daemon.ask(keyed()).await.unwrap();
    let known: Vec<OperationId> = daemon.cluster(&name("b")).state.operations.keys().copied().collect();
    assert_eq!(known, begun, "the key is known, so nothing is asked of the supervisor");
    assert!(!is_supervised(&daemon, "b"));
    open.send_replace(Some(Ok(())));
    until("the change is made", || phase(&daemon, begun[0]) == OperationPhase::Succeeded).await;
    assert_eq!(view::hosts(&daemon.cluster(&name("b")).state).len(), 4);
    until("the other is supervised too", || is_supervised(&daemon, "a")).await;
    daemon.stop().await;
}

#[tokio::test]
async fn a_daemon_whose_kinds_cannot_be_opened_ends_with_the_cause() {
    let bench = Bench::with_clusters(&["a"]).await;
    let refused = Error::new(ErrorCode::Internal, "the world cannot be read");
    let (daemon, _open) = bench.start(Err(refused)).await;
    until("the fleet ends", || daemon.core.fleet.get_status() == ractor::ActorStatus::Stopped).await;
    assert!(!is_supervised(&daemon, "a"));
    daemon.store.close().await;
}

/// A line of a ledger as only a later release writes it.
#[derive(Serialize, Deserialize)]
struct LaterLine(ClusterId);

impl Payload for LaterLine {
    const SCHEMA: u16 = 900;

    fn decode(schema: u16, _bytes: &[u8]) -> Result<Self, CodecError> {
        Err(CodecError::unknown_schema::<Self>(schema))
    }
}

impl Record for LaterLine {
    const TABLE: Table = Table::Ledger;

    fn key(&self) -> Vec<u8> {
        [self.0.as_bytes().as_slice(), b"later"].concat()
    }
}

#[tokio::test]
async fn a_cluster_that_cannot_be_decoded_is_shown_with_the_cause_and_left_alone_and_others_are_well() {
    let bench = Bench::with_clusters(&["odd", "well"]).await;
    let (daemon, _open) = bench.start(Ok(())).await;
    let odd = daemon.cluster(&name("odd")).state.id();
    let mut batch = Batch::new();
    batch.put(&LaterLine(odd)).unwrap();
    daemon.store.commit(batch).await.unwrap();
    daemon.stop().await;

    let (daemon, _open) = bench.start(Ok(())).await;
    let pinned = daemon.cluster(&name("odd"));
    assert_eq!(pinned.state.record.phase, ClusterPhase::Ready, "as it was left");
    let trouble = pinned.trouble.expect("it says why");
    assert!(trouble.message.contains("unknown schema version 900"), "{}", trouble.message);
    assert_eq!(pinned.plan.expect("a plan").steps, [], "nothing is done about it");
    assert_eq!(daemon.ask(scale("odd", 3)).await.unwrap_err().code, ErrorCode::Conflict);
    daemon.ask(scale("well", 3)).await.unwrap();
    assert!(!is_supervised(&daemon, "odd"));

    let mut batch = Batch::new();
    batch.delete::<LaterLine>(&LaterLine(odd).key()).unwrap();
    daemon.store.commit(batch).await.unwrap();
    until("it is taken up", || is_supervised(&daemon, "odd")).await;
    assert_eq!(view::hosts(&daemon.cluster(&name("odd")).state).len(), 3);
    daemon.stop().await;
}
