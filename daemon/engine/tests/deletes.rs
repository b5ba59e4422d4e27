//! Deletes: planned from below, ended from wherever they begin, cancelled on the way.

#![allow(clippy::unwrap_used, reason = "a helper of tests may panic as they do")]

mod bench;

use std::time::Duration;

use bench::situations::{HOUR, ended, ready, run, service};
use bench::{Bench, CLUSTER, INSTANCE};
use muster_engine::action::{Action, Outcome};
use muster_engine::desired::machine_name;
use muster_engine::driver::Owned;
use muster_engine::ledger::{Facts, LedgerEntry, Present, ResourceKey, ResourceState};
use muster_engine::sim::{CallKind, Fault, every};
use muster_engine::state::Requested;
use muster_engine::{view, words};
use muster_protocol::model::cluster::ClusterPhase;
use muster_protocol::model::host::Role;
use muster_protocol::model::operation::OperationPhase;
use muster_protocol::{ErrorCode, OperationId, Principal};

#[test]
fn a_deleted_cluster_is_taken_away_from_below_and_swept() {
    run(async {
        let mut bench = ready(1, 1).await;
        let delete = bench.ask(|state, asked| state.admit_delete(asked)).unwrap();
        let refused = bench.ask(|state, asked| state.admit_scale(None, Some(2), asked)).unwrap_err();
        assert!(refused.remedy.unwrap().contains(&format!("`muster operation cancel {}`", delete.id)));
        assert_eq!(
            bench.steps(),
            [
                "remove machine/control-plane-1",
                "remove machine/worker-1",
                "remove network < remove machine/control-plane-1, remove machine/worker-1",
                "sweep < remove machine/control-plane-1, remove machine/worker-1, remove network",
            ]
        );
        assert_eq!(ended(&mut bench, &delete).await.phase, OperationPhase::Succeeded);
        assert!(bench.state.is_gone());
    });
}

#[test]
fn a_delete_in_the_middle_of_a_create_leaves_nothing_wherever_it_comes() {
    run(async {
        for millis in (0..4_000).step_by(50) {
            let mut bench = Bench::create(1, 1, millis);
            bench.run_for(Duration::from_millis(millis)).await;
            let delete = bench.ask(|state, asked| state.admit_delete(asked)).unwrap();
            assert_eq!(ended(&mut bench, &delete).await.phase, OperationPhase::Succeeded, "after {millis} ms");
            assert!(bench.world.audit(INSTANCE, &[]).is_clean(), "after {millis} ms");
        }
    });
}

#[test]
fn nothing_else_can_be_asked_of_a_cluster_that_is_being_deleted_and_a_second_delete_is_the_first() {
    run(async {
        let mut bench = ready(1, 1).await;
        let web = vec![(bench.new_service_id(), service("web", "good:1", 1))];
        let create = bench.ask(|state, asked| state.admit_service_create(web, asked)).unwrap();
        ended(&mut bench, &create).await;
        let delete = bench.ask(|state, asked| state.admit_delete(asked)).unwrap();

        let other = vec![(bench.new_service_id(), service("other", "good:1", 1))];
        let name = "web".parse().unwrap();
        let refused = [
            bench.ask(|state, asked| state.admit_scale(None, Some(3), asked)),
            bench.ask(|state, asked| state.admit_upgrade(None, asked)),
            bench.ask(|state, asked| state.admit_renew(asked)),
            bench.ask(|state, asked| state.admit_service_create(other, asked)),
            bench.ask(|state, asked| state.admit_service_update(service("web", "good:2", 1), None, asked)),
            bench.ask(|state, asked| state.admit_service_scale(&name, 5, asked)),
            bench.ask(|state, asked| state.admit_service_delete(&name, asked)),
        ];
        for refused in refused {
            let error = refused.unwrap_err();
            assert_eq!(error.code, ErrorCode::Conflict, "{error}");
            assert!(error.message.contains("is being deleted"), "{error}");
        }
        assert_eq!(bench.ask(|state, asked| state.admit_delete(asked)).unwrap().id, delete.id);
        assert_eq!(ended(&mut bench, &delete).await.phase, OperationPhase::Succeeded);
        assert!(bench.world.audit(INSTANCE, &[]).is_clean());
    });
}

#[test]
fn a_cancelled_delete_brings_back_what_was_taken_away() {
    run(async {
        for millis in (0..1_000).step_by(50) {
            let mut bench = ready(3, 1).await;
            let delete = bench.ask(|state, asked| state.admit_delete(asked)).unwrap();
            bench.run_for(Duration::from_millis(millis)).await;
            if bench.end_of(&delete).is_some() {
                continue;
            }
            bench.ask(|state, asked| state.admit_cancel(delete.id, asked)).unwrap();
            let rests = |bench: &Bench| bench.phase() == ClusterPhase::Ready || bench.gates().contains("QuorumLost");
            assert!(bench.run_until(HOUR, rests).await, "after {millis} ms:\n{}", bench.gates());
            assert!(bench.world.audit(INSTANCE, &[CLUSTER]).is_clean());
        }
    });
}

#[test]
fn a_sweep_that_ends_after_its_delete_was_cancelled_says_nothing_of_the_cluster() {
    run(async {
        let mut bench = ready(1, 0).await;
        let swept = |bench: &Bench| bench.state.in_flight.values().any(|call| call.action == Action::Sweep);
        let delete = bench.ask(|state, asked| state.admit_delete(asked)).unwrap();
        assert!(bench.run_until(HOUR, swept).await, "{}", bench.gates());
        bench.ask(|state, asked| state.admit_cancel(delete.id, asked)).unwrap();
        assert!(bench.run_until(HOUR, |bench| bench.phase() == ClusterPhase::Ready).await, "{}", bench.gates());
        assert_eq!(bench.state.causes(), []);
    });
}

#[test]
fn what_is_left_of_a_huge_cluster_is_told_at_no_greater_length_than_a_record_takes() {
    run(async {
        let mut bench = ready(1, 0).await;
        let now = bench.now();
        for number in 1..=3_000 {
            let name = format!("a-service-with-a-rather-long-name-{number}").parse().unwrap();
            let state = ResourceState::Present(Present { id: number.to_string(), facts: Facts::None });
            bench.state.ledger.insert(ResourceKey::Service(name), LedgerEntry { state, ..LedgerEntry::wanted(now) });
        }
        bench
            .state
            .admit_delete(Requested { operation: OperationId::from_u128(99), by: Principal::user("root"), at: now })
            .unwrap();
        let late = now + HOUR + HOUR;
        bench.state.settle(late);
        let ended = bench.state.operations.values().find(|operation| operation.info.phase == OperationPhase::Failed);
        let message = ended.unwrap().info.cause.clone().unwrap().message;
        assert!(message.contains("may be left") && message.len() <= 2 * words::MAX_BYTES + 64, "{}", message.len());
    });
}

#[test]
fn a_machine_that_nobody_knows_of_does_not_keep_a_delete_from_its_end() {
    run(async {
        let mut bench = ready(1, 0).await;
        // As a request that arrived after its answer was given up would leave it.
        let unknown = ResourceKey::for_machine(machine_name(Role::Worker, 7));
        bench.world.seed_foreign(CLUSTER, Some((INSTANCE, CLUSTER)), unknown);
        let delete = bench.ask(|state, asked| state.admit_delete(asked)).unwrap();
        assert_eq!(ended(&mut bench, &delete).await.phase, OperationPhase::Succeeded);
        assert!(bench.world.audit(INSTANCE, &[]).is_clean());
    });
}

#[test]
fn a_cancelled_create_is_a_delete() {
    run(async {
        let mut bench = Bench::create(1, 1, 1);
        bench.run_for(Duration::from_millis(150)).await;
        let create = *bench.state.operations.keys().next().unwrap();
        bench.ask(|state, asked| state.admit_cancel(create, asked)).unwrap();
        let refused = bench.ask(|state, asked| state.admit_scale(None, Some(2), asked)).unwrap_err();
        assert!(!refused.remedy.unwrap().contains("operation cancel"), "no operation is there to be cancelled");
        assert!(bench.run_until(HOUR, |bench| bench.phase() == ClusterPhase::Deleted).await);
        assert_eq!(bench.ended[&create].phase, OperationPhase::Cancelled);
        assert!(bench.world.audit(INSTANCE, &[]).is_clean());
    });
}

#[test]
fn everything_that_a_sweep_finds_is_listed_as_left_whether_or_not_its_mark_says_what_it_is() {
    run(async {
        let mut bench = ready(1, 0).await;
        let refused = Fault::Refused { code: ErrorCode::Provider, permanent: true };
        bench.world.inject(every(|call| call.kind == CallKind::Remove, refused));
        let delete = bench.ask(|state, asked| state.admit_delete(asked)).unwrap();
        ended(&mut bench, &delete).await;
        assert_eq!(bench.phase(), ClusterPhase::Released);
        let mut sweep = |found: &[(Option<&str>, &str)]| {
            let owned = found.iter().map(|(key, id)| Owned {
                cluster: CLUSTER,
                key: key.map(|key| key.parse().unwrap()),
                present: Present { id: (*id).to_owned(), facts: Facts::None },
            });
            let now = bench.now();
            bench.state.finish(&Action::Sweep, Outcome::Swept(owned.collect()), now);
            bench.state.settle(now);
            let left = view::cluster(&bench.state, &bench.plan()).leftovers;
            let left =
                left.into_iter().filter(|left| left.provider_id.as_ref().is_some_and(|id| id.starts_with("vm-")));
            left.map(|left| (left.key, left.provider_id.unwrap(), left.cause.map(|cause| cause.message)))
                .collect::<Vec<_>>()
        };
        let left = sweep(&[(None, "vm-1"), (None, "vm-2"), (Some("node/worker-9"), "vm-3")]);
        let why = Some("marked as this cluster's, but not as what: vm-1, vm-2, vm-3".to_owned());
        let stray = |key: &str, id: &str| (key.to_owned(), id.to_owned(), why.clone());
        assert_eq!(left, [stray("unknown", "vm-1"), stray("unknown", "vm-2"), stray("node/worker-9", "vm-3")]);
        // Two of one key: the ledger takes one of them at a time.
        let left = sweep(&[(Some("machine/worker-9"), "vm-4"), (Some("machine/worker-9"), "vm-5")]);
        let mut ids: Vec<String> = left.into_iter().map(|(_, id, _)| id).collect();
        ids.sort();
        assert_eq!(ids, ["vm-4", "vm-5"]);
    });
}
