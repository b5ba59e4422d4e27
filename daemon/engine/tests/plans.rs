//! The main situations and what is planned in them, step by step, in the words that users see.

#![allow(clippy::unwrap_used, reason = "a helper of tests may panic as they do")]

mod bench;

use std::time::Duration;

use bench::situations::{HOUR, ended, lose, ready, run};
use bench::{Bench, CLUSTER, INSTANCE};
use muster_engine::sim::{CallKind, Fault, every, nth};
use muster_engine::state::{ClusterState, Observation, Requested};
use muster_protocol::model::cluster::ClusterPhase;
use muster_protocol::model::host::Role;
use muster_protocol::model::operation::{OperationInfo, OperationKind, OperationPhase};
use muster_protocol::{Error, ErrorCode, OperationId, Principal};

#[test]
fn a_cluster_is_made_from_its_network_up() {
    run(async {
        let bench = Bench::create(1, 2, 1);
        assert_eq!(
            bench.steps(),
            [
                "create network",
                "create machine/control-plane-1 < create network",
                "prepare machine/control-plane-1 < create machine/control-plane-1",
                "create machine/worker-1 < create network",
                "prepare machine/worker-1 < create machine/worker-1",
                "create machine/worker-2 < create network",
                "prepare machine/worker-2 < create machine/worker-2",
                "form orchestrator < create machine/control-plane-1, prepare machine/control-plane-1",
                "join node/control-plane-1 < create machine/control-plane-1, prepare machine/control-plane-1, form orchestrator",
                "await node/control-plane-1 < join node/control-plane-1",
                "join node/worker-1 < create machine/worker-1, prepare machine/worker-1, form orchestrator, join node/control-plane-1",
                "await node/worker-1 < join node/worker-1",
                "join node/worker-2 < create machine/worker-2, prepare machine/worker-2, form orchestrator, join node/control-plane-1",
                "await node/worker-2 < join node/worker-2",
            ]
        );
    });
}

#[test]
fn control_planes_join_one_after_the_other_was_seen_ready() {
    run(async {
        let bench = Bench::create(3, 0, 1);
        let joins: Vec<String> = bench.steps().into_iter().filter(|step| step.starts_with("join")).collect();
        assert!(joins[1].ends_with("form orchestrator, await node/control-plane-1"), "{joins:?}");
        assert!(joins[2].ends_with("form orchestrator, await node/control-plane-2"), "{joins:?}");
    });
}

#[test]
fn a_look_with_nothing_new_is_rest_and_one_with_news_is_not() {
    run(async {
        let bench = ready(1, 1).await;
        let (before, later) = (&bench.state, bench.now() + Duration::from_secs(60));
        let look = |ready: bool| {
            let mut view = (*before.observed.orchestrator).clone();
            view.nodes.values_mut().for_each(|node| node.ready = ready);
            let mut next = before.clone();
            let observation = Observation { orchestrator: Some(Ok(view)), ..Observation::default() };
            next.observe(observation, later, later);
            next
        };
        assert!(look(true).is_at_rest_since(before, &bench.plan()));
        assert_eq!(look(true).observed.orchestrator_at, Some(later));
        assert!(!look(false).is_at_rest_since(before, &bench.plan()));

        let mut asked = before.clone();
        asked
            .admit_scale(
                None,
                Some(2),
                Requested { operation: OperationId::from_u128(99), by: Principal::user("root"), at: later },
            )
            .unwrap();
        assert!(!asked.is_at_rest_since(before, &bench.plan()));
        assert!(!look(true).is_at_rest_since(&asked, &bench.plan()), "an operation is to be ended");
    });
}

#[test]
fn a_ready_cluster_has_an_empty_plan_and_its_operation_succeeded() {
    run(async {
        let bench = ready(3, 2).await;
        assert_eq!(bench.steps(), [""; 0]);
        let phases: Vec<OperationPhase> = bench.ended.values().map(|info| info.phase).collect();
        assert_eq!(phases, [OperationPhase::Succeeded]);
    });
}

#[test]
fn scaling_up_adds_only_what_is_missing() {
    run(async {
        let mut bench = ready(1, 1).await;
        bench.ask(|state, asked| state.admit_scale(None, Some(2), asked)).unwrap();
        assert_eq!(
            bench.steps(),
            [
                "create machine/worker-2",
                "prepare machine/worker-2 < create machine/worker-2",
                "join node/worker-2 < create machine/worker-2, prepare machine/worker-2",
                "await node/worker-2 < join node/worker-2",
            ]
        );
    });
}

#[test]
fn scaling_down_takes_nodes_out_before_their_machines_and_control_planes_one_at_a_time() {
    run(async {
        let mut bench = ready(3, 1).await;
        bench.ask(|state, asked| state.admit_scale(Some(1), Some(0), asked)).unwrap();
        assert_eq!(
            bench.steps(),
            [
                "remove node/worker-1",
                "remove machine/worker-1 < remove node/worker-1",
                "remove node/control-plane-3",
                "remove machine/control-plane-3 < remove node/control-plane-3",
                "remove node/control-plane-2 < remove node/control-plane-3, remove machine/control-plane-3",
                "remove machine/control-plane-2 < remove node/control-plane-2",
            ]
        );
    });
}

#[test]
fn a_control_plane_that_is_down_is_scaled_away_before_those_that_are_up() {
    run(async {
        let mut bench = ready(3, 0).await;
        lose(&bench, Role::ControlPlane, 2);
        assert!(bench.run_until(HOUR, |bench| bench.phase() == ClusterPhase::Degraded).await);
        let scale = bench.ask(|state, asked| state.admit_scale(Some(1), None, asked)).unwrap();
        assert_eq!(ended(&mut bench, &scale).await.phase, OperationPhase::Succeeded);
        assert!(bench.world.audit(INSTANCE, &[CLUSTER]).is_clean());
    });
}

#[test]
fn a_machine_that_was_scaled_away_comes_back_as_another_without_a_refused_call() {
    run(async {
        let mut bench = ready(1, 1).await;
        for workers in [0, 1] {
            let scale = bench.ask(|state, asked| state.admit_scale(None, Some(workers), asked)).unwrap();
            assert_eq!(ended(&mut bench, &scale).await.phase, OperationPhase::Succeeded);
        }
        let creations = bench.begun.iter().filter(|action| action.to_string() == "create machine/worker-1").count();
        assert_eq!(creations, 2);
    });
}

#[test]
fn a_lost_worker_is_replaced_once_its_node_is_out() {
    run(async {
        let mut bench = ready(1, 1).await;
        lose(&bench, Role::Worker, 1);
        // Not listed any more, the machine is looked up by its key before it counts as lost.
        let noticed = bench.run_until(HOUR, |bench| bench.steps().len() > 1).await;
        assert!(noticed);
        assert_eq!(bench.steps(), ["look up machine/worker-1", "await node/worker-1 < look up machine/worker-1"]);
        let lost = bench.run_until(HOUR, |bench| bench.steps().len() > 2).await;
        assert!(lost);
        assert_eq!(
            bench.steps(),
            [
                "remove node/worker-1",
                "create machine/worker-1 < remove node/worker-1",
                "prepare machine/worker-1 < create machine/worker-1",
                "join node/worker-1 < create machine/worker-1, prepare machine/worker-1, remove node/worker-1",
                "await node/worker-1 < join node/worker-1",
            ]
        );
        assert!(bench.run_until(HOUR, |bench| bench.phase() == ClusterPhase::Ready).await, "{}", bench.gates());
    });
}

#[test]
fn a_majority_that_is_lost_while_scaling_down_fails_the_scaling_at_once() {
    run(async {
        let mut bench = ready(3, 0).await;
        let scale = bench.ask(|state, asked| state.admit_scale(Some(1), None, asked)).unwrap();
        let gone =
            |bench: &Bench| bench.finished.iter().any(|done| done.to_string() == "remove machine/control-plane-3");
        bench.world.inject(every(
            |call| {
                call.kind == CallKind::RemoveNode
                    && call.key.as_ref().is_some_and(|key| key.to_string() == "node/control-plane-2")
            },
            Fault::LostRequest,
        ));
        assert!(bench.run_until(HOUR, gone).await);
        lose(&bench, Role::ControlPlane, 2);
        let lost_at = bench.now();
        let end = ended(&mut bench, &scale).await;
        assert_eq!((end.phase, end.cause.unwrap().code), (OperationPhase::Failed, ErrorCode::QuorumLost));
        assert!(end.ended_at.unwrap().since(lost_at) < Duration::from_secs(300));
    });
}

#[test]
fn a_first_control_plane_that_is_lost_before_anybody_joined_is_made_anew() {
    run(async {
        let mut bench = Bench::create(1, 1, 1);
        let formed = |bench: &Bench| bench.finished.iter().any(|action| action.to_string() == "form orchestrator");
        assert!(bench.run_until(HOUR, formed).await);
        lose(&bench, Role::ControlPlane, 1);
        assert!(bench.run_until(HOUR, |bench| bench.phase() == ClusterPhase::Ready).await, "{}", bench.gates());
        assert!(bench.world.audit(INSTANCE, &[CLUSTER]).is_clean());
    });
}

#[test]
fn a_removal_of_a_control_plane_whose_answer_was_lost_does_not_count_for_the_quorum() {
    run(async {
        let mut bench = ready(3, 0).await;
        bench.world.inject(every(|call| call.kind == CallKind::RemoveNode, Fault::LostAnswer));
        let scale = bench.ask(|state, asked| state.admit_scale(Some(1), None, asked)).unwrap();
        bench.run_for(Duration::from_secs(300)).await;
        bench.world.clear_faults();
        assert_eq!(ended(&mut bench, &scale).await.phase, OperationPhase::Succeeded);
    });
}

#[test]
fn what_may_have_been_made_is_looked_up_and_never_made_again() {
    run(async {
        let mut bench = Bench::create(1, 0, 1);
        bench.world.inject(nth(|call| call.kind == CallKind::Create, 0, Fault::LostAnswer));
        assert!(bench.run_until(HOUR, |bench| bench.steps()[0].starts_with("look up network")).await);
        assert!(bench.run_until(HOUR, |bench| bench.phase() == ClusterPhase::Ready).await);
        assert!(bench.world.audit(INSTANCE, &[CLUSTER]).is_clean());
    });
}

#[test]
fn what_is_not_listed_yet_is_not_taken_for_absent_not_even_after_a_restart() {
    run(async {
        for restart in [false, true] {
            // Without tokens a second creation makes a second network.
            let mut bench = Bench::create_at(false, 1, 0, 1);
            let lag = bench.state.deadlines.listing_lag;
            bench.world.inject(nth(|call| call.kind == CallKind::Create, 0, Fault::LostAndListedLate(lag)));
            bench.advance();
            bench.run_for(lag / 2).await;
            if restart {
                bench.crash();
            }
            assert!(bench.run_until(HOUR, |bench| bench.phase() == ClusterPhase::Ready).await);
            let times = |step: &str| bench.begun.iter().filter(|action| action.to_string() == step).count();
            assert!(times("look up network") > 1, "it was looked up before it was listed");
            assert_eq!(times("create network"), 1);
            let delete = bench.ask(|state, asked| state.admit_delete(asked)).unwrap();
            assert_eq!(ended(&mut bench, &delete).await.phase, OperationPhase::Succeeded);
            assert!(bench.world.audit(INSTANCE, &[]).is_clean());
        }
    });
}

#[test]
fn a_permanent_refusal_fails_the_operation_at_once_with_its_cause_and_a_retry_goes_on() {
    run(async {
        let mut bench = Bench::create(1, 1, 1);
        let refused = Fault::Refused { code: ErrorCode::Quota, permanent: true };
        bench.world.inject(every(|call| call.kind == CallKind::Create, refused));
        assert!(bench.run_until(HOUR, |bench| !bench.ended.is_empty()).await);
        let create = bench.ended.values().next().unwrap();
        assert_eq!(create.phase, OperationPhase::Failed);
        assert_eq!(create.cause.as_ref().unwrap().code, ErrorCode::Quota);
        assert!(create.ended_at.unwrap().since(create.created_at) < Duration::from_secs(1));
        bench.world.clear_faults();
        let retry = bench.ask(|state, asked| state.admit_retry(asked)).unwrap();
        assert_eq!(ended(&mut bench, &retry).await.phase, OperationPhase::Succeeded);
    });
}

#[test]
fn an_operation_that_another_one_replaced_stays_superseded() {
    run(async {
        let mut bench = Bench::create(1, 1, 1);
        bench.ask(|state, asked| state.admit_scale(None, Some(2), asked)).unwrap();
        let create = bench.ended.values().next().unwrap();
        assert_eq!(create.phase, OperationPhase::Superseded);
        assert_eq!(create.cause.as_ref().unwrap().code, ErrorCode::Superseded);
    });
}

#[test]
fn a_creation_goes_on_as_an_operation_when_what_took_its_place_is_cancelled() {
    run(async {
        type Change = fn(&mut ClusterState, Requested) -> Result<OperationInfo, Error>;
        let changes: [Change; 2] = [|state, asked| state.admit_scale(None, Some(2), asked), ClusterState::admit_delete];
        for change in changes {
            let mut bench = Bench::create(1, 1, 1);
            let change = bench.ask(change).unwrap();
            bench.ask(|state, asked| state.admit_cancel(change.id, asked)).unwrap();
            assert_eq!(bench.end_of(&change).unwrap().phase, OperationPhase::Cancelled);
            let running: Vec<OperationInfo> =
                bench.state.operations.values().map(|record| record.info.clone()).collect();
            let [creation] = running.as_slice() else { panic!("{running:?}") };
            assert_eq!((creation.kind, bench.phase()), (OperationKind::ClusterCreate, ClusterPhase::Creating));
            assert_eq!(ended(&mut bench, creation).await.phase, OperationPhase::Succeeded);
            let scale = bench.ask(|state, asked| state.admit_scale(None, Some(3), asked)).unwrap();
            bench.ask(|state, asked| state.admit_cancel(scale.id, asked)).unwrap();
            assert_eq!(bench.state.operations.len(), 0, "a cluster that was ready is not created again");
        }
    });
}
