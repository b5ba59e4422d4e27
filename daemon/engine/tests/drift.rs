//! What somebody else's hand changed is seen, shown and put right.

#![allow(clippy::unwrap_used, reason = "a helper of tests may panic as they do")]

mod bench;

use std::time::Duration;

use bench::situations::{HOUR, ended, ready, run};
use bench::{Bench, CLUSTER, INSTANCE};
use muster_engine::action::{Action, Outcome};
use muster_engine::desired::machine_name;
use muster_engine::ledger::{Facts, Present, ResourceKey, ResourceState};
use muster_engine::observed::{ObservedNode, Voter};
use muster_engine::sim::{CallKind, Fault, every, nth};
use muster_engine::state::Observation;
use muster_engine::view;
use muster_protocol::model::cluster::ClusterPhase;
use muster_protocol::model::host::{HostPhase, Role};
use muster_protocol::model::operation::OperationPhase;
use muster_protocol::{ErrorCode, Name};

async fn comes_to_be(bench: &mut Bench, phase: ClusterPhase) {
    assert!(bench.run_until(HOUR, |bench| bench.phase() == phase).await, "{}", bench.gates());
}

/// Runs until the change is seen, and shows that it is put right by joining again, once, and nothing else.
async fn is_joined_again(bench: &mut Bench, machine: &Name) {
    bench.begun.clear();
    comes_to_be(bench, ClusterPhase::Degraded).await;
    let (join, wait) = (format!("join node/{machine}"), format!("await node/{machine}"));
    assert_eq!(bench.steps(), [join.clone(), format!("{wait} < {join}")]);
    let hosts = view::hosts(&bench.state);
    assert!(hosts.iter().all(|host| (host.phase == HostPhase::Ready) == (host.name != *machine)), "{hosts:?}");
    comes_to_be(bench, ClusterPhase::Ready).await;
    let begun: Vec<String> = bench.begun.iter().map(ToString::to_string).collect();
    assert_eq!(begun, [join]);
    assert!(bench.world.audit(INSTANCE, &[CLUSTER]).is_clean());
}

#[test]
fn a_demoted_control_plane_is_promoted_again() {
    run(async {
        let mut bench = ready(3, 1).await;
        let machine = machine_name(Role::ControlPlane, 2);
        assert!(bench.world.change_role(CLUSTER, &machine, Role::Worker));
        is_joined_again(&mut bench, &machine).await;
    });
}

#[test]
fn a_promoted_worker_is_demoted_again() {
    run(async {
        let mut bench = ready(1, 2).await;
        let machine = machine_name(Role::Worker, 2);
        assert!(bench.world.change_role(CLUSTER, &machine, Role::ControlPlane));
        is_joined_again(&mut bench, &machine).await;
    });
}

#[test]
fn a_node_that_was_struck_off_while_its_machine_lives_joins_again() {
    run(async {
        for machine in [machine_name(Role::Worker, 1), machine_name(Role::ControlPlane, 3)] {
            let mut bench = ready(3, 1).await;
            let key = ResourceKey::Node(machine.clone());
            let before = bench.state.ledger[&key].present().cloned();
            assert!(bench.world.strike_off(CLUSTER, &machine));
            bench.begun.clear();
            comes_to_be(&mut bench, ClusterPhase::Degraded).await;
            comes_to_be(&mut bench, ClusterPhase::Ready).await;
            assert_eq!(bench.begun.len(), 1, "{:?}", bench.begun);
            assert_ne!(bench.state.ledger[&key].present().cloned(), before, "the node is another");
        }
    });
}

#[test]
fn a_control_plane_that_was_demoted_does_not_count_for_the_majority() {
    run(async {
        let mut bench = ready(3, 0).await;
        bench.world.change_role(CLUSTER, &machine_name(Role::ControlPlane, 1), Role::Worker);
        bench.world.inject(every(|call| call.kind == CallKind::Join, Fault::LostRequest));
        comes_to_be(&mut bench, ClusterPhase::Degraded).await;
        let scale = bench.ask(|state, asked| state.admit_scale(Some(1), None, asked)).unwrap();
        bench.run_for(HOUR / 12).await;
        assert!(bench.begun.iter().all(|action| !action.to_string().starts_with("remove")), "{:?}", bench.begun);
        bench.world.clear_faults();
        assert_eq!(ended(&mut bench, &scale).await.phase, OperationPhase::Succeeded);
        assert!(bench.world.audit(INSTANCE, &[CLUSTER]).is_clean());
    });
}

/// Two of three decide while the vote of one that has left is not struck off: neither of them may go.
#[test]
fn a_control_plane_that_has_left_by_itself_counts_for_the_majority_while_it_votes() {
    run(async {
        let mut bench = ready(3, 0).await;
        let left = machine_name(Role::ControlPlane, 2);
        let mut view = (*bench.state.observed.orchestrator).clone();
        let voter = |(machine, node): (&Name, &ObservedNode)| Voter {
            id: node.id.clone(),
            machine: Some(machine.clone()),
            healthy: *machine != left,
            learner: false,
        };
        view.voters = Some(view.nodes.iter().map(voter).collect());
        view.nodes.remove(&left);
        let at = bench.now() + Duration::from_secs(60);
        bench.state.observe(Observation { orchestrator: Some(Ok(view)), ..Observation::default() }, at, at);
        bench.state.settle(at);
        // A removal of another one was broken off.
        let other = bench.state.ledger.get_mut(&ResourceKey::Node(machine_name(Role::ControlPlane, 3))).unwrap();
        other.state = ResourceState::Removing(other.present().cloned().unwrap());
        let gates = bench.gates();
        let removal = gates.lines().find(|line| line.starts_with("remove node/control-plane-3")).unwrap();
        assert!(removal.contains("only 2 of 3 control planes are ready"), "{gates}");
    });
}

#[test]
fn a_node_that_joins_again_is_the_same_one_whatever_comes_between() {
    run(async {
        for fault in
            [Fault::LostAnswer, Fault::LostRequest, Fault::Hang { applied: true }, Fault::Hang { applied: false }]
        {
            let mut bench = ready(3, 0).await;
            let machine = machine_name(Role::ControlPlane, 2);
            let node = bench.state.ledger[&ResourceKey::Node(machine.clone())].present().cloned();
            bench.world.change_role(CLUSTER, &machine, Role::Worker);
            bench.world.inject(nth(|call| call.kind == CallKind::Join, 0, fault));
            bench.begun.clear();
            assert!(bench.run_until(HOUR, |bench| !bench.begun.is_empty()).await);
            bench.crash();
            bench.run_for(HOUR / 4).await;
            comes_to_be(&mut bench, ClusterPhase::Ready).await;
            assert_eq!(bench.state.ledger[&ResourceKey::Node(machine)].present().cloned(), node);
            assert!(bench.world.audit(INSTANCE, &[CLUSTER]).is_clean());
        }
    });
}

#[test]
fn a_node_that_the_orchestrator_does_not_see_ready_is_a_cause_in_its_words() {
    run(async {
        let mut bench = ready(1, 1).await;
        let machine = machine_name(Role::Worker, 1);
        let see = |bench: &mut Bench, message: Option<&str>, after: Duration| {
            let mut view = (*bench.state.observed.orchestrator).clone();
            let node = view.nodes.get_mut(&machine).unwrap();
            (node.ready, node.message) = (message.is_none(), message.map(str::to_owned));
            let at = bench.state.ledger[&ResourceKey::Node(machine.clone())].since + after;
            bench.state.observe(Observation { orchestrator: Some(Ok(view)), ..Observation::default() }, at, at);
            bench.state.settle(at);
        };
        see(&mut bench, Some("it drains"), Duration::from_secs(1));
        assert_eq!(bench.state.causes(), [], "it has only just joined");
        see(&mut bench, Some("it drains"), Duration::from_secs(60));
        assert_eq!(bench.phase(), ClusterPhase::Degraded);
        let causes = bench.state.causes();
        let [cause] = causes.as_slice() else { panic!("one cause is wanted: {causes:?}") };
        assert_eq!((cause.code, cause.step.as_str()), (ErrorCode::Unhealthy, "await node/worker-1"));
        assert!(cause.message.contains("it drains") && cause.remedy.is_some(), "{cause}");
        let hosts = view::hosts(&bench.state);
        let host = hosts.iter().find(|host| host.name == machine).unwrap();
        assert_eq!((host.phase, host.cause.as_ref()), (HostPhase::NotReady, Some(cause)));
        let steps = view::plan_view(&bench.state, &bench.plan()).steps;
        let waits_for: Vec<_> = steps.iter().map(|step| (step.name.as_str(), step.waits_for.as_deref())).collect();
        assert_eq!(waits_for, [("await node/worker-1", Some(cause.message.as_str()))]);
        see(&mut bench, None, Duration::from_secs(70));
        assert_eq!((bench.state.causes(), bench.phase()), (vec![], ClusterPhase::Ready));
    });
}

#[test]
fn a_stopped_machine_is_started_once() {
    run(async {
        let mut bench = ready(1, 1).await;
        let worker = ResourceKey::for_machine(machine_name(Role::Worker, 1));
        let machines = bench.world.resources(INSTANCE, CLUSTER);
        let (_, id) = machines.into_iter().find(|(key, _)| *key == worker).unwrap();
        bench.world.stop(CLUSTER, &id);
        assert!(bench.run_until(HOUR, |bench| bench.phase() == ClusterPhase::Degraded).await);
        assert!(bench.run_until(HOUR, |bench| bench.phase() == ClusterPhase::Ready).await, "{}", bench.gates());
        let starts = bench.begun.iter().filter(|action| action.to_string() == "start machine/worker-1").count();
        assert_eq!(starts, 1);
    });
}

#[test]
fn a_step_on_a_machine_that_stops_or_goes_under_it_is_not_waited_for() {
    run(async {
        for goes in [false, true] {
            let mut bench = ready(1, 0).await;
            // It never answers, and its own deadline is minutes away.
            let hangs = Fault::Hang { applied: false };
            bench.world.inject(nth(|call| call.kind == CallKind::Prepare, 0, hangs));
            bench.ask(|state, asked| state.admit_scale(None, Some(1), asked)).unwrap();
            let begun =
                |bench: &Bench| bench.begun.iter().any(|action| action.to_string() == "prepare machine/worker-1");
            assert!(bench.run_until(HOUR, begun).await, "{}", bench.gates());
            let worker = ResourceKey::for_machine(machine_name(Role::Worker, 1));
            let machines = bench.world.resources(INSTANCE, CLUSTER);
            let (_, id) = machines.into_iter().find(|(key, _)| *key == worker).unwrap();
            assert!(if goes { bench.world.lose(CLUSTER, &id) } else { bench.world.stop(CLUSTER, &id) });
            let is_ready = |bench: &Bench| bench.phase() == ClusterPhase::Ready && bench.state.operations.is_empty();
            let soon = Duration::from_secs(300);
            assert!(soon < bench.state.deadlines.preparation / 2, "the step's own deadline is no help");
            assert!(bench.run_until(soon, is_ready).await, "gone: {goes}: {}", bench.gates());
        }
    });
}

#[test]
fn a_machine_that_is_there_and_cannot_be_reached_is_looked_up_again_while_it_is_wanted_and_goes_when_it_is_not() {
    run(async {
        let mut bench = ready(1, 1).await;
        let key = ResourceKey::for_machine(machine_name(Role::Worker, 1));
        let found = |bench: &mut Bench| {
            let now = bench.now();
            let id = bench.state.ledger[&key].id().unwrap().clone();
            let present = Present { id, facts: Facts::None };
            bench.state.ledger.get_mut(&key).unwrap().state = ResourceState::Unknown(None);
            bench.state.finish(&Action::LookUp(key.clone()), Outcome::Present(present), now);
            bench.keep_what_was_set();
        };
        found(&mut bench);
        let entry = &bench.state.ledger[&key];
        assert!(matches!(&entry.state, ResourceState::Unknown(Some(_))), "{entry:?}");
        assert_eq!(entry.cause.as_ref().map(|cause| cause.code), Some(ErrorCode::Unreachable));
        assert!(bench.steps().iter().any(|step| step.starts_with("look up machine/worker-1")), "{:?}", bench.steps());
        // The next look finds how to reach it.
        comes_to_be(&mut bench, ClusterPhase::Ready).await;

        // Once it is to go, its id is all that its removal needs.
        let (asked, now) = (bench.asked(), bench.now());
        let mut going = bench.state.clone();
        going.admit_delete(asked).unwrap();
        let id = going.ledger[&key].id().unwrap().clone();
        going.ledger.get_mut(&key).unwrap().state = ResourceState::Unknown(None);
        going.finish(&Action::LookUp(key.clone()), Outcome::Present(Present { id, facts: Facts::None }), now);
        assert!(going.ledger[&key].present().is_some(), "{:?}", going.ledger[&key]);
    });
}
