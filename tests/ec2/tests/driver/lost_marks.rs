//! Instances whose tags somebody takes away: they are looked up by their ids, and are neither lost nor removed.

use muster_engine::driver::Driver;
use muster_engine::ledger::{Facts, InfraKey, Present};
use muster_protocol::ErrorCode;
use muster_tests::ec2::account::{give_tags, instances, take_tags};
use muster_tests::ec2::{Fault, Rule};

use super::support::{World, cluster, make_all, refused, remove, remove_all};

fn worker() -> InfraKey {
    InfraKey::for_machine("worker-1".parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_whose_tags_were_taken_away_is_not_lost_and_is_not_removed_until_it_has_them_again() {
    let Some(world) =
        World::start("a_machine_whose_tags_were_taken_away_is_not_lost_and_is_not_removed_until_it_has_them_again")
            .await
    else {
        return;
    };
    let (driver, cluster) = (world.driver(), cluster(1, 1));
    let made = make_all(&world, &driver, &cluster).await;
    let present = &made[&worker()];
    let all = instances(&world.moto).await.unwrap();
    let mut tags = all.into_iter().find(|instance| instance.id == present.id).unwrap().tags;
    take_tags(&world.moto, &present.id, &tags).await.unwrap();
    // All that this driver knows of new things is so old that nothing may be unlisted any more.
    tokio::time::sleep(driver.listing_lag()).await;
    assert!(driver.observe(&cluster).await.unwrap().iter().all(|seen| seen.id != present.id), "no listing has it");
    assert_eq!(driver.look_up(&cluster, &worker()).await.unwrap(), None, "no key leads to it");

    let _ = world.proxy.take_calls();
    let found = driver.look_up_known(&cluster, &worker(), present).await.unwrap();
    assert_eq!(found.as_ref(), Some(present), "its id does, and how it is reached is known as before");
    assert_eq!(world.proxy.take_calls(), [("DescribeInstances".to_owned(), 1)].into(), "nothing is written to it");

    let failure = refused(driver.remove(&cluster, &worker(), &present.id).await);
    assert_eq!(failure.code, ErrorCode::Conflict);
    assert_eq!(
        failure.message,
        format!("instance {} is there without the tags that say whose it is, so it is left alone", present.id)
    );
    assert!(failure.remedy.unwrap().contains(&format!("create-tags --resources {}", present.id)));
    assert_eq!(instances(&world.moto).await.unwrap().len(), 2, "both machines run");

    // All that the remedy asks for.
    tags.retain(|key, _| ["io.muster.instance", "io.muster.cluster", "io.muster.key"].contains(&key.as_str()));
    give_tags(&world.moto, &present.id, &tags).await.unwrap();
    remove_all(&driver, &cluster, &made).await;
    assert_eq!(instances(&world.moto).await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_is_lost_when_its_id_says_so_and_its_successor_is_found_by_its_key() {
    let Some(world) = World::start("a_machine_is_lost_when_its_id_says_so_and_its_successor_is_found_by_its_key").await
    else {
        return;
    };
    let (driver, cluster) = (world.driver(), cluster(1, 1));
    let made = make_all(&world, &driver, &cluster).await;
    let present = &made[&worker()];
    // EC2 forgets ids some while after their end; before, it says that they have ended.
    let unknown = Present { id: "i-0123456789abcdef0".to_owned(), facts: Facts::None };
    let found = driver.look_up_known(&cluster, &worker(), &unknown).await.unwrap();
    assert_eq!(found.as_ref(), Some(present), "another has its key");
    world.moto.call(&[("Action", "TerminateInstances"), ("InstanceId.1", &present.id)]).await.unwrap();
    assert_eq!(driver.look_up_known(&cluster, &worker(), present).await.unwrap(), None);
    assert_eq!(driver.look_up_known(&cluster, &worker(), &unknown).await.unwrap(), None);

    // Trouble of EC2 says nothing of the machine.
    world.proxy.fault(Rule::often("DescribeInstances", Fault::TROUBLE, 4));
    refused(driver.look_up_known(&cluster, &worker(), present).await);
    remove(&driver, &cluster, &worker(), &present.id).await;
    remove_all(&driver, &cluster, &made).await;
    assert_eq!(instances(&world.moto).await.unwrap(), []);
}
