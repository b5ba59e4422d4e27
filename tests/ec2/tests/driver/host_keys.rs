//! Host keys: what the machine's console says is believed, and an impostor is refused.

use muster_engine::driver::Driver;
use muster_engine::ledger::{Facts, InfraKey};
use muster_protocol::{ErrorCode, Retry};
use muster_tests::ec2::account::{self, instances};
use muster_tests::ec2::sshd::console_with;

use super::support::{Made, World, cluster, make, make_all, needs, order, refused, remove_all};

const OTHER: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPs3Koo8tStpYmCrr43wkdIIhRk7EKun9kkrgCadoYMx other";

async fn all_but_machines(world: &World, driver: &muster_driver_ec2::Ec2Driver) -> Made {
    let cluster = cluster(1, 0);
    let mut made = Made::new();
    for need in needs(driver, &cluster).into_iter().filter(|need| need.key.machine().is_none()) {
        let present = make(world, driver, &cluster, &need.key, &made).await;
        made.insert(need.key, present);
    }
    made
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_key_is_not_the_consoles_is_refused_with_both() {
    let Some(world) = World::start("a_server_whose_key_is_not_the_consoles_is_refused_with_both").await else { return };
    let (driver, cluster) = (world.driver(), cluster(1, 0));
    let mut made = all_but_machines(&world, &driver).await;
    let key = InfraKey::for_machine("control-plane-1".parse().unwrap());
    let order = order(&cluster, &key, &made, 0);
    let consoles = async {
        loop {
            for instance in instances(&world.moto).await.unwrap() {
                world.proxy.set_console(&instance.id, &console_with(OTHER));
            }
            super::support::pause().await;
        }
    };
    let failure = tokio::select! {
        answer = driver.create(&cluster, &order) => refused(answer),
        () = consoles => unreachable!(),
    };
    assert_eq!((failure.code, failure.retry), (ErrorCode::Preparation, Retry::Never));
    assert_eq!(failure.message.matches("SHA256:").count(), 2, "{}", failure.message);
    let instance = instances(&world.moto).await.unwrap().remove(0);
    assert!(!instance.tags.contains_key("io.muster.host-key"), "nothing is pinned");
    made.insert(key, muster_engine::ledger::Present { id: instance.id, facts: Facts::None });
    remove_all(&driver, &cluster, &made).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_console_is_silent_the_first_key_is_pinned_and_found_again_by_another_life() {
    let Some(world) =
        World::start("where_the_console_is_silent_the_first_key_is_pinned_and_found_again_by_another_life").await
    else {
        return;
    };
    let (driver, cluster) = (world.driver(), cluster(1, 0));
    let mut made = all_but_machines(&world, &driver).await;
    let key = InfraKey::for_machine("control-plane-1".parse().unwrap());
    let present = driver.create(&cluster, &order(&cluster, &key, &made, 0)).await.unwrap();
    let Facts::Machine(access) = &present.facts else { panic!("{present:?}") };
    assert_eq!(access.host_key, world.sshd.public_key().trim());
    let instance = instances(&world.moto).await.unwrap().remove(0);
    assert_eq!(instance.tags.get("io.muster.host-key"), Some(&access.host_key));
    // Nobody is asked for the key any more.
    let _ = world.proxy.take_calls();
    assert_eq!(world.driver().look_up(&cluster, &key).await.unwrap().as_ref(), Some(&present));
    assert!(!world.proxy.take_calls().contains_key("GetConsoleOutput"));
    made.insert(key, present);
    remove_all(&driver, &cluster, &made).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_nobody_reaches_is_there_and_can_be_removed() {
    let Some(mut world) = World::start("a_machine_that_nobody_reaches_is_there_and_can_be_removed").await else {
        return;
    };
    let driver = world.driver();
    let cluster = cluster(1, 0);
    let mut made = all_but_machines(&world, &driver).await;
    world.sshd = muster_tests::ec2::sshd::Sshd::start().await.unwrap();
    let key = InfraKey::for_machine("control-plane-1".parse().unwrap());
    let failure = refused(driver.create(&cluster, &order(&cluster, &key, &made, 0)).await);
    assert_eq!(failure.code, ErrorCode::Unreachable);
    assert!(failure.remedy.unwrap().contains("allowedCidrs"));
    let there = driver.look_up(&cluster, &key).await.unwrap().unwrap();
    assert_eq!(there.facts, Facts::None);
    made.insert(key, there);
    remove_all(&driver, &cluster, &made).await;
    assert_eq!(instances(&world.moto).await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn instances_carry_their_marks_take_sessions_only_and_know_their_name_and_no_secret() {
    let Some(world) =
        World::start("instances_carry_their_marks_take_sessions_only_and_know_their_name_and_no_secret").await
    else {
        return;
    };
    let (driver, cluster) = (world.driver(), cluster(1, 0));
    let made = make_all(&world, &driver, &cluster).await;
    let instance = instances(&world.moto).await.unwrap().remove(0);
    let tag = |name: &str| instance.tags.get(name).map(String::as_str).unwrap_or_default();
    assert_eq!(tag("io.muster.instance"), cluster.instance.to_string());
    assert_eq!(tag("io.muster.cluster"), cluster.cluster.to_string());
    assert_eq!(tag("io.muster.cluster-name"), "demo");
    assert_eq!(tag("io.muster.key"), "machine/control-plane-1");
    assert_eq!(tag("io.muster.orchestrator"), "swarm");
    let all = world.moto.call(&[("Action", "DescribeInstances")]).await.unwrap();
    assert!(all.contains("<httpTokens>required</httpTokens>"), "{all}");
    let user_data = account::user_data(&world.moto, &instance.id).await.unwrap();
    assert_eq!(user_data, "#cloud-config\npreserve_hostname: false\nhostname: demo-control-plane-1\n");
    let volumes = world.moto.call(&[("Action", "DescribeVolumes")]).await.unwrap();
    assert!(
        volumes.contains("<encrypted>true</encrypted>") && volumes.contains("machine/control-plane-1"),
        "{volumes}"
    );
    remove_all(&driver, &cluster, &made).await;
}
