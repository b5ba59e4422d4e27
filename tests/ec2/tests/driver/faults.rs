//! Every change that a cluster needs, with every fault: nothing is made twice, and nothing is left.

use std::time::{Duration, Instant};

use futures::future::join_all;
use muster_engine::driver::Driver;
use muster_engine::failure::Certainty;
use muster_engine::ledger::InfraKey;
use muster_protocol::ErrorCode;
use muster_tests::ec2::account::{everything, instances};
use muster_tests::ec2::{Fault, Rule};

use super::support::{World, cluster, make, make_all, needs, order, refused, remove_all};

const CREATIONS: [&str; 10] = [
    "CreateVpc",
    "CreateSubnet",
    "CreateInternetGateway",
    "AttachInternetGateway",
    "CreateRoute",
    "ImportKeyPair",
    "CreateSecurityGroup",
    "AuthorizeSecurityGroupIngress",
    "RunInstances",
    "CreateTags",
];
const REMOVALS: [&str; 8] = [
    "TerminateInstances",
    "DeleteSecurityGroup",
    "DeleteKeyPair",
    "DeleteRoute",
    "DetachInternetGateway",
    "DeleteInternetGateway",
    "DeleteSubnet",
    "DeleteVpc",
];

fn faults() -> [Fault; 7] {
    [
        Fault::LostAnswer,
        Fault::CutAnswer,
        Fault::LostRequest,
        Fault::DoneWithTrouble,
        Fault::Late(Duration::from_millis(300)),
        Fault::TROUBLE,
        Fault::THROTTLED,
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_goes_wrong_with_a_change_it_is_made_once_and_removed_whole() {
    let began = Instant::now();
    let runs = join_all(faults().map(|fault| tokio::spawn(every_change_with(fault)))).await;
    let runs: usize = runs.into_iter().map(|runs| runs.unwrap()).sum();
    println!("{runs} runs, each with one fault: 0 orphans, 0 duplicates, {:.1} s", began.elapsed().as_secs_f32());
}

/// One cluster's life after the other, each with this fault in one change. Faults do not share a cloud, so that they need not
/// wait for each other: most of what they take is waiting. Answers the number of lives.
async fn every_change_with(fault: Fault) -> usize {
    let Some(world) = World::start("whatever_goes_wrong_with_a_change_it_is_made_once_and_removed_whole").await else {
        return 0;
    };
    let before = everything(&world.moto).await.unwrap();
    let mut runs = 0;
    for action in CREATIONS.iter().chain(&REMOVALS) {
        runs += 1;
        let told = format!("{action} with {fault:?}");
        world.proxy.fault(Rule::once(action, fault.clone()));
        let (driver, cluster) = (world.driver(), cluster(runs as u128, 0));
        let made = make_all(&world, &driver, &cluster).await;
        let owned = driver.list_owned(cluster.instance, None).await.unwrap();
        assert_eq!(owned.len(), needs(&driver, &cluster).len() - 3, "{told}: something is there twice: {owned:?}");
        remove_all(&driver, &cluster, &made).await;
        assert_eq!(everything(&world.moto).await.unwrap(), before, "{told}");
    }
    runs
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_listed_yet_is_not_made_again_and_not_taken_for_removed() {
    let Some(world) = World::start("what_is_not_listed_yet_is_not_made_again_and_not_taken_for_removed").await else {
        return;
    };
    let before = everything(&world.moto).await.unwrap();
    world.proxy.set_lag(Duration::from_millis(250));
    for number in 1..=3 {
        let (driver, cluster) = (world.driver(), cluster(number, 1));
        for action in ["CreateVpc", "RunInstances"] {
            world.proxy.fault(Rule::once(action, Fault::LostAnswer));
        }
        let made = make_all(&world, &driver, &cluster).await;
        remove_all(&driver, &cluster, &made).await;
        tokio::time::sleep(driver.listing_lag()).await;
        assert_eq!(everything(&world.moto).await.unwrap(), before);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_removed_right_after_it_was_made_is_not_lost_though_nothing_lists_it() {
    let Some(world) =
        World::start("a_machine_removed_right_after_it_was_made_is_not_lost_though_nothing_lists_it").await
    else {
        return;
    };
    let (driver, cluster) = (world.driver_with_lag(Duration::from_secs(60)), cluster(1, 0));
    let made = make_all(&world, &driver, &cluster).await;
    let key = InfraKey::for_machine("worker-1".parse().unwrap());
    // Asked before, so that the same answer can come again while the listing lags.
    assert_eq!(driver.look_up(&cluster, &key).await.unwrap(), None);
    let present = make(&world, &driver, &cluster, &key, &made).await;
    world.proxy.set_lag(Duration::from_secs(60));
    let failure = refused(driver.remove(&cluster, &key, &present.id).await);
    assert!(failure.message.contains("is not listed, which it may not be yet"), "{failure:?}");
    world.proxy.heal();
    super::support::remove(&driver, &cluster, &key, &present.id).await;
    assert_eq!(instances(&world.moto).await.unwrap().len(), 1, "the control plane is left");
    remove_all(&driver, &cluster, &made).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_of_throttling_passes_and_says_when_to_come_back() {
    let Some(world) = World::start("a_burst_of_throttling_passes_and_says_when_to_come_back").await else { return };
    let (driver, cluster) = (world.driver(), cluster(1, 0));
    world.proxy.fault(Rule::once("CreateVpc", Fault::THROTTLED));
    let vpc: InfraKey = "vpc".parse().unwrap();
    let failure = refused(driver.create(&cluster, &order(&cluster, &vpc, &Default::default(), 0)).await);
    assert_eq!((failure.code, failure.certainty), (ErrorCode::Throttled, Certainty::NotApplied));
    assert_eq!(failure.provider_code.as_deref(), Some("RequestLimitExceeded"));
    assert_eq!(failure.provider_request_id.as_deref(), Some("proxy-RequestLimitExceeded"));
    assert!(failure.retry_after.is_some());
    // Reads come through a burst by themselves.
    world.proxy.fault(Rule::often("DescribeVpcs", Fault::THROTTLED, 2));
    assert_eq!(driver.look_up(&cluster, &vpc).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_zone_without_capacity_is_passed_over_and_want_of_it_everywhere_is_told() {
    let Some(world) = World::start("a_zone_without_capacity_is_passed_over_and_want_of_it_everywhere_is_told").await
    else {
        return;
    };
    let zones = [("zones", "eu-central-1a,eu-central-1b")];
    let (driver, cluster) = (world.driver_with(&zones), cluster(1, 0));
    let mut made = super::support::Made::new();
    let all = needs(&driver, &cluster);
    let (machines, below): (Vec<_>, Vec<_>) = all.into_iter().partition(|need| need.key.machine().is_some());
    for need in below {
        let present = make(&world, &driver, &cluster, &need.key, &made).await;
        made.insert(need.key, present);
    }
    let key = &machines[0].key;
    world.proxy.fault(Rule::often("RunInstances", Fault::NO_CAPACITY, 2));
    let failure = refused(driver.create(&cluster, &order(&cluster, key, &made, 0)).await);
    assert_eq!((failure.code, failure.certainty), (ErrorCode::Quota, Certainty::NotApplied));
    assert!(failure.message.contains("no zone of the cluster has a machine of type t3.medium"), "{failure}");

    let first = made[&"subnet/eu-central-1a".parse().unwrap()].id.clone();
    world.proxy.fault(Rule { with: Some(first), ..Rule::often("RunInstances", Fault::NO_CAPACITY, u32::MAX) });
    let present = make(&world, &driver, &cluster, key, &made).await;
    let muster_engine::ledger::Facts::Machine(access) = &present.facts else { panic!("{present:?}") };
    assert!(access.private_address.starts_with("127.77.0.1"), "the second half is the other zone's: {access:?}");
    made.insert(key.clone(), present);
    remove_all(&driver, &cluster, &made).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quota_that_another_create_has_used_up_is_told_with_its_remedy() {
    let Some(world) = World::start("a_quota_that_another_create_has_used_up_is_told_with_its_remedy").await else {
        return;
    };
    let (driver, cluster) = (world.driver(), cluster(1, 0));
    let vpc: InfraKey = "vpc".parse().unwrap();
    let limit = Fault::Refused(400, "VpcLimitExceeded", "The maximum number of VPCs has been reached.");
    world.proxy.fault(Rule::once("CreateVpc", limit));
    let failure = refused(driver.create(&cluster, &order(&cluster, &vpc, &Default::default(), 0)).await);
    assert_eq!((failure.code, failure.certainty), (ErrorCode::Quota, Certainty::NotApplied));
    assert!(failure.remedy.unwrap().contains("Service Quotas"));
}
