//! A handler's mistakes end neither its session nor the looks at its cluster, and what a session keeps is on disk, comes back
//! to the next one, and goes with the cluster.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a helper of tests may panic as they do")]

mod bare;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bare::Bare;
use futures::stream::BoxStream;
use muster_engine::context::ClusterContext;
use muster_engine::driver::Driver;
use muster_engine::failure::Failure;
use muster_engine::handler::{Handler, ServiceOrder};
use muster_engine::ledger::Present;
use muster_engine::member::Member;
use muster_engine::observed::OrchestratorView;
use muster_engine::preparer::Preparer;
use muster_engine::recipe::MachineStep;
use muster_engine::rollout::{OneAfterTheOther, Rollout};
use muster_engine::session::{Kept, SessionHost};
use muster_engine::sim::{SimOptions, SimWorld};
use muster_protocol::model::cluster::{ClusterSpec, Infrastructure, Orchestrator};
use muster_protocol::model::service::{LogLine, ServiceSpec};
use muster_protocol::{Error, Name, Request};
use musterd::clock::Clock;
use musterd::journal::records::StoredKept;
use musterd::kinds::{Account, Kinds};
use tokio::sync::mpsc;
use tokio::time::timeout;
use zeroize::Zeroizing;

const LIMIT: Duration = Duration::from_secs(20);
const SECRET: &[u8] = b"a secret of the session";

/// What a session was given at its start.
type Given = BTreeMap<String, Kept>;

/// The simulated handler with a session of its own: the first one keeps something and breaks by a mistake.
struct Keeper {
    inner: Arc<dyn Handler>,
    /// Whether the next look breaks off by a mistake.
    breaks: Arc<AtomicBool>,
    begun: mpsc::UnboundedSender<(Arc<dyn SessionHost>, Given)>,
}

#[async_trait]
impl Handler for Keeper {
    fn validate(&self, service: &ServiceSpec) -> Result<(), Error> {
        self.inner.validate(service)
    }

    async fn form(&self, first: &Member) -> Result<Present, Failure> {
        self.inner.form(first).await
    }

    async fn look_up_cluster(&self, first: &Member) -> Result<Option<Present>, Failure> {
        self.inner.look_up_cluster(first).await
    }

    async fn join(&self, members: &[Member], machine: &Member) -> Result<Present, Failure> {
        self.inner.join(members, machine).await
    }

    async fn look_up_node(&self, members: &[Member], machine: &Member) -> Result<Option<Present>, Failure> {
        self.inner.look_up_node(members, machine).await
    }

    async fn step(&self, members: &[Member], machine: &Member, step: MachineStep) -> Result<(), Failure> {
        self.inner.step(members, machine, step).await
    }

    async fn remove_node(&self, members: &[Member], node: &str, machine: Option<&Member>) -> Result<(), Failure> {
        self.inner.remove_node(members, node, machine).await
    }

    async fn deploy(&self, members: &[Member], order: &ServiceOrder) -> Result<Present, Failure> {
        self.inner.deploy(members, order).await
    }

    async fn look_up_service(&self, members: &[Member], service: &Name) -> Result<Option<Present>, Failure> {
        self.inner.look_up_service(members, service).await
    }

    async fn remove_service(&self, members: &[Member], service: &Name) -> Result<(), Failure> {
        self.inner.remove_service(members, service).await
    }

    async fn observe(&self, members: &[Member]) -> Result<OrchestratorView, Failure> {
        assert!(!self.breaks.swap(false, Ordering::SeqCst), "a mistake");
        self.inner.observe(members).await
    }

    async fn logs(
        &self,
        members: &[Member],
        service: &Name,
        follow: bool,
        tail: Option<u32>,
    ) -> Result<BoxStream<'static, Result<LogLine, Failure>>, Failure> {
        self.inner.logs(members, service, follow, tail).await
    }

    async fn session(&self, host: Arc<dyn SessionHost>, kept: Given) -> Failure {
        let is_first = kept.is_empty();
        self.begun.send((host.clone(), kept)).unwrap();
        if is_first {
            host.keep("plain", Some(Kept::Plain(vec![1, 2]))).await.unwrap();
            host.keep("sealed", Some(Kept::Sealed(Zeroizing::new(SECRET.to_vec())))).await.unwrap();
            panic!("a mistake");
        }
        std::future::pending().await
    }
}

struct KeeperKinds {
    world: SimWorld,
    breaks: Arc<AtomicBool>,
    begun: mpsc::UnboundedSender<(Arc<dyn SessionHost>, Given)>,
}

#[async_trait]
impl Kinds for KeeperKinds {
    fn driver(&self, _: Infrastructure, _: Option<&Account>) -> Result<Arc<dyn Driver>, Error> {
        Ok(self.world.driver())
    }

    fn preparer(&self, _: Orchestrator, _: Infrastructure) -> Result<Arc<dyn Preparer>, Error> {
        Ok(self.world.preparer())
    }

    fn rollout(&self, _: Orchestrator) -> Result<Arc<dyn Rollout>, Error> {
        Ok(Arc::new(OneAfterTheOther))
    }

    fn handler(&self, context: Arc<ClusterContext>) -> Result<Arc<dyn Handler>, Error> {
        let (inner, breaks) = (self.world.handler(context), self.breaks.clone());
        Ok(Arc::new(Keeper { inner, breaks, begun: self.begun.clone() }))
    }
}

async fn start(dir: &Path, kinds: KeeperKinds) -> Bare {
    Bare::start(dir, Clock::system(), Arc::new(kinds), |store| Arc::new(store.clone())).await
}

fn expected() -> Given {
    let sealed = Kept::Sealed(Zeroizing::new(SECRET.to_vec()));
    Given::from([("plain".to_owned(), Kept::Plain(vec![1, 2])), ("sealed".to_owned(), sealed)])
}

#[tokio::test]
async fn what_a_session_keeps_comes_back_after_its_mistake_and_after_a_restart_and_goes_with_the_cluster() {
    let dir = tempfile::tempdir().unwrap();
    let world = SimWorld::new(SimOptions::default());
    let (begun, mut sessions) = mpsc::unbounded_channel();
    let kinds = || KeeperKinds { world: world.clone(), breaks: Arc::default(), begun: begun.clone() };
    let name: Name = "demo".parse().unwrap();

    let daemon = start(dir.path(), kinds()).await;
    let spec = ClusterSpec::new(name.clone(), Orchestrator::Sim, Infrastructure::Sim);
    daemon.ask(Request::ClusterCreate { spec, idempotency_key: None }).await.unwrap();
    let (_, given) = timeout(LIMIT, sessions.recv()).await.unwrap().unwrap();
    assert_eq!(given, Given::new());
    let (_, given) = timeout(LIMIT, sessions.recv()).await.unwrap().unwrap();
    assert_eq!(given, expected(), "the session that follows a mistake is given what was kept");
    daemon.stop().await;

    let daemon = start(dir.path(), kinds()).await;
    let (host, given) = timeout(LIMIT, sessions.recv()).await.unwrap().unwrap();
    assert_eq!(given, expected());
    host.keep("plain", None).await.unwrap();
    host.keep("sealed", Some(Kept::Plain(vec![3]))).await.unwrap();
    assert_eq!(daemon.store.scan::<StoredKept>(&[]).await.unwrap().len(), 1);
    let cluster = daemon.cluster(&name).state.id();
    let vault = &daemon.core.app.provisioner.shared.vault;
    assert_eq!(vault.kept(cluster, "sealed").await.unwrap(), None, "a value that is no longer sealed leaves the vault");

    daemon.ask(Request::ClusterDelete { cluster: name, idempotency_key: None }).await.unwrap();
    let gone = async {
        while !daemon.store.scan::<StoredKept>(&[]).await.unwrap().is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(LIMIT, gone).await.unwrap();
    daemon.stop().await;
}

#[tokio::test]
async fn a_look_that_breaks_off_by_a_mistake_is_followed_by_the_next_one() {
    let dir = tempfile::tempdir().unwrap();
    let (begun, _sessions) = mpsc::unbounded_channel();
    let breaks = Arc::new(AtomicBool::new(true));
    let kinds = KeeperKinds { world: SimWorld::new(SimOptions::default()), breaks: breaks.clone(), begun };
    let daemon = start(dir.path(), kinds).await;
    let name: Name = "demo".parse().unwrap();
    let spec = ClusterSpec::new(name.clone(), Orchestrator::Sim, Infrastructure::Sim);
    daemon.ask(Request::ClusterCreate { spec, idempotency_key: None }).await.unwrap();
    daemon.until_ready(&name, LIMIT).await;
    assert!(!breaks.load(Ordering::SeqCst), "a look broke off");
    daemon.stop().await;
}
