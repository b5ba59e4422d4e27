//! Machines prepared for Swarm over real SSH (`MUSTER_TEST_DOCKER=1`).

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test ends at the first surprise, and says what it saw")]

mod support;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use muster_engine::failure::Failure;
use muster_engine::ledger::{MachineAccess, Present};
use muster_engine::preparer::Preparer;
use muster_protocol::model::host::Role;
use muster_protocol::{ErrorCode, Retry};
use muster_provision::ssh::Command;
use muster_provision::ssh_key::HostKey;
use muster_provision::{PreparerOptions, SwarmPreparer};
use support::{Lab, access, name, with_cluster};

/// Prepares the machine and says which steps ran.
async fn prepare(lab: &Lab, machine: &str, access: &MachineAccess) -> (Result<(), Failure>, Vec<String>) {
    let steps = Arc::new(Mutex::new(Vec::<String>::new()));
    let seen = Arc::clone(&steps);
    let options =
        PreparerOptions { insecure_registries: vec!["{gateway}:5000".to_owned()], ..PreparerOptions::default() };
    let preparer = SwarmPreparer::new(options).with_progress(Arc::new(move |_, _, step, line| {
        println!("{step}: {line}");
        let mut steps = seen.lock().unwrap();
        if steps.last().map(String::as_str) != Some(step) {
            steps.push(step.to_owned());
        }
    }));
    let began = Instant::now();
    let result = preparer.prepare(&lab.cluster, &name(machine), Role::Worker, access).await;
    println!("prepared {machine} in {:.2} s", began.elapsed().as_secs_f64());
    let steps = steps.lock().unwrap().clone();
    (result, steps)
}

async fn output(lab: &Lab, machine: &Present, line: &str) -> String {
    let session = lab.log_in(&access(machine)).await;
    let command = Command { name: "look", line, stdin: "".into(), limit: Duration::from_secs(120) };
    let outcome = session.run(command, &|_| ()).await.unwrap().success("look").unwrap();
    session.close().await;
    outcome.lines.join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_is_prepared_once_and_recognised_after_that() {
    with_cluster("a_machine_is_prepared_once_and_recognised_after_that", false, |lab| async move {
        lab.create_network().await;
        let machine = lab.create_machine("worker-1").await;
        let (result, steps) = prepare(&lab, "worker-1", &access(&machine)).await;
        result.unwrap();
        assert_eq!(steps, ["check", "install-docker", "activate"]);
        let (result, steps) = prepare(&lab, "worker-1", &access(&machine)).await;
        result.unwrap();
        assert_eq!(steps, ["check"]);

        // The marker alone is not believed: an engine that is down is brought back.
        output(&lab, &machine, "systemctl stop docker.service docker.socket").await;
        let (result, steps) = prepare(&lab, "worker-1", &access(&machine)).await;
        result.unwrap();
        assert_eq!(steps, ["check", "install-docker", "activate"]);

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
        let (result, steps) = prepare(&lab, "worker-1", &access(&machine)).await;
        result.unwrap();
        assert_eq!(steps, ["check", "install-docker", "activate"]);
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
        let (result, steps) = prepare(&lab, "worker-1", &wrong).await;
        let failure = result.unwrap_err();
        assert_eq!((failure.code, failure.retry), (ErrorCode::Preparation, Retry::Never));
        assert!(failure.message.contains("host key"), "{failure}");
        assert!(steps.is_empty());
    })
    .await;
}
