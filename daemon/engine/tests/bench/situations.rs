//! What tests begin with and wait for.

use std::time::Duration;

use muster_engine::desired::machine_name;
use muster_engine::ledger::ResourceKey;
use muster_engine::state::ServiceChange;
use muster_protocol::model::cluster::{ClusterPhase, ClusterSpec, Infrastructure, Orchestrator};
use muster_protocol::model::host::Role;
use muster_protocol::model::operation::OperationInfo;
use muster_protocol::model::service::ServiceSpec;

use super::{Bench, CLUSTER, INSTANCE};

pub fn spec(control_planes: u32, workers: u32) -> ClusterSpec {
    let blank = ClusterSpec::new("demo".parse().unwrap(), Orchestrator::Sim, Infrastructure::Sim);
    ClusterSpec { control_planes, workers, ..blank }
}

pub fn service(name: &str, image: &str, replicas: u32) -> ServiceChange {
    let text = format!(r#"{{"name": "{name}", "image": "{image}", "replicas": {replicas}}}"#);
    let spec: ServiceSpec = serde_json::from_str(&text).unwrap();
    ServiceChange { spec, secrets_version: 0, template: None }
}

/// Runs a history with a clock that jumps over waiting.
pub fn run<T>(history: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(history)
}

pub const HOUR: Duration = Duration::from_secs(3600);

/// A cluster that came to be ready.
pub async fn ready(control_planes: u32, workers: u32) -> Bench {
    until_ready(Bench::create(control_planes, workers, 1)).await
}

/// The same on a public cloud.
pub async fn ready_on_a_cloud(control_planes: u32, workers: u32) -> Bench {
    until_ready(Bench::create_on_a_cloud(control_planes, workers, 1)).await
}

async fn until_ready(mut bench: Bench) -> Bench {
    let is_ready = bench.run_until(HOUR, |bench| bench.phase() == ClusterPhase::Ready).await;
    assert!(is_ready, "{}", bench.gates());
    bench
}

pub async fn ended(bench: &mut Bench, operation: &OperationInfo) -> OperationInfo {
    let ended = bench.run_until(HOUR, |bench| bench.end_of(operation).is_some()).await;
    assert!(ended, "{} never ends:\n{}", operation.kind, bench.gates());
    bench.end_of(operation).unwrap().clone()
}

pub fn lose(bench: &Bench, role: Role, number: u32) {
    let key = ResourceKey::for_machine(machine_name(role, number));
    let machines = bench.world.resources(INSTANCE, CLUSTER);
    let (_, id) = machines.into_iter().find(|(other, _)| *other == key).unwrap();
    assert!(bench.world.lose(CLUSTER, &id));
}
