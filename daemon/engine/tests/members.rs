//! Members of the orchestrator's cluster: taken out before their machines, and prepared again one after the other.

#![allow(clippy::unwrap_used, reason = "a helper of tests may panic as they do")]

mod bench;

use std::time::Duration;

use bench::Bench;
use bench::situations::{HOUR, ready, run};
use muster_engine::desired::machine_name;
use muster_engine::ledger::{ResourceKey, ResourceState};
use muster_engine::sim::{CallKind, Fault, every, nth};
use muster_engine::state::Observation;
use muster_protocol::ErrorCode;
use muster_protocol::model::cluster::ClusterPhase;
use muster_protocol::model::host::Role;

#[test]
fn a_machine_that_is_still_seen_as_a_node_is_not_removed_before_its_node_whatever_the_ledger_says() {
    run(async {
        for is_known in [true, false] {
            let mut bench = ready(3, 0).await;
            let node = ResourceKey::Node(machine_name(Role::ControlPlane, 3));
            // As if its joining had failed for certain, or had never been tried.
            if is_known {
                bench.state.ledger.get_mut(&node).unwrap().state = ResourceState::Wanted;
            } else {
                bench.state.ledger.remove(&node);
            }
            let asked = bench.asked();
            bench.state.admit_scale(Some(1), None, asked).unwrap();
            let steps = bench.steps();
            let wanted =
                ["remove node/control-plane-3", "remove machine/control-plane-3 < remove node/control-plane-3"];
            assert_eq!(steps[..2], wanted, "{is_known}");
        }
    });
}

#[test]
fn what_was_seen_before_a_node_left_does_not_bring_it_back() {
    run(async {
        let mut bench = ready(3, 0).await;
        let seen = (*bench.state.observed.orchestrator).clone();
        let before = bench.now();
        bench.run_for(Duration::from_secs(1)).await;
        bench.ask(|state, asked| state.admit_scale(Some(1), None, asked)).unwrap();
        let left = |bench: &Bench| bench.finished.iter().any(|done| done.to_string() == "remove node/control-plane-3");
        assert!(bench.run_until(HOUR, left).await);
        let look = Observation { orchestrator: Some(Ok(seen)), ..Observation::default() };
        bench.state.observe(look, before, bench.now());
        assert_eq!(bench.steps()[0], "remove machine/control-plane-3");
    });
}

#[test]
fn a_machine_whose_engine_has_stopped_is_prepared_again_and_waits_longer_each_time() {
    run(async {
        let mut bench = ready(3, 1).await;
        bench.finished.clear();
        let id_of = |bench: &Bench, role| {
            let key = ResourceKey::for_machine(machine_name(role, 1));
            bench.state.ledger[&key].present().unwrap().id.clone()
        };
        let id = id_of(&bench, Role::Worker);
        for (patience, times) in [(60, 1), (60, 2)] {
            assert!(bench.world.falter(bench.state.record.id, &id));
            bench.run_for(Duration::from_secs(patience - 15)).await;
            assert_eq!(prepared(&bench).len(), times - 1, "a restart of the engine is none of Muster's");
            assert!(bench.run_until(HOUR, |bench| prepared(bench).len() == times).await, "{}", bench.gates());
            assert!(bench.run_until(HOUR, |bench| bench.phase() == ClusterPhase::Ready).await, "{}", bench.gates());
        }
        // One that preparing does not help.
        let fault = Fault::Refused { code: ErrorCode::Unreachable, permanent: false };
        bench.world.inject(every(|call| call.kind == CallKind::Prepare, fault));
        assert!(bench.world.falter(bench.state.record.id, &id));
        bench.run_for(HOUR).await;
        bench.world.clear_faults();
        assert!(bench.run_until(HOUR, |bench| bench.phase() == ClusterPhase::Ready).await, "{}", bench.gates());
        // The others know it of a control plane.
        bench.finished.clear();
        assert!(bench.world.falter(bench.state.record.id, &id_of(&bench, Role::ControlPlane)));
        assert!(bench.run_until(HOUR, |bench| prepared(bench) == ["control-plane-1"]).await, "{}", bench.gates());
        assert!(bench.run_until(HOUR, |bench| bench.phase() == ClusterPhase::Ready).await, "{}", bench.gates());
    });
}

/// Which machines have been prepared again, in their order.
fn prepared(bench: &Bench) -> Vec<String> {
    let done = bench.finished.iter().map(ToString::to_string);
    done.filter_map(|done| done.strip_prefix("prepare machine/").map(str::to_owned)).collect()
}

async fn with_new_recipe() -> Bench {
    let mut bench = ready(3, 0).await;
    bench.finished.clear();
    bench.adopt("sim-new");
    bench
}

#[test]
fn a_member_is_not_prepared_again_before_the_one_before_it_was_seen_ready_since() {
    run(async {
        let mut bench = with_new_recipe().await;
        for (number, waits) in [(1, true), (2, true), (3, false)] {
            assert!(bench.run_until(HOUR, |bench| prepared(bench).len() == number).await, "{}", bench.gates());
            let text = format!("control-plane-{number} has to be ready again first");
            assert_eq!(bench.gates().contains(&text), waits, "{}", bench.gates());
        }
        assert_eq!(prepared(&bench), ["control-plane-1", "control-plane-2", "control-plane-3"]);
        assert!(bench.run_until(HOUR, |bench| bench.phase() == ClusterPhase::Ready).await, "{}", bench.gates());
    });
}

#[test]
fn a_member_that_does_not_come_back_keeps_the_others_waiting_but_not_for_ever() {
    run(async {
        let mut bench = with_new_recipe().await;
        bench.world.inject(every(|call| call.kind == CallKind::ObserveOrchestrator, Fault::LostRequest));
        assert!(bench.run_until(HOUR, |bench| prepared(bench).len() == 1).await, "{}", bench.gates());
        bench.run_for(Duration::from_secs(240)).await;
        assert_eq!(prepared(&bench), ["control-plane-1"]);
        assert!(bench.run_until(HOUR / 2, |bench| prepared(bench).len() == 3).await, "{}", bench.gates());
        bench.world.clear_faults();
        assert!(bench.run_until(HOUR, |bench| bench.phase() == ClusterPhase::Ready).await, "{}", bench.gates());
    });
}

#[test]
fn a_machine_is_noted_with_what_its_preparation_began_with() {
    run(async {
        let mut bench = ready(3, 0).await;
        bench.finished.clear();
        bench.world.inject(nth(|call| call.kind == CallKind::Prepare, 0, Fault::Slow(Duration::from_secs(30))));
        bench.adopt("sim-new");
        let first = "control-plane-1";
        let is_under_way = |bench: &Bench| {
            let mut calls = bench.state.in_flight.values();
            calls.any(|call| call.action.to_string() == format!("prepare machine/{first}"))
        };
        assert!(bench.run_until(HOUR, is_under_way).await, "{}", bench.gates());
        bench.adopt("sim-newer");
        let times = |bench: &Bench| prepared(bench).iter().filter(|machine| *machine == first).count();
        assert!(bench.run_until(HOUR, |bench| times(bench) == 2).await, "{}", bench.gates());
        assert!(bench.run_until(HOUR, |bench| bench.phase() == ClusterPhase::Ready).await, "{}", bench.gates());
        assert_eq!(times(&bench), 2);
    });
}
