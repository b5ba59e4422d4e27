//! How many calls of EC2's API machines and clusters cost, with everything that the driver waits for ten times as fast as it is.

use std::time::Duration;

use futures::future::join_all;
use muster_engine::context::ClusterContext;
use muster_engine::driver::Driver;
use muster_engine::ledger::{InfraKey, Present};
use tokio::time::{Instant, sleep, sleep_until};

use super::support::{Made, World, cluster, make, needs, order, remove_all};

/// So many times as fast as in use.
const FASTER: u32 = 10;
/// How often the daemon looks at an idle cluster (`limits.look_when_idle_ms`).
const LOOK_WHEN_IDLE: Duration = Duration::from_secs(30);
/// How often the daemon's collector lists all that is ours at an account.
const COLLECTIONS_PER_HOUR: u32 = 12;
/// For so long idle clusters are watched.
const WATCHED: Duration = Duration::from_secs(120);
/// A machine's console says its host key so long after its SSH server answers.
const CONSOLE_LATE_BY: Duration = Duration::from_secs(10);
const MACHINES: u32 = 20;
/// So often the console of a machine is looked at before its key counts as pinned at first contact.
const MOST_LOOKS: u32 = 8;

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_costs_few_calls_and_waiting_for_many_no_more_than_for_one() {
    let Some(world) = World::start("a_machine_costs_few_calls_and_waiting_for_many_no_more_than_for_one").await else {
        return;
    };
    let (driver, cluster) = (world.driver_in_use(FASTER), cluster(1, MACHINES - 1));
    let mut made = Made::new();
    let (machines, below): (Vec<_>, Vec<_>) =
        needs(&driver, &cluster).into_iter().map(|need| need.key).partition(|key| key.machine().is_some());
    for key in below {
        let present = make(&world, &driver, &cluster, &key, &made).await;
        made.insert(key, present);
    }
    let network: u32 = world.proxy.take_calls().values().sum();
    let presents = create_at_once(&world, &driver, &cluster, &machines, &made).await;
    let calls = world.proxy.take_calls();
    let all: u32 = calls.values().sum();
    println!("{network} calls for a cluster's network, group and key");
    println!(
        "{all} calls for {MACHINES} machines at once, {:.1} a machine: {calls:?}",
        f64::from(all) / f64::from(MACHINES)
    );

    let count = |action: &str| calls.get(action).copied().unwrap_or_default();
    assert_eq!(
        (count("RunInstances"), count("CreateTags")),
        (MACHINES, MACHINES),
        "what each machine needs for itself"
    );
    // One look for each by its key, so that none is made twice; and one listing for all at a time.
    assert!(count("DescribeInstances") <= MACHINES + MOST_LOOKS + 4, "{calls:?}");
    assert!(count("GetConsoleOutput") <= MACHINES * MOST_LOOKS, "{calls:?}");
    made.extend(machines.into_iter().zip(presents));
    remove_all(&driver, &cluster, &made).await;
}

/// Creates machines as the daemon does: each by a call that ends when the machine can be logged in to.
async fn create_at_once(
    world: &World,
    driver: &muster_driver_ec2::Ec2Driver,
    cluster: &ClusterContext,
    machines: &[InfraKey],
    made: &Made,
) -> Vec<Present> {
    let creates = machines.iter().map(|key| async move {
        let order = order(cluster, key, made, 0);
        driver.create(cluster, &order).await.unwrap()
    });
    let consoles = async {
        loop {
            sleep(CONSOLE_LATE_BY / FASTER).await;
            world.write_consoles().await;
        }
    };
    tokio::select! {
        presents = join_all(creates) => presents,
        () = consoles => unreachable!(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_idle_clusters_of_an_account_share_its_listings() {
    let Some(world) = World::start("a_thousand_idle_clusters_of_an_account_share_its_listings").await else { return };
    let driver = world.driver_in_use(FASTER);
    let first = cluster(1, 0);
    let made = super::support::make_all(&world, &driver, &first).await;

    let _ = world.proxy.take_calls();
    driver.list_owned(first.instance, None).await.unwrap();
    let collection: u32 = world.proxy.take_calls().values().sum();
    let mut listings = Vec::new();
    for count in [1, 1000] {
        let clusters: Vec<_> = (1..=count).map(|number| cluster(number, 0)).collect();
        let looks: u32 = join_all(clusters.iter().map(|cluster| look_idly(&driver, cluster))).await.iter().sum();
        let calls = world.proxy.take_calls();
        assert_eq!(calls.keys().collect::<Vec<_>>(), ["DescribeInstances"], "an idle cluster needs nothing else");
        let per_hour = |calls: u32| u64::from(calls) * 3600 / WATCHED.as_secs();
        let listed = calls["DescribeInstances"];
        let hour = per_hour(listed) + u64::from(collection * COLLECTIONS_PER_HOUR);
        println!(
            "{count} idle clusters: {hour} calls an hour, {:.1} a cluster: {} listings for {} looks, and {COLLECTIONS_PER_HOUR} \
             collections of {collection} calls",
            hour as f64 / count as f64,
            per_hour(listed),
            per_hour(looks),
        );
        listings.push(listed);
    }
    // One cluster is looked at every 30 s to 38 s; of a thousand clusters, all that look within 2 s share a listing.
    assert!((2..=5).contains(&listings[0]), "{listings:?}");
    assert!(listings[1] <= 61, "{listings:?}");
    remove_all(&driver, &first, &made).await;
}

/// Looks at a cluster as the daemon does at one that is idle: after a time of the cluster's own, on a full second, as
/// `muster_engine::looks` says. Answers how often.
async fn look_idly(driver: &dyn Driver, cluster: &ClusterContext) -> u32 {
    let (began, second) = (Instant::now(), Duration::from_secs(1) / FASTER);
    let shift = LOOK_WHEN_IDLE * u32::from(cluster.cluster.as_bytes()[15]) / 1000;
    // Clusters were not made all at once.
    let mut next = LOOK_WHEN_IDLE
        * u32::from(cluster.cluster.as_bytes()[14].wrapping_add(cluster.cluster.as_bytes()[15]))
        / 256
        / FASTER;
    let mut looks = 0;
    while next < WATCHED / FASTER {
        sleep_until(began + next).await;
        driver.observe(cluster).await.unwrap();
        looks += 1;
        next += (LOOK_WHEN_IDLE + shift) / FASTER;
        let late = next.as_millis() % second.as_millis();
        if late > 0 {
            next += second - Duration::from_millis(late as u64);
        }
    }
    looks
}
