//! How long a large create takes beside the longest chain of its steps: real supervisors with the default limits, a simulated
//! cloud with the latencies of a real one, and a clock that jumps over waiting.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail as tests do")]

mod bare;
#[path = "gateway/support.rs"]
#[allow(dead_code, reason = "the tests of the gateway use the rest")]
mod support;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bare::Bare;
use muster_engine::sim::{Call, CallKind, Fault, SimOptions, SimWorld};
use muster_protocol::Request;
use muster_protocol::model::cluster::ClusterSpec;
use muster_store::{Batch, CommitError, Committed, Store};
use musterd::clock::Clock;
use musterd::config::Config;
use musterd::journal::Journal;
use support::{kinds, name, places, spec};
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;
use tokio::time::Instant;

const CONTROL_PLANES: u32 = 3;
const WORKERS: u32 = 50 - CONTROL_PLANES;
/// Far above what anything here takes, on the clock that jumps.
const LIMIT: Duration = Duration::from_secs(3600);
/// To install an engine on a machine and to set it up.
const PREPARATION: Duration = Duration::from_secs(40);

/// What a call of this kind takes at EC2, and on a machine there.
fn latency(call: &Call) -> Option<Fault> {
    let milliseconds = match call.kind {
        // From the call to an SSH server that answers.
        CallKind::Create if call.key.as_ref().is_some_and(|key| key.machine().is_some()) => 35_000,
        CallKind::Create => 800,
        CallKind::LookUp | CallKind::ObserveMachines => 300,
        CallKind::Form => 4_000,
        CallKind::Join => 3_000,
        CallKind::ObserveOrchestrator => 100,
        CallKind::Preflight
        | CallKind::Start
        | CallKind::Remove
        | CallKind::ListOwned
        | CallKind::Prepare
        | CallKind::LookUpCluster
        | CallKind::LookUpNode
        | CallKind::Step
        | CallKind::RemoveNode
        | CallKind::Deploy
        | CallKind::LookUpService
        | CallKind::RemoveService
        | CallKind::Logs
        | CallKind::ListTasks
        | CallKind::Launch
        | CallKind::Kill => return None,
    };
    Some(Fault::Slow(Duration::from_millis(milliseconds)))
}

/// The same behind the pace of the EC2 driver: ten seconds' worth of changes at once, then one every 400 ms.
fn latency_with_pace() -> impl FnMut(&Call) -> Option<Fault> + Send + 'static {
    const BETWEEN: Duration = Duration::from_millis(400);
    const BURST: Duration = Duration::from_secs(10);
    let mut booked = Instant::now();
    move |call| {
        let (now, fault) = (Instant::now(), latency(call));
        let (CallKind::Create, Some(Fault::Slow(takes))) = (call.kind, &fault) else { return fault };
        booked = booked.max(now) + BETWEEN;
        Some(Fault::Slow((booked - now).saturating_sub(BURST) + *takes))
    }
}

/// The store. While a blocking task is under way, a paused clock does not run ahead.
struct OnDisk(Store);

#[async_trait]
impl Journal for OnDisk {
    async fn write(&self, batch: Batch) -> Result<Committed, CommitError> {
        let writing = self.0.commit(batch);
        spawn_blocking(|| Handle::current().block_on(writing)).await.unwrap()
    }
}

/// From asking for a cluster with so many workers to its being ready.
async fn makespan(workers: u32, latency: impl FnMut(&Call) -> Option<Fault> + Send + 'static) -> Duration {
    let folder = tempfile::tempdir().unwrap();
    let world = SimWorld::new(SimOptions { is_cloud: true, step: PREPARATION, ..SimOptions::default() });
    world.inject(latency);
    let kinds = kinds(&Config::default(), &places(&folder), &world);
    let daemon = Bare::start(folder.path(), Clock::tokio(), kinds, |store| Arc::new(OnDisk(store.clone()))).await;

    let began = Instant::now();
    let spec = ClusterSpec { control_planes: CONTROL_PLANES, workers, ..spec("demo") };
    daemon.ask(Request::ClusterCreate { spec, idempotency_key: None }).await.unwrap();
    daemon.until_ready(&name("demo"), LIMIT).await;
    let took = began.elapsed();
    daemon.stop().await;
    took
}

#[tokio::test(start_paused = true)]
async fn fifty_machines_take_no_longer_than_the_longest_chain_of_their_steps() {
    // The longest chain goes through all control planes and ends with a worker, however many there are.
    let chain = makespan(1, latency).await;
    let fifty = makespan(WORKERS, latency).await;
    let ratio = fifty.as_secs_f64() / chain.as_secs_f64();
    println!("50 machines: {:.1} s; the longest chain: {:.1} s; {ratio:.2}", fifty.as_secs_f64(), chain.as_secs_f64());
    assert!(ratio <= 1.1, "50 machines take {fifty:?}, and their longest chain takes {chain:?}");
}

#[tokio::test(start_paused = true)]
async fn the_pace_of_an_account_adds_no_more_than_its_changes_have_to_wait() {
    let chain = makespan(1, latency_with_pace()).await;
    let fifty = makespan(WORKERS, latency_with_pace()).await;
    println!(
        "50 machines at the pace of EC2's driver: {:.1} s; the longest chain: {:.1} s",
        fifty.as_secs_f64(),
        chain.as_secs_f64()
    );
    // About 60 changes, of which 25 may come at once.
    assert!(
        fifty <= chain + Duration::from_secs(15),
        "50 machines take {fifty:?}, and their longest chain takes {chain:?}"
    );
}
