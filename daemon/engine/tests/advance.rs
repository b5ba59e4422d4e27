//! One turn of the loop: what is concluded, begun and broken off, and when the next one is due.

#![allow(clippy::unwrap_used, reason = "test code, though not in test functions")]

mod bench;

use std::time::Duration;

use bench::Bench;
use bench::situations::{ready, run, service};
use muster_engine::action::Action;
use muster_engine::cycle::Advance;
use muster_engine::looks::{LookPace, Looks};
use muster_engine::order::Order;
use muster_engine::plan::Plan;
use muster_engine::state::ClusterState;

/// A turn in which nothing has happened before.
fn advance(bench: &Bench, changed: ClusterState, calls: usize) -> Advance {
    changed.advance(&bench.state, &Plan::default(), calls, bench.now())
}

fn begun(advance: &Advance) -> Vec<Action> {
    advance.begun.iter().map(|begun| begun.action.clone()).collect()
}

#[test]
fn as_many_calls_are_begun_as_there_is_room_for_the_first_of_the_plan_first() {
    run(async {
        let mut bench = ready(1, 2).await;
        bench.offer("another");
        let id = bench.new_service_id();
        let mut asked = bench.state.clone();
        asked.admit_upgrade(None, bench.asked()).unwrap();
        let web = service("web", "sim/web:1", 1);
        asked.admit_service_create(vec![(id, web)], bench.asked()).unwrap();
        let all = begun(&advance(&bench, asked.clone(), 16));
        let texts: Vec<String> = all.iter().map(Action::to_string).collect();
        assert_eq!(texts, ["prepare machine/control-plane-1", "create service/web"]);
        assert_eq!(begun(&advance(&bench, asked.clone(), 1)), all[..1]);

        let first = advance(&bench, asked, 1).next;
        assert_eq!(begun(&advance(&bench, first.clone(), 1)), [], "one is under way");
        assert_eq!(begun(&advance(&bench, first, 2)), all[1..]);
    });
}

#[test]
fn with_room_for_none_all_is_concluded_and_nothing_begun() {
    run(async {
        let mut bench = ready(1, 0).await;
        let mut asked = bench.state.clone();
        asked.admit_scale(None, Some(1), bench.asked()).unwrap();
        let Advance { next, plan, begun, .. } = advance(&bench, asked, 0);
        assert_eq!((begun, next.in_flight.len()), (Vec::new(), 0));
        assert_eq!(plan.ready().count(), 1);
        assert_ne!(next.record.phase, bench.state.record.phase);
    });
}

#[test]
fn what_is_begun_is_under_way_in_the_state_and_running_in_the_plan_and_has_its_order_and_its_limit() {
    run(async {
        let mut bench = ready(1, 0).await;
        let mut asked = bench.state.clone();
        asked.admit_scale(None, Some(1), bench.asked()).unwrap();
        let Advance { next, plan, begun, unwanted } = advance(&bench, asked, 16);
        let [create] = &begun[..] else { panic!("{begun:?}") };
        let call = &next.in_flight[&create.action.key()];
        assert_eq!((&call.action, call.deadline), (&create.action, bench.now() + create.limit));
        assert!(matches!(create.order, Ok(Order::Driver(_))), "{create:?}");
        assert_eq!((plan.ready().count(), unwanted), (0, Vec::new()));
    });
}

#[test]
fn a_call_under_way_that_the_plan_does_not_want_any_more_is_broken_off() {
    run(async {
        let mut bench = ready(1, 0).await;
        let mut asked = bench.state.clone();
        asked.admit_scale(None, Some(1), bench.asked()).unwrap();
        let Advance { mut next, begun, .. } = advance(&bench, asked, 16);
        next.admit_delete(bench.asked()).unwrap();
        assert_eq!(advance(&bench, next, 16).unwanted, [begun[0].action.clone()]);
    });
}

#[test]
fn a_state_on_disk_has_nothing_more_to_announce_and_only_operations_that_run() {
    run(async {
        let mut bench = ready(1, 0).await;
        let mut asked = bench.state.clone();
        let scale = asked.admit_scale(None, Some(1), bench.asked()).unwrap();
        let delete = asked.admit_delete(bench.asked()).unwrap();
        let mut next = advance(&bench, asked, 16).next;
        assert!(!next.outbox.is_empty());
        let ended: Vec<_> = next.note_written().iter().map(|info| info.id).collect();
        assert_eq!(ended, [scale.id]);
        assert!(next.outbox.is_empty() && next.operations.keys().eq([&delete.id]));
    });
}

#[test]
fn it_wakes_for_the_next_look_and_for_what_comes_before_that_and_not_for_what_is_past() {
    run(async {
        let mut bench = ready(1, 0).await;
        let (seconds, pace) = (Duration::from_secs, LookPace { when_busy: HOURS, when_idle: HOURS });
        let now = bench.now();
        let mut looks = Looks::new(pace, now);
        looks.due(&bench.state, &Plan::default(), now);
        let wakes_at = |state: &ClusterState| state.wakes_at(&Plan::default(), &looks, now);
        assert_eq!(wakes_at(&bench.state), looks.next());
        let asked = bench.asked();
        let scale = bench.state.admit_scale(None, Some(1), asked).unwrap();
        assert_eq!(wakes_at(&bench.state), scale.deadline);
        bench.state.operations.get_mut(&scale.id).unwrap().info.deadline = now;
        assert_eq!(wakes_at(&bench.state), looks.next());
        bench.state.record.removal_deadline = Some(now + seconds(1));
        assert_eq!(wakes_at(&bench.state), now + seconds(1));
    });
}

const HOURS: Duration = Duration::from_secs(10 * 3600);
