//! The driver on the real Docker Engine (`MUSTER_TEST_DOCKER=1`).

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test ends at the first surprise, and says what it saw")]

mod support;

use std::time::Duration;

use bollard::Docker;
use bollard::models::{ContainerCreateBody, Volume};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, InspectContainerOptions, ListVolumesOptionsBuilder, RemoveContainerOptionsBuilder,
    StopContainerOptions,
};
use muster_driver_local::{LocalDriver, LocalOptions, PLAIN_IMAGE};
use muster_engine::context::mark;
use muster_engine::driver::Driver;
use muster_engine::failure::Certainty;
use muster_engine::observed::Power;
use muster_protocol::model::cluster::MachineShape;
use muster_protocol::quantity::{Bytes, CpuMillis};
use muster_protocol::{ErrorCode, Retry};
use muster_provision::ssh::Command;
use support::proxy::{self, Break};
use support::{Lab, access, guest, key, with_cluster};

fn docker() -> Docker {
    Docker::connect_with_unix_defaults().unwrap()
}

/// The driver with a way to the engine that breaks at one call.
fn breaking_driver(directory: &tempfile::TempDir, breaking: Break) -> LocalDriver {
    let docker_socket = proxy::start(directory.path(), breaking);
    LocalDriver::new(LocalOptions { docker_socket, plain: true, ..LocalOptions::default() })
}

async fn volumes(lab: &Lab) -> Vec<Volume> {
    let label = format!("{}={}", mark::INSTANCE, lab.cluster.instance);
    let filters = std::collections::HashMap::from([("label", vec![label])]);
    let options = ListVolumesOptionsBuilder::new().filters(&filters).build();
    docker().list_volumes(Some(options)).await.unwrap().volumes.unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_boots_lets_us_in_and_goes_without_a_trace() {
    with_cluster("a_machine_boots_lets_us_in_and_goes_without_a_trace", true, |lab| async move {
        let network = lab.create_network().await;
        let machine = lab.create_machine("worker-1").await;
        assert_eq!(lab.powers().await, [("worker-1".to_owned(), Power::Running)]);
        assert_eq!(lab.driver.look_up(&lab.cluster, &key("worker-1")).await.unwrap().as_ref(), Some(&machine));
        assert_eq!(lab.driver.look_up(&lab.cluster, &support::network()).await.unwrap(), Some(network.clone()));

        let session = lab.log_in(&access(&machine)).await;
        let command = Command { name: "hostname", line: "hostname", stdin: "".into(), limit: Duration::from_secs(60) };
        assert_eq!(session.run(command, &|_| ()).await.unwrap().lines, ["lab-worker-1"]);

        let owned = lab.driver.list_owned(lab.cluster.instance, Some(lab.cluster.cluster)).await.unwrap();
        assert_eq!(owned.len(), 2, "{owned:?}");
        assert!(!volumes(&lab).await.is_empty());
        for (key, id) in [(key("worker-1"), &machine.id), (support::network(), &network.id)] {
            lab.driver.remove(&lab.cluster, &key, id).await.unwrap();
            assert_eq!(lab.driver.look_up(&lab.cluster, &key).await.unwrap(), None);
            // Already gone is a success.
            lab.driver.remove(&lab.cluster, &key, id).await.unwrap();
        }
        assert_eq!(volumes(&lab).await, []);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn creating_twice_even_at_once_makes_one() {
    with_cluster("creating_twice_even_at_once_makes_one", true, |lab| async move {
        let (one, other) = tokio::join!(lab.create_network(), lab.create_network());
        assert_eq!(one, other);
        let (one, other) = tokio::join!(lab.create_machine("worker-1"), lab.create_machine("worker-1"));
        assert_eq!(one, other);
        assert_eq!(lab.create_machine("worker-1").await, one);
        let owned = lab.driver.list_owned(lab.cluster.instance, None).await.unwrap();
        assert_eq!(owned.len(), 2, "{owned:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_machine_starts_again_at_its_own_address() {
    with_cluster("a_stopped_machine_starts_again_at_its_own_address", true, |lab| async move {
        lab.create_network().await;
        let machine = lab.create_machine("worker-1").await;
        docker().stop_container(&machine.id, None::<StopContainerOptions>).await.unwrap();
        assert_eq!(lab.powers().await, [("worker-1".to_owned(), Power::Stopped)]);

        // Looking at it does not start it: somebody may have stopped it on purpose.
        assert_eq!(lab.driver.look_up(&lab.cluster, &key("worker-1")).await.unwrap(), Some(machine.clone()));
        assert_eq!(lab.powers().await, [("worker-1".to_owned(), Power::Stopped)]);

        // The engine would give away a stopped container's address.
        let other = lab.create_machine("worker-2").await;
        assert_ne!(access(&other).address, access(&machine).address);

        let started = lab.driver.start(&lab.cluster, &key("worker-1"), &machine.id).await.unwrap();
        assert_eq!(started, machine);
        // Starting one that runs leaves it alone.
        lab.driver.start(&lab.cluster, &key("worker-1"), &machine.id).await.unwrap();
        lab.log_in(&access(&machine)).await.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_of_the_same_name_that_is_not_ours_is_left_alone() {
    with_cluster("a_container_of_the_same_name_that_is_not_ours_is_left_alone", true, |lab| async move {
        lab.create_network().await;
        let name = format!("muster-{}-{}-worker-1", lab.cluster.instance.short(), lab.cluster.cluster.short());
        let options = CreateContainerOptionsBuilder::new().name(&name).build();
        let body = ContainerCreateBody { image: Some(PLAIN_IMAGE.to_owned()), ..Default::default() };
        let foreign = docker().create_container(Some(options), body).await.unwrap().id;

        let order = lab.order(key("worker-1"));
        let failure = lab.driver.create(&lab.cluster, &order).await.unwrap_err();
        let removed = lab.driver.remove(&lab.cluster, &key("worker-1"), &foreign).await;
        let still_there = docker().inspect_container(&foreign, None::<InspectContainerOptions>).await;
        let force = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
        docker().remove_container(&foreign, Some(force)).await.unwrap();

        assert_eq!((failure.code, failure.retry), (ErrorCode::AlreadyExists, Retry::Never));
        assert_eq!(failure.certainty, Certainty::NotApplied);
        assert!(failure.message.contains(&name), "{failure}");
        removed.unwrap();
        assert!(still_there.is_ok());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_creation_that_broke_off_before_the_keys_were_there_is_completed_by_looking_it_up() {
    let test = "a_creation_that_broke_off_before_the_keys_were_there_is_completed_by_looking_it_up";
    with_cluster(test, true, |lab| async move {
        let directory = tempfile::tempdir().unwrap();
        lab.create_network().await;
        let broken = breaking_driver(&directory, Break::Before("PUT /containers/"));
        let failure = broken.create(&lab.cluster, &lab.order(key("worker-1"))).await.unwrap_err();
        assert_eq!(failure.certainty, Certainty::MaybeApplied, "{failure}");

        assert_eq!(lab.powers().await, [("worker-1".to_owned(), Power::Stopped)]);
        let found = lab.driver.look_up(&lab.cluster, &key("worker-1")).await.unwrap().unwrap();
        assert_eq!(lab.powers().await, [("worker-1".to_owned(), Power::Running)]);
        lab.log_in(&access(&found)).await.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_creation_whose_answer_was_lost_is_completed_by_creating_again() {
    let test = "a_creation_whose_answer_was_lost_is_completed_by_creating_again";
    with_cluster(test, true, |lab| async move {
        let directory = tempfile::tempdir().unwrap();
        lab.create_network().await;
        let broken = breaking_driver(&directory, Break::AnswerOf("POST /containers/create"));
        let failure = broken.create(&lab.cluster, &lab.order(key("worker-1"))).await.unwrap_err();
        assert_eq!(failure.certainty, Certainty::MaybeApplied, "{failure}");

        let made = lab.create_machine("worker-1").await;
        assert_eq!(lab.driver.look_up(&lab.cluster, &key("worker-1")).await.unwrap().as_ref(), Some(&made));
        lab.log_in(&access(&made)).await.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_whose_container_is_there_but_cannot_start_is_in_doubt() {
    with_cluster("a_machine_whose_container_is_there_but_cannot_start_is_in_doubt", true, |lab| async move {
        let directory = tempfile::tempdir().unwrap();
        lab.create_network().await;
        let refusing = breaking_driver(&directory, Break::Refused("PUT /containers/"));
        let failure = refusing.create(&lab.cluster, &lab.order(key("worker-1"))).await.unwrap_err();
        assert_eq!(failure.provider_code.as_deref(), Some("403"), "{failure}");
        assert_eq!(failure.certainty, Certainty::MaybeApplied, "{failure}");
        assert_eq!(lab.powers().await, [("worker-1".to_owned(), Power::Stopped)]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_never_ran_and_whose_address_is_taken_is_made_anew_with_another() {
    let test = "a_machine_that_never_ran_and_whose_address_is_taken_is_made_anew_with_another";
    with_cluster(test, true, |lab| async move {
        let directory = tempfile::tempdir().unwrap();
        let network = lab.create_network().await;
        let broken = breaking_driver(&directory, Break::Before("PUT /containers/"));
        broken.create(&lab.cluster, &lab.order(key("worker-1"))).await.unwrap_err();
        // The engine keeps no address for a container that never ran, so the guest gets it.
        let guest = guest::start(&lab.cluster, &network.id).await;
        let found = lab.driver.look_up(&lab.cluster, &key("worker-1")).await.unwrap();
        let left = (lab.powers().await, volumes(&lab).await);
        let made = lab.driver.create(&lab.cluster, &lab.order(key("worker-1"))).await;
        guest::remove(&guest).await;
        assert_eq!((found, left), (None, (vec![], vec![])));
        lab.log_in(&access(&made.unwrap())).await.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_container_in_the_network_is_named_and_not_touched() {
    with_cluster("a_foreign_container_in_the_network_is_named_and_not_touched", true, |lab| async move {
        let network = lab.create_network().await;
        let guest = guest::start(&lab.cluster, &network.id).await;

        let refused = lab.driver.remove(&lab.cluster, &support::network(), &network.id).await;
        guest::remove(&guest).await;

        let failure = refused.unwrap_err();
        assert_eq!((failure.code, failure.retry), (ErrorCode::Conflict, Retry::Later));
        assert!(failure.message.contains("guest-"), "{failure}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_has_the_limits_of_its_shape() {
    with_cluster("a_machine_has_the_limits_of_its_shape", true, |lab| async move {
        lab.create_network().await;
        let shape = MachineShape { cpu: Some(CpuMillis(500)), memory: Some(Bytes(512 << 20)), ..Default::default() };
        let mut order = lab.order(key("worker-1"));
        order.machine.as_mut().unwrap().shape = shape;
        let machine = lab.driver.create(&lab.cluster, &order).await.unwrap();
        let container = docker().inspect_container(&machine.id, None::<InspectContainerOptions>).await.unwrap();
        let limits = container.host_config.unwrap();
        assert_eq!((limits.nano_cpus, limits.memory), (Some(500_000_000), Some(512 << 20)));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn volumes_that_lost_their_container_still_count_and_can_be_removed() {
    with_cluster("volumes_that_lost_their_container_still_count_and_can_be_removed", true, |lab| async move {
        lab.create_network().await;
        let machine = lab.create_machine("worker-1").await;
        let without_volumes = RemoveContainerOptionsBuilder::new().force(true).build();
        docker().remove_container(&machine.id, Some(without_volumes)).await.unwrap();
        assert_eq!(lab.driver.look_up(&lab.cluster, &key("worker-1")).await.unwrap(), None);

        let owned = lab.driver.list_owned(lab.cluster.instance, None).await.unwrap();
        let machines: Vec<_> = owned.iter().filter(|owned| owned.key == Some(key("worker-1").into())).collect();
        assert_eq!(machines.len(), 1, "{owned:?}");
        lab.driver.remove(&lab.cluster, &key("worker-1"), &machines[0].present.id).await.unwrap();
        assert_eq!(volumes(&lab).await, []);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_whose_image_is_missing_is_refused_before_anything_is_made() {
    let test = "a_cluster_whose_image_is_missing_is_refused_before_anything_is_made";
    with_cluster(test, true, |lab| async move {
        lab.driver.preflight(&lab.cluster.spec, &|| 0).await.unwrap();
        let mut spec = lab.cluster.spec.clone();
        spec.machine.image = Some("muster/no-such-image:1".to_owned());
        let failure = lab.driver.preflight(&spec, &|| 0).await.unwrap_err();
        assert_eq!((failure.code, failure.retry), (ErrorCode::NotFound, Retry::Never));
        assert!(failure.message.contains("muster/no-such-image:1"), "{failure}");
        assert!(failure.remedy.is_some());
        for finding in lab.driver.check().await {
            assert!(finding.ok, "{finding:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn an_engine_that_is_not_there_is_reported_with_a_remedy_and_nothing_counts_as_done() {
    let driver = LocalDriver::new(LocalOptions { docker_socket: "/nowhere/docker.sock".into(), ..Default::default() });
    let findings = driver.check().await;
    let cause = findings.iter().find(|finding| finding.subject == "docker engine").unwrap().cause.clone().unwrap();
    assert_eq!(cause.code, ErrorCode::Unreachable);
    assert!(cause.remedy.is_some());
    let failure = driver.list_owned(muster_protocol::InstanceId::generate(), None).await.unwrap_err();
    assert_eq!(failure.certainty, Certainty::NotApplied);
}
