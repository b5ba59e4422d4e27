//! The one address of a cluster's control planes, where the infrastructure gives them one.

#![allow(clippy::unwrap_used, reason = "a helper of tests may panic as they do")]

mod bench;

use bench::situations::{HOUR, ended, lose, ready_on_a_cloud, run};
use bench::{Bench, CLUSTER, INSTANCE};
use muster_engine::sim::{Call, CallKind, Fault, nth};
use muster_engine::view;
use muster_protocol::ErrorCode;
use muster_protocol::model::cluster::ClusterPhase;
use muster_protocol::model::host::Role;
use muster_protocol::model::operation::OperationPhase;

const UPDATE: &str = "create load-balancer";

/// The machines that the address leads to, by name.
fn led_to(bench: &Bench) -> Vec<String> {
    let machines = bench.world.balanced(CLUSTER).into_iter();
    let mut names: Vec<String> =
        machines.map(|key| key.map_or_else(|| "gone".to_owned(), |key| key.to_string())).collect();
    names.sort();
    names
}

fn machines(numbers: std::ops::RangeInclusive<u32>) -> Vec<String> {
    numbers.map(|number| format!("machine/control-plane-{number}")).collect()
}

fn place(steps: &[muster_engine::action::Action], step: &str) -> usize {
    steps.iter().position(|action| action.to_string() == step).unwrap_or_else(|| panic!("no `{step}`"))
}

#[test]
fn no_machine_is_prepared_before_the_control_planes_have_their_address() {
    run(async {
        let mut bench = Bench::create_on_a_cloud(3, 1, 1);
        let prepares = |bench: &Bench| bench.begun.iter().any(|action| action.to_string().starts_with("prepare"));
        assert!(bench.run_until(HOUR, prepares).await, "{}", bench.gates());
        assert!(bench.finished.iter().any(|action| action.to_string() == UPDATE), "{:?}", bench.finished);
        assert!(bench.run_until(HOUR, |bench| bench.phase() == ClusterPhase::Ready).await, "{}", bench.gates());
        assert_eq!(led_to(&bench), machines(1..=3));
        let shown = view::cluster(&bench.state, &bench.plan()).endpoints;
        assert!(shown.last().is_some_and(|last| last.ends_with(":6443")), "the user sees it: {shown:?}");
    });
}

#[test]
fn the_address_follows_the_control_planes_up_and_down_and_leads_to_none_that_goes() {
    run(async {
        let mut bench = ready_on_a_cloud(1, 0).await;
        let more = bench.ask(|state, asked| state.admit_scale(Some(3), None, asked)).unwrap();
        assert_eq!(ended(&mut bench, &more).await.phase, OperationPhase::Succeeded);
        assert_eq!(led_to(&bench), machines(1..=3));
        bench.begun.clear();
        bench.finished.clear();
        let fewer = bench.ask(|state, asked| state.admit_scale(Some(1), None, asked)).unwrap();
        assert_eq!(ended(&mut bench, &fewer).await.phase, OperationPhase::Succeeded);
        assert_eq!(led_to(&bench), machines(1..=1));
        // The update was the first thing to end.
        let update = place(&bench.finished, UPDATE);
        for number in [2, 3] {
            assert!(update < place(&bench.finished, &format!("remove machine/control-plane-{number}")));
        }
        assert!(bench.world.audit(INSTANCE, &[CLUSTER]).is_clean());
    });
}

#[test]
fn a_control_plane_that_is_made_anew_takes_the_place_of_the_one_before() {
    run(async {
        let mut bench = ready_on_a_cloud(3, 0).await;
        lose(&bench, Role::ControlPlane, 2);
        assert_eq!(led_to(&bench), ["gone", "machine/control-plane-1", "machine/control-plane-3"]);
        let leads_to_all = |bench: &Bench| led_to(bench) == machines(1..=3);
        assert!(bench.run_until(HOUR, leads_to_all).await, "{:?}\n{}", led_to(&bench), bench.gates());
        assert!(bench.run_until(HOUR, |bench| bench.phase() == ClusterPhase::Ready).await, "{}", bench.gates());
    });
}

#[test]
fn an_update_that_had_no_effect_is_made_again() {
    run(async {
        for fault in [Fault::LostRequest, Fault::Refused { code: ErrorCode::Provider, permanent: false }] {
            let mut bench = ready_on_a_cloud(1, 0).await;
            let updates = |call: &Call| {
                call.kind == CallKind::Create && call.key.as_ref().is_some_and(|key| key.to_string() == "load-balancer")
            };
            bench.world.inject(nth(updates, 0, fault));
            let more = bench.ask(|state, asked| state.admit_scale(Some(3), None, asked)).unwrap();
            assert_eq!(ended(&mut bench, &more).await.phase, OperationPhase::Succeeded);
            assert_eq!(led_to(&bench), machines(1..=3));
        }
    });
}
