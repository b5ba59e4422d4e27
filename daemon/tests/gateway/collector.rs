//! What clusters that are gone left behind.
//!
//! Covers: deleteOrchestrator, doctor.

use std::time::Duration;

use muster_engine::ledger::ResourceKey;
use muster_protocol::{ClusterId, InstanceId};

use crate::support::{TestDaemon, name, succeed};
use musterd::collector::leftovers::{GRACE, Leftovers};
use musterd::collector::look::look;

#[tokio::test]
async fn leftovers_of_a_deleted_cluster_are_removed_and_what_is_unknown_or_of_others_is_not() {
    let daemon = TestDaemon::start().await;
    let client = daemon.with_cluster("demo").await;
    let (context, world) = (daemon.daemon.context(), &daemon.world);
    let deleted = client.cluster_info(&name("demo")).await.unwrap().summary.id;
    succeed(&client, client.cluster_delete(&name("demo"), None).await.unwrap()).await;
    crate::support::until("the cluster is gone", async || client.cluster_info(&name("demo")).await.is_err()).await;

    let instance = daemon.daemon.instance();
    let (unknown, foreign) = (ClusterId::generate(), InstanceId::generate());
    let machine = ResourceKey::for_machine(name("worker-1"));
    world.seed_foreign(deleted, Some((instance, deleted)), machine.clone());
    world.seed_foreign(unknown, Some((instance, unknown)), machine.clone());
    world.seed_foreign(unknown, Some((foreign, unknown)), machine.clone());

    let mut leftovers = Leftovers::default();
    look(&context, &mut leftovers).await;
    assert_eq!(world.resources(instance, deleted).len(), 1, "one look is not enough");
    assert_eq!(context.findings().len(), 2, "both are reported");

    leftovers.age(GRACE + Duration::from_secs(1));
    look(&context, &mut leftovers).await;
    assert!(world.resources(instance, deleted).is_empty());
    assert_eq!(world.resources(instance, unknown).len(), 1, "the history does not know its cluster");
    assert_eq!(world.resources(foreign, unknown).len(), 1, "it is not ours");
    assert_eq!(client.doctor().await.unwrap().iter().filter(|finding| finding.subject == "leftovers").count(), 1);
}
