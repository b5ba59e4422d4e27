//! Supervisors whose journal does not say whether it has written: they go on from what is on disk, after growing delays.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail as tests do")]

mod bare;
#[path = "gateway/support.rs"]
#[allow(dead_code, reason = "the tests of the gateway use the rest")]
mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bare::Bare;
use muster_engine::action::{Action, Outcome};
use muster_engine::desired::machine_name;
use muster_engine::ledger::ResourceKey;
use muster_engine::sim::{SimOptions, SimWorld};
use muster_protocol::model::cluster::ClusterPhase;
use muster_protocol::model::host::Role as HostRole;
use muster_protocol::{Error, Request};
use muster_store::{Batch, CommitError, Committed, Store};
use musterd::board::Pinned;
use musterd::clock::Clock;
use musterd::cluster::message::SupervisorMessage;
use musterd::config::Config;
use musterd::journal::Journal;
use support::{kinds, name, places, spec};
use tempfile::TempDir;
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep};

/// What the journal says of a batch.
#[derive(Clone, Copy, PartialEq)]
enum Says {
    /// What has become of it.
    AsItIs,
    /// That it may be on disk.
    Maybe {
        /// Whether it is.
        written: bool,
    },
}

/// The store, behind a journal that may not know what it did.
struct Doubtful {
    store: Store,
    says: Mutex<Says>,
    /// When it did not know.
    doubts: Mutex<Vec<Instant>>,
}

impl Doubtful {
    fn say(&self, says: Says) {
        *self.says.lock().unwrap() = says;
    }

    /// How long it was between one doubt and the next, since the last time that this was asked.
    fn take_pauses(&self) -> Vec<Duration> {
        let doubts = std::mem::take(&mut *self.doubts.lock().unwrap());
        doubts.windows(2).map(|pair| pair[1] - pair[0]).collect()
    }
}

#[async_trait]
impl Journal for Doubtful {
    async fn write(&self, batch: Batch) -> Result<Committed, CommitError> {
        let says = *self.says.lock().unwrap();
        let maybe = || CommitError::MaybeApplied { cause: "fsync: EIO".to_owned() };
        if says != Says::AsItIs {
            self.doubts.lock().unwrap().push(Instant::now());
        }
        if says == (Says::Maybe { written: false }) {
            return Err(maybe());
        }
        let writing = self.store.commit(batch);
        // A blocking task, for while one is under way a paused clock does not run ahead.
        let written = spawn_blocking(|| Handle::current().block_on(writing)).await.unwrap();
        if says == Says::AsItIs { written } else { Err(maybe()) }
    }
}

/// The core of a daemon with such a journal.
struct Bench {
    daemon: Bare,
    journal: Arc<Doubtful>,
    world: SimWorld,
    _folder: TempDir,
}

impl Bench {
    async fn start(clock: Clock) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (says, doubts) = (Mutex::new(Says::AsItIs), Mutex::default());
        let world = SimWorld::new(SimOptions { rollout: Duration::from_millis(10), ..SimOptions::default() });
        let kinds = kinds(&Config::default(), &places(&folder), &world);
        let mut journal = None;
        let daemon = Bare::start(folder.path(), clock, kinds, |store| {
            journal.insert(Arc::new(Doubtful { store: store.clone(), says, doubts })).clone()
        });
        let daemon = daemon.await;
        Self { daemon, journal: journal.unwrap(), world, _folder: folder }
    }

    async fn ask(&self, request: Request) -> Result<(), Error> {
        self.daemon.ask(request).await
    }

    async fn create(&self) {
        self.ask(Request::ClusterCreate { spec: spec("demo"), idempotency_key: None }).await.unwrap();
    }

    async fn scale(&self, workers: u32) -> Result<(), Error> {
        let (cluster, workers) = (name("demo"), Some(workers));
        self.ask(Request::ClusterScale { cluster, control_planes: None, workers, idempotency_key: None }).await
    }

    fn cluster(&self) -> Pinned {
        self.daemon.cluster(&name("demo"))
    }

    async fn until_ready(&self) {
        self.daemon.until_ready(&name("demo"), support::LIMIT).await;
    }

    fn machines(&self) -> usize {
        let things = self.world.resources(self.daemon.core.app.provisioner.instance, self.cluster().state.id());
        things.iter().filter(|(key, _)| matches!(key, ResourceKey::Infra(key) if key.machine().is_some())).count()
    }

    async fn stop(self) {
        self.daemon.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_that_may_be_on_disk_is_said_to_be_so_and_the_cluster_becomes_what_the_disk_says() {
    for written in [true, false] {
        let bench = Bench::start(Clock::tokio()).await;
        bench.create().await;
        bench.until_ready().await;
        bench.journal.say(Says::Maybe { written });
        let refused = bench.scale(4).await.unwrap_err();
        assert!(refused.is_maybe_applied(), "{refused}");
        bench.journal.say(Says::AsItIs);
        // Longer than a supervisor takes to start again.
        sleep(Duration::from_secs(60)).await;
        bench.until_ready().await;
        let workers = if written { 4 } else { 2 };
        assert_eq!(bench.cluster().state.record.desired.spec.workers, workers, "written: {written}");
        assert_eq!(bench.machines(), 1 + workers as usize, "written: {written}");
        bench.scale(3).await.unwrap();
        bench.until_ready().await;
        bench.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_supervisor_that_fails_again_and_again_starts_after_growing_delays_and_soon_once_it_was_well() {
    let bench = Bench::start(Clock::tokio()).await;
    bench.create().await;
    bench.journal.say(Says::Maybe { written: false });
    sleep(Duration::from_secs(150)).await;
    bench.journal.say(Says::AsItIs);
    // What the delays are beyond, the loop needs to come to its next write.
    let seconds = |pauses: Vec<Duration>| pauses.iter().map(|pause| pause.as_millis() / 100).collect::<Vec<_>>();
    let pauses = seconds(bench.journal.take_pauses());
    assert_eq!(pauses[..11], [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300], "tenths of a second");

    sleep(Duration::from_secs(120)).await;
    bench.until_ready().await;
    bench.journal.say(Says::Maybe { written: false });
    bench.scale(4).await.unwrap_err();
    bench.journal.say(Says::AsItIs);
    let failed_at = Instant::now();
    while bench.scale(4).await.is_err() {
        sleep(Duration::from_millis(10)).await;
    }
    assert!(failed_at.elapsed() < Duration::from_secs(1), "it was well: {:?}", failed_at.elapsed());
    bench.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_late_result_of_a_call_that_nobody_waits_for_changes_nothing() {
    let bench = Bench::start(Clock::tokio()).await;
    bench.create().await;
    bench.until_ready().await;
    let before = bench.cluster();
    let supervisor = before.supervisor.as_ref().expect("the cluster has a supervisor");
    let worker = ResourceKey::for_machine(machine_name(HostRole::Worker, 1));
    // Heeded, each would cost a machine, its node or its readiness.
    let results = [
        (Action::LookUp(worker.clone()), Outcome::Absent),
        (Action::Remove(worker), Outcome::Done),
        (Action::Remove(ResourceKey::Node(machine_name(HostRole::Worker, 1))), Outcome::Done),
    ];
    for (action, outcome) in results {
        supervisor.cast(SupervisorMessage::Finished(action, outcome)).unwrap();
    }
    sleep(Duration::from_secs(60)).await;
    let after = bench.cluster();
    assert_eq!((&after.state.ledger, after.state.record.phase), (&before.state.ledger, ClusterPhase::Ready));
    bench.stop().await;
}
