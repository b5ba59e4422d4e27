//! Machines that are lost, some while something about them is under way.

#![allow(clippy::unwrap_used, reason = "a helper of tests may panic as they do")]

mod bench;

use std::time::Duration;

use bench::situations::{HOUR, ended, lose, ready, run, service};
use bench::{Bench, CLUSTER, INSTANCE};
use muster_engine::sim::{Call, CallKind, Fault, every, nth};
use muster_engine::view;
use muster_protocol::ErrorCode;
use muster_protocol::model::cluster::ClusterPhase;
use muster_protocol::model::host::Role;
use muster_protocol::model::operation::OperationPhase;

/// Runs until a call has been begun.
async fn begun(bench: &mut Bench, step: &str) {
    let is_begun = |bench: &Bench| bench.begun.iter().any(|action| action.to_string() == step);
    assert!(bench.run_until(HOUR, is_begun).await, "{}", bench.gates());
}

#[test]
fn a_first_control_plane_that_is_lost_while_it_is_looked_up_is_made_anew() {
    run(async {
        let mut bench = Bench::create(1, 0, 1);
        let mut joins = nth(|call| call.kind == CallKind::Join, 0, Fault::LostRequest);
        let mut looks = every(|call| call.kind == CallKind::LookUpNode, Fault::Hang { applied: false });
        bench.world.inject(move |call| joins(call).or_else(|| looks(call)));
        begun(&mut bench, "look up node/control-plane-1").await;
        lose(&bench, Role::ControlPlane, 1);
        assert!(bench.run_until(HOUR, |bench| bench.phase() == ClusterPhase::Ready).await, "{}", bench.gates());
        assert!(bench.world.audit(INSTANCE, &[CLUSTER]).is_clean());
    });
}

#[test]
fn a_first_control_plane_that_is_lost_while_the_cluster_is_formed_is_made_anew_after_that() {
    run(async {
        for applied in [true, false] {
            let mut bench = Bench::create(1, 0, 1);
            bench.world.inject(nth(|call| call.kind == CallKind::Form, 0, Fault::Hang { applied }));
            begun(&mut bench, "form orchestrator").await;
            bench.run_for(Duration::from_secs(1)).await;
            lose(&bench, Role::ControlPlane, 1);
            bench.begun.clear();
            begun(&mut bench, "create machine/control-plane-1").await;
            assert!(bench.finished.iter().any(|action| action.to_string() == "form orchestrator"));
            assert!(bench.run_until(HOUR, |bench| bench.phase() == ClusterPhase::Ready).await, "{}", bench.gates());
            assert!(bench.world.audit(INSTANCE, &[CLUSTER]).is_clean());
        }
    });
}

#[test]
fn a_control_plane_is_replaced_although_the_next_one_may_or_may_not_have_joined() {
    run(async {
        let mut bench = Bench::create(5, 0, 1);
        let about_fourth = |call: &Call| call.key.as_ref().is_some_and(|key| key.to_string() == "node/control-plane-4");
        bench.world.inject(every(about_fourth, Fault::LostRequest));
        begun(&mut bench, "look up node/control-plane-4").await;
        lose(&bench, Role::ControlPlane, 3);
        let noticed = |bench: &Bench| bench.steps().iter().any(|step| step == "remove node/control-plane-3");
        assert!(bench.run_until(HOUR, noticed).await, "{}", bench.gates());
        bench.world.clear_faults();
        assert!(bench.run_until(HOUR, |bench| bench.phase() == ClusterPhase::Ready).await, "{}", bench.gates());
        assert!(bench.world.audit(INSTANCE, &[CLUSTER]).is_clean());
    });
}

#[test]
fn after_a_control_plane_died_while_it_joined_cluster_and_service_say_that_the_majority_is_lost_and_what_to_do() {
    run(async {
        let mut bench = Bench::create(3, 0, 1);
        let joins_second = |call: &Call| {
            call.kind == CallKind::Join
                && call.key.as_ref().is_some_and(|key| key.to_string() == "node/control-plane-2")
        };
        bench.world.inject(every(joins_second, Fault::LostAnswer));
        let joined = |bench: &Bench| bench.finished.iter().any(|done| done.to_string() == "join node/control-plane-2");
        assert!(bench.run_until(HOUR, joined).await);
        // Nobody but the orchestrator knows now that it became a member.
        lose(&bench, Role::ControlPlane, 2);
        let id = bench.new_service_id();
        let change = vec![(id, service("web", "good:1", 2))];
        let create = bench.ask(|state, asked| state.admit_service_create(change, asked)).unwrap();
        let cause_of_service = ended(&mut bench, &create).await.cause.unwrap();
        assert!(bench.run_until(HOUR, |bench| bench.phase() == ClusterPhase::Degraded).await, "{}", bench.gates());
        let cause_of_cluster = bench.state.observed.orchestrator_cause.clone().unwrap();
        for cause in [cause_of_service, cause_of_cluster] {
            assert_eq!(cause.code, ErrorCode::QuorumLost, "{cause}");
            assert!(cause.remedy.unwrap().contains("delete the cluster"));
        }
        let delete = bench.ask(|state, asked| state.admit_delete(asked)).unwrap();
        assert_eq!(ended(&mut bench, &delete).await.phase, OperationPhase::Succeeded);
    });
}

#[test]
fn machines_that_are_all_out_of_sight_are_not_lost_and_count_again_when_they_are_seen() {
    run(async {
        for (control_planes, workers) in [(1, 0), (3, 2)] {
            let mut bench = ready(control_planes, workers).await;
            let before = bench.world.resources(INSTANCE, CLUSTER);
            let reaches_another_place = Duration::from_secs(900);
            bench.world.put_out_of_sight(CLUSTER, reaches_another_place);
            let is_told =
                |bench: &Bench| bench.state.causes().iter().any(|cause| cause.message.contains("is not found"));
            assert!(bench.run_until(HOUR, is_told).await, "{}", bench.gates());
            let cause = bench.state.causes().into_iter().find(|cause| cause.code == ErrorCode::NotFound).unwrap();
            assert!(cause.remedy.unwrap().contains("muster cluster delete demo"));
            bench.run_for(reaches_another_place).await;
            assert!(bench.run_until(HOUR, |bench| bench.phase() == ClusterPhase::Ready).await, "{}", bench.gates());
            assert_eq!(bench.world.resources(INSTANCE, CLUSTER), before, "the same machines");
        }
    });
}

#[test]
fn a_cluster_whose_machines_were_all_removed_says_so_and_can_be_deleted() {
    run(async {
        let mut bench = ready(3, 2).await;
        for (_, id) in bench.world.resources(INSTANCE, CLUSTER) {
            assert!(bench.world.lose(CLUSTER, &id));
        }
        let is_told = |bench: &Bench| bench.state.causes().iter().any(|cause| cause.message.contains("is not found"));
        assert!(bench.run_until(HOUR, is_told).await, "{}", bench.gates());
        let delete = bench.ask(|state, asked| state.admit_delete(asked)).unwrap();
        assert_eq!(ended(&mut bench, &delete).await.phase, OperationPhase::Succeeded);
        assert!(bench.world.audit(INSTANCE, &[CLUSTER]).is_clean());
    });
}

#[test]
fn one_lost_control_plane_of_three_is_replaced() {
    run(async {
        for number in 1..=3 {
            let mut bench = ready(3, 0).await;
            lose(&bench, Role::ControlPlane, number);
            assert!(bench.run_until(HOUR, |bench| bench.phase() == ClusterPhase::Degraded).await);
            assert!(bench.run_until(HOUR, |bench| bench.phase() == ClusterPhase::Ready).await, "{}", bench.gates());
            assert!(bench.world.audit(INSTANCE, &[CLUSTER]).is_clean());
        }
    });
}

#[test]
fn services_are_made_and_changed_while_any_control_plane_is_being_replaced() {
    run(async {
        for number in 1..=3 {
            let mut bench = ready(3, 0).await;
            // Its machine cannot be made again.
            let refused = Fault::Refused { code: ErrorCode::Quota, permanent: true };
            bench.world.inject(every(|call| call.kind == CallKind::Create, refused));
            lose(&bench, Role::ControlPlane, number);
            assert!(bench.run_until(HOUR, |bench| bench.phase() == ClusterPhase::Degraded).await);
            let asked_at = bench.now();
            let change = vec![(bench.new_service_id(), service("web", "good:1", 1))];
            let create = bench.ask(|state, asked| state.admit_service_create(change, asked)).unwrap();
            assert_eq!(ended(&mut bench, &create).await.phase, OperationPhase::Succeeded, "without {number}");
            let change = service("web", "good:2", 1);
            let update = bench.ask(|state, asked| state.admit_service_update(change, None, asked)).unwrap();
            assert_eq!(ended(&mut bench, &update).await.phase, OperationPhase::Succeeded, "without {number}");
            assert!(bench.now().since(asked_at) < Duration::from_secs(120), "without {number}");
        }
    });
}

#[test]
fn a_lost_majority_fails_what_is_asked_at_once_and_says_what_to_do() {
    run(async {
        for (control_planes, lost) in [(1, 1), (3, 2), (3, 3)] {
            let mut bench = ready(control_planes, 1).await;
            (1..=lost).for_each(|number| lose(&bench, Role::ControlPlane, number));
            bench.run_for(Duration::from_secs(300)).await;
            let seen = view::cluster(&bench.state, &bench.plan());
            for first in [seen.causes.first(), seen.summary.cause.as_ref()] {
                assert_eq!(first.unwrap().code, ErrorCode::QuorumLost, "what explains the others is told first");
            }
            let scale = bench.ask(|state, asked| state.admit_scale(None, Some(0), asked)).unwrap();
            let asked_at = bench.now();
            let end = ended(&mut bench, &scale).await;
            assert_eq!(end.phase, OperationPhase::Failed);
            let cause = end.cause.unwrap();
            assert_eq!(cause.code, ErrorCode::QuorumLost, "{cause}");
            assert!(cause.remedy.is_some());
            assert!(end.ended_at.unwrap().since(asked_at) < Duration::from_secs(1));
        }
    });
}
