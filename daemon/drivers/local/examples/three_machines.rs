//! Makes three machines at once, prepares them for Swarm, removes them, and says how long each took.
//! Needs the Docker Engine and Muster's machine image.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement ends at the first surprise")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::join_all;
use muster_driver_local::{LocalDriver, LocalOptions};
use muster_engine::context::ClusterContext;
use muster_engine::driver::{Driver, MachineOrder};
use muster_engine::ledger::{Facts, MachineAccess, Present, ResourceKey};
use muster_engine::preparer::Preparer;
use muster_protocol::model::cluster::{ClusterSpec, Infrastructure, MachineShape, Orchestrator};
use muster_protocol::model::host::Role;
use muster_protocol::{ClusterId, InstanceId, Name};
use muster_provision::material;
use muster_provision::ssh::Session;
use muster_provision::{PreparerOptions, SwarmPreparer};

fn access(present: &Present) -> &MachineAccess {
    match &present.facts {
        Facts::Machine(access) => access,
        Facts::None | Facts::Service { .. } => panic!("no machine"),
    }
}

#[tokio::main]
async fn main() {
    let spec = ClusterSpec {
        name: "timing".parse().unwrap(),
        orchestrator: Orchestrator::Swarm,
        infrastructure: Infrastructure::Local,
        account: None,
        version: None,
        control_planes: 1,
        workers: 2,
        machine: MachineShape::default(),
        labels: Default::default(),
    };
    let material = material::create(&spec.name).unwrap();
    let cluster = ClusterContext { instance: InstanceId::generate(), cluster: ClusterId::generate(), spec, material };
    let plain = std::env::args().any(|argument| argument == "--plain");
    let driver = LocalDriver::new(LocalOptions { plain, ..LocalOptions::default() });
    let names: Vec<Name> = (1..=3).map(|number| format!("machine-{number}").parse().unwrap()).collect();
    let order = |key| MachineOrder { key, role: Some(Role::Worker), shape: MachineShape::default(), attempt: 1 };
    let login_key = cluster.material.get(material::SSH_KEY).unwrap();

    let began = Instant::now();
    let lap = |what: &str| println!("{what:<28} {:6.2} s", began.elapsed().as_secs_f64());
    let say = move |_: &ClusterContext, machine: &Name, step: &str, line: &str| {
        println!("    {:6.2} s {machine} {step}: {line}", began.elapsed().as_secs_f64());
    };
    let preparer = SwarmPreparer::new(PreparerOptions::default()).with_progress(Arc::new(say));
    driver.create(&cluster, &order(ResourceKey::Network)).await.unwrap();
    lap("network made");
    let make = |name: &Name| {
        let (driver, cluster, order) = (&driver, &cluster, order(ResourceKey::Machine(name.clone())));
        async move { driver.create(cluster, &order).await.unwrap() }
    };
    let machines = join_all(names.iter().map(make)).await;
    lap("three machines made");
    let answer =
        |machine| async move { Session::open(access(machine), login_key, Duration::from_secs(60)).await.unwrap() };
    for session in join_all(machines.iter().map(answer)).await {
        session.close().await;
    }
    lap("three sshd answered");
    let prepare = async || {
        let prepared = names.iter().zip(&machines);
        let prepared = prepared.map(|(name, machine)| preparer.prepare(&cluster, name, Role::Worker, access(machine)));
        for prepared in join_all(prepared).await {
            prepared.unwrap();
        }
    };
    prepare().await;
    lap("three prepared");
    prepare().await;
    lap("three recognised as prepared");
    let keys = names.iter().cloned().map(ResourceKey::Machine);
    let remove = async |key: ResourceKey| driver.remove(&cluster, &key, "").await.unwrap();
    join_all(keys.map(remove)).await;
    lap("three machines removed");
    driver.remove(&cluster, &ResourceKey::Network, "").await.unwrap();
    lap("network removed");
    assert_eq!(driver.list_owned(cluster.instance, None).await.unwrap(), []);
}
