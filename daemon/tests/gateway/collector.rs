//! What clusters that are gone left behind.
//!
//! Covers: deleteOrchestrator, doctor.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::TryStreamExt;
use muster_client::EventQuery;
use muster_engine::ledger::ResourceKey;
use muster_engine::sim::CallKind;
use muster_protocol::{ClusterId, InstanceId, OperationId, Principal};
use muster_store::Batch;
use ractor::Actor;

use crate::support::{TestDaemon, name, spec, succeed};
use musterd::collector::actor::Collector;
use musterd::collector::forget::forget;
use musterd::collector::leftovers::{GRACE, Leftovers};
use musterd::collector::look::look;
use musterd::collector::{History, Schedule};
use musterd::gateway::idempotency::REMEMBERED;
use musterd::journal::records::StoredAnswer;

#[tokio::test]
async fn leftovers_of_a_deleted_cluster_are_removed_and_what_is_unknown_or_of_others_is_not() {
    let daemon = TestDaemon::start().await;
    let client = daemon.with_cluster("demo").await;
    succeed(&client, client.cluster_create(spec("living"), None).await.unwrap()).await;
    let living = client.cluster_info(&name("living")).await.unwrap().summary.id;
    let (context, world) = (daemon.daemon.context(), &daemon.world);
    let its_things = world.resources(daemon.daemon.instance(), living);
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
    assert_eq!(world.resources(instance, living), its_things, "what a living cluster has is no leftover");
    assert_eq!(world.resources(instance, unknown).len(), 1, "the history does not know its cluster");
    assert_eq!(world.resources(foreign, unknown).len(), 1, "it is not ours");
    assert_eq!(client.doctor().await.unwrap().iter().filter(|finding| finding.subject == "leftovers").count(), 1);
}

#[tokio::test]
async fn history_is_forgotten_as_far_as_it_may_be_and_stays_so_after_a_restart() {
    let daemon = TestDaemon::start().await;
    // More events than one record holds.
    for cluster in ["a", "b"] {
        daemon.with_cluster(cluster).await;
    }
    let client = daemon.with_cluster("demo").await;
    let operation = client.operations(None).try_collect::<Vec<_>>().await.unwrap().remove(0);
    let history = History { events: 3, events_age: Duration::from_secs(3600), operations: 0, audit: 2 };
    forget(&daemon.daemon.context(), history).await;
    let daemon = daemon.restart().await;

    let client = daemon.client().await;
    let events: Vec<_> = client.events(EventQuery::default()).try_collect().await.unwrap();
    assert!(events[0].number > 1 && events.len() >= 3, "{events:?}");
    // Its idempotency key may still be answered with it.
    assert_eq!(client.operation_info(operation.id).await.unwrap(), operation);
    assert!(client.cluster_info(&name("demo")).await.is_ok(), "what is there is no history");
    assert!(client.audit(None, None).try_collect::<Vec<_>>().await.unwrap().len() <= 2);
}

/// An answer to a key, so old.
fn answer(daemon: &TestDaemon, key: &str, age: Duration) -> StoredAnswer {
    StoredAnswer {
        principal: Principal::user("root"),
        idempotency_key: key.to_owned(),
        request: [7; 32],
        operation: OperationId::generate(),
        at: daemon.daemon.context().now() - age,
    }
}

#[tokio::test]
async fn answers_to_keys_are_kept_for_a_day_and_no_longer() {
    let daemon = TestDaemon::start().await;
    let minute = Duration::from_secs(60);
    let answers = [answer(&daemon, "old", REMEMBERED + minute), answer(&daemon, "young", REMEMBERED - minute)];
    let mut batch = Batch::new();
    for answer in &answers {
        batch.put(answer).unwrap();
    }
    daemon.daemon.context().store.commit(batch).await.unwrap();
    let history = History { events: 9, events_age: minute, operations: 9, audit: 9 };
    forget(&daemon.daemon.context(), history).await;
    let daemon = daemon.restart().await;
    let kept: Vec<StoredAnswer> = daemon.daemon.context().store.scan(&[]).await.unwrap();
    assert_eq!(kept, answers[1..]);
}

#[tokio::test]
async fn work_that_breaks_off_by_a_mistake_is_done_again_at_its_next_time() {
    let daemon = TestDaemon::start().await;
    let times = Arc::new(AtomicUsize::new(0));
    let counted = times.clone();
    daemon.world.inject(move |call| {
        if call.kind == CallKind::ListOwned && counted.fetch_add(1, Ordering::Relaxed) == 0 {
            panic!("a mistake in a driver");
        }
        None
    });
    let often = Duration::from_millis(10);
    let never = Duration::from_secs(24 * 3600);
    let history = History { events: 1_000, events_age: never, operations: 1_000, audit: 1_000 };
    let schedule =
        Schedule { export: None, forget: never, look: often, adopt: never, adopt_at_once: None, first: often, history };
    let (collector, ended) = Actor::spawn(None, Collector, (daemon.daemon.context(), schedule)).await.unwrap();
    crate::support::until("it looks again", async || times.load(Ordering::Relaxed) >= 2).await;
    collector.stop(None);
    ended.await.unwrap();
}
