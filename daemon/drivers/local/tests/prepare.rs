//! Machines prepared for Swarm over real SSH (`MUSTER_TEST_DOCKER=1`).

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test ends at the first surprise, and says what it saw")]

mod support;

use std::time::{Duration, Instant};

use muster_engine::failure::Failure;
use muster_engine::ledger::{MachineAccess, Present, StepRun};
use muster_engine::preparer::{Preparer, StepOrder};
use muster_engine::recipe::{MachineStep, Prepared, Recipes};
use muster_protocol::model::host::Role;
use muster_protocol::{ErrorCode, Retry};
use muster_provision::ssh::Command;
use muster_provision::ssh_key::HostKey;
use muster_provision::{PreparerOptions, SwarmPreparer};
use support::{Lab, access, name, with_cluster};

/// When the engine was last started.
const ENGINE_STARTED: &str = "systemctl show docker.service -p ActiveEnterTimestampMonotonic --value";

/// Prepares the machine, as its `run`th step.
async fn prepare(lab: &Lab, machine: &str, access: &MachineAccess, run: u32) -> Result<(), Failure> {
    let options =
        PreparerOptions { insecure_registries: vec!["{gateway}:5000".to_owned()], ..PreparerOptions::default() };
    let preparer = SwarmPreparer::new(options);
    let recipe = preparer.offered(&lab.cluster.spec);
    let target = Prepared { recipe, role: Role::Worker, peers: String::new() };
    let order = StepOrder {
        machine: name(machine),
        role: Role::Worker,
        access: access.clone(),
        run: StepRun { step: MachineStep::Prepare, target, run },
        peers: Vec::new(),
        endpoint: None,
        renewal: 0,
    };
    let began = Instant::now();
    let result = preparer.perform(&lab.cluster, &order).await;
    println!("prepared {machine} in {:.2} s", began.elapsed().as_secs_f64());
    result
}

async fn output(lab: &Lab, machine: &Present, line: &str) -> String {
    let session = lab.log_in(&access(machine)).await;
    let command = Command { name: "look", line, stdin: "".into(), limit: Duration::from_secs(120) };
    let outcome = session.run(command, &|_| ()).await.unwrap().success("look").unwrap();
    session.close().await;
    outcome.lines.join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preparation_runs_once_and_another_one_mends_what_is_down() {
    with_cluster("a_preparation_runs_once_and_another_one_mends_what_is_down", false, |lab| async move {
        lab.create_network().await;
        let machine = lab.create_machine("worker-1").await;
        prepare(&lab, "worker-1", &access(&machine), 1).await.unwrap();
        let started = output(&lab, &machine, ENGINE_STARTED).await;
        // The step of this number has ended, and does not run again.
        prepare(&lab, "worker-1", &access(&machine), 1).await.unwrap();
        assert_eq!(output(&lab, &machine, ENGINE_STARTED).await, started);

        // Another step brings back an engine that is down.
        output(&lab, &machine, "systemctl stop docker.service docker.socket").await;
        prepare(&lab, "worker-1", &access(&machine), 2).await.unwrap();
        assert_ne!(output(&lab, &machine, ENGINE_STARTED).await, started);

        let key_mode = output(&lab, &machine, "stat -c %a /etc/docker/muster/server-key.pem").await;
        assert_eq!(key_mode, "600");
        let registries = output(&lab, &machine, "docker info --format '{{json .RegistryConfig.InsecureRegistryCIDRs}}{{json .RegistryConfig.IndexConfigs}}'").await;
        let gateway = output(&lab, &machine, "ip -4 route show default | cut -d' ' -f3").await;
        assert!(registries.contains(&format!("{gateway}:5000")), "{registries}");
        // Nobody gets in without the cluster's client certificate.
        let stranger = output(&lab, &machine, "curl -sk -o /dev/null https://127.0.0.1:2376/_ping || echo refused").await;
        assert_eq!(stranger, "refused");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_machine_gets_its_docker_engine_installed() {
    with_cluster("a_plain_machine_gets_its_docker_engine_installed", true, |lab| async move {
        lab.create_network().await;
        let machine = lab.create_machine("worker-1").await;
        assert_eq!(output(&lab, &machine, "command -v dockerd || echo none").await, "none");
        prepare(&lab, "worker-1", &access(&machine), 1).await.unwrap();
        assert_eq!(output(&lab, &machine, "systemctl is-enabled docker.service").await, "enabled");
        output(&lab, &machine, "docker swarm init >/dev/null && docker node ls").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_with_another_host_key_is_refused_at_once() {
    with_cluster("a_machine_with_another_host_key_is_refused_at_once", true, |lab| async move {
        lab.create_network().await;
        let machine = lab.create_machine("worker-1").await;
        lab.log_in(&access(&machine)).await.close().await;
        let other = HostKey::derive(&lab.cluster.material, &name("worker-2")).unwrap();
        let wrong = MachineAccess { host_key: other.public_text().unwrap(), ..access(&machine) };
        let failure = prepare(&lab, "worker-1", &wrong, 1).await.unwrap_err();
        assert_eq!((failure.code, failure.retry), (ErrorCode::Preparation, Retry::Never));
        assert!(failure.message.contains("host key"), "{failure}");
    })
    .await;
}
