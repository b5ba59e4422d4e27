//! Since when and until when steps stand as they do.

#![allow(clippy::unwrap_used, reason = "test code, though not in test functions")]

mod bench;

use std::time::Duration;

use bench::situations::{HOUR, ended, lose, ready, run, service};
use bench::{Bench, CLUSTER};
use muster_engine::sim::{CallKind, Fault, every};
use muster_engine::view;
use muster_protocol::ErrorCode;
use muster_protocol::model::cluster::ClusterPhase;
use muster_protocol::model::host::Role;
use muster_protocol::model::plan::{Step, StepStatus};

fn steps(bench: &Bench) -> Vec<Step> {
    view::plan_view(&bench.state, &bench.plan()).steps
}

fn waiting(bench: &Bench) -> Vec<Step> {
    steps(bench).into_iter().filter(|step| step.status == StepStatus::Waiting).collect()
}

fn refuse(bench: &Bench, kind: CallKind) {
    let refused = Fault::Refused { code: ErrorCode::Provider, permanent: false };
    bench.world.inject(every(move |call| call.kind == kind, refused));
}

#[test]
fn a_step_has_the_deadline_of_the_operation_that_waits_for_it_and_of_no_other() {
    run(async {
        let mut bench = ready(1, 0).await;
        refuse(&bench, CallKind::Create);
        refuse(&bench, CallKind::Deploy);
        let scale = bench.ask(|state, asked| state.admit_scale(None, Some(1), asked)).unwrap();
        bench.run_for(Duration::from_secs(60)).await;
        let id = bench.new_service_id();
        let change = service("web", "sim/web:1", 1);
        let create = bench.ask(|state, asked| state.admit_service_create(vec![(id, change)], asked)).unwrap();
        bench.run_for(Duration::from_secs(60)).await;
        assert_ne!(scale.deadline, create.deadline);
        let steps = steps(&bench);
        let of_service = |step: &&Step| step.name.contains("service/web");
        let idle = steps.iter().filter(|step| step.status != StepStatus::Running);
        let (services, cluster): (Vec<&Step>, Vec<&Step>) = idle.partition(of_service);
        assert!(
            !services.is_empty() && services.iter().all(|step| step.deadline == Some(create.deadline)),
            "{services:?}"
        );
        assert!(!cluster.is_empty() && cluster.iter().all(|step| step.deadline == Some(scale.deadline)), "{cluster:?}");
    });
}

#[test]
fn a_cluster_that_mends_itself_says_since_when_and_until_when_however_long_it_takes() {
    run(async {
        let mut bench = ready(1, 1).await;
        refuse(&bench, CallKind::Create);
        lose(&bench, Role::Worker, 1);
        assert!(bench.run_until(HOUR, |bench| bench.phase() == ClusterPhase::Degraded).await);
        // One look that does not find the machine may be wrong.
        bench.run_for(Duration::from_secs(180)).await;
        let (since, turn) = (bench.state.record.phase_since, bench.state.deadlines.cluster);
        let in_first_turn = waiting(&bench);
        assert!(!in_first_turn.is_empty(), "{}", bench.gates());
        assert!(in_first_turn.iter().all(|step| step.since.is_some() && step.deadline == Some(since + turn)));
        bench.run_for(turn).await;
        assert_eq!(bench.phase(), ClusterPhase::Degraded);
        let in_second_turn = waiting(&bench);
        assert!(in_second_turn.iter().all(|step| step.deadline == Some(since + turn * 2)), "{in_second_turn:?}");
    });
}

#[test]
fn what_is_left_of_a_released_cluster_is_not_due_in_the_past() {
    run(async {
        let mut bench = ready(1, 1).await;
        refuse(&bench, CallKind::Remove);
        let delete = bench.ask(|state, asked| state.admit_delete(asked)).unwrap();
        assert_eq!(ended(&mut bench, &delete).await.deadline, delete.deadline);
        assert_eq!((bench.phase(), bench.state.id()), (ClusterPhase::Released, CLUSTER));
        bench.run_for(Duration::from_secs(60)).await;
        let turn = bench.state.deadlines.removal;
        let left = waiting(&bench);
        assert!(!left.is_empty(), "{}", bench.gates());
        assert!(left.iter().all(|step| step.deadline == Some(delete.deadline + turn)), "{left:?}");
    });
}

#[test]
fn what_waits_for_a_call_that_hangs_is_not_due_in_the_past() {
    run(async {
        let mut bench = ready(1, 1).await;
        refuse(&bench, CallKind::Remove);
        let delete = bench.ask(|state, asked| state.admit_delete(asked)).unwrap();
        ended(&mut bench, &delete).await;
        assert_eq!(bench.phase(), ClusterPhase::Released);
        let turn = bench.state.deadlines.removal;
        bench.run_for(turn - Duration::from_secs(120)).await;
        bench.world.clear_faults();
        bench.world.inject(every(|call| call.kind == CallKind::Remove, Fault::Hang { applied: false }));
        // Nothing is heard while the calls hang, and the turn ends meanwhile.
        bench.run_for(Duration::from_secs(500)).await;
        assert!(bench.now() > delete.deadline + turn && !bench.state.in_flight.is_empty(), "{}", bench.gates());
        let left = waiting(&bench);
        assert!(!left.is_empty() && left.iter().all(|step| step.deadline > Some(bench.now())), "{left:?}");
    });
}
