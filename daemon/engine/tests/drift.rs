//! What somebody else's hand changed is seen, shown and put right.

#![allow(clippy::unwrap_used, reason = "a helper of tests may panic as they do")]

mod bench;

use bench::situations::{HOUR, ended, ready, run};
use bench::{Bench, CLUSTER, INSTANCE};
use muster_engine::desired::machine_name;
use muster_engine::ledger::ResourceKey;
use muster_engine::sim::{CallKind, Fault, every, nth};
use muster_engine::view;
use muster_protocol::Name;
use muster_protocol::model::cluster::ClusterPhase;
use muster_protocol::model::host::{HostPhase, Role};
use muster_protocol::model::operation::OperationPhase;

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
fn a_stopped_machine_is_started_once() {
    run(async {
        let mut bench = ready(1, 1).await;
        let worker = ResourceKey::Machine(machine_name(Role::Worker, 1));
        let machines = bench.world.resources(INSTANCE, CLUSTER);
        let (_, id) = machines.into_iter().find(|(key, _)| *key == worker).unwrap();
        bench.world.stop(CLUSTER, &id);
        assert!(bench.run_until(HOUR, |bench| bench.phase() == ClusterPhase::Degraded).await);
        assert!(bench.run_until(HOUR, |bench| bench.phase() == ClusterPhase::Ready).await, "{}", bench.gates());
        let starts = bench.begun.iter().filter(|action| action.to_string() == "start machine/worker-1").count();
        assert_eq!(starts, 1);
    });
}
