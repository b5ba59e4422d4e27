//! When a cluster is looked at, and what of it.

#![allow(clippy::unwrap_used, reason = "a helper of tests may panic as they do")]

mod bench;

use std::time::Duration;

use bench::Bench;
use bench::situations::{ready, run};
use muster_engine::action::{Action, Outcome};
use muster_engine::failure::Failure;
use muster_engine::ledger::ResourceKey;
use muster_engine::looks::{Look, LookPace, Looks};
use muster_engine::observed::OrchestratorView;
use muster_engine::plan::{Gate, Plan, PlannedStep};
use muster_engine::state::{ClusterState, Observation};
use muster_protocol::{ErrorCode, Timestamp};

const BUSY: Duration = Duration::from_secs(1);
const IDLE: Duration = Duration::from_secs(60);

fn looks(now: Timestamp) -> Looks {
    Looks::new(LookPace { when_busy: BUSY, when_idle: IDLE }, now)
}

/// A plan in which something is awaited.
fn awaiting() -> Plan {
    let action = Action::Await(ResourceKey::Orchestrator);
    Plan { steps: vec![PlannedStep { action, after: Vec::new(), gate: Gate::Running }] }
}

#[test]
fn what_is_looked_at_is_not_looked_at_again_before_that_look_has_ended() {
    run(async {
        let bench = ready(1, 1).await;
        let (state, now) = (bench.state.clone(), bench.now());
        let mut looks = looks(now);
        let first = looks.due(&state, &awaiting(), now);
        assert_eq!(first, [Look::Machines, Look::Orchestrator(state.members())]);
        assert_eq!(looks.due(&state, &awaiting(), now), [], "they are not due");
        assert_eq!(looks.due(&state, &awaiting(), now + BUSY), [], "they are under way");
        looks.note_seen(&Observation { infrastructure: Some(Ok(Vec::new())), orchestrator: None });
        assert_eq!(looks.due(&state, &awaiting(), now + BUSY * 2), [Look::Machines]);
    });
}

#[test]
fn a_cluster_is_looked_at_often_while_something_is_awaited_and_it_can_be_seen() {
    run(async {
        let bench = ready(1, 0).await;
        let (mut state, now) = (bench.state.clone(), bench.now());
        let mut looks = looks(now);
        looks.due(&state, &awaiting(), now);
        assert_eq!(looks.next(), now + BUSY);
        looks.due(&state, &Plan::default(), now + BUSY);
        assert!(looks.next() >= now + IDLE);

        let unseen = Failure::not_applied(ErrorCode::Unreachable, "gone");
        state.observed.orchestrator_cause = Some(unseen.into_cause("observe".to_owned(), now));
        let later = now + IDLE * 2;
        looks.due(&state, &awaiting(), later);
        assert!(looks.next() >= later + IDLE);
    });
}

#[test]
fn what_was_just_changed_is_looked_at_at_once_and_what_failed_was_not_changed() {
    run(async {
        let bench = ready(1, 0).await;
        let now = bench.now();
        let mut looks = looks(now);
        looks.due(&bench.state, &Plan::default(), now);
        let next = looks.next();
        looks.note_result(&Outcome::Failed(Failure::not_applied(ErrorCode::Provider, "no")), now + BUSY);
        assert_eq!(looks.next(), next);
        looks.note_result(&Outcome::Done, now + BUSY);
        assert_eq!(looks.next(), now + BUSY);
    });
}

#[test]
fn there_is_nothing_to_look_at_before_it_is_made_and_while_it_is_removed() {
    run(async {
        let mut bench = Bench::create(1, 0, 1);
        let now = bench.now();
        assert_eq!(looks(now).due(&bench.state, &awaiting(), now), []);
        bench = ready(1, 0).await;
        let (asked, now) = (bench.asked(), bench.now());
        bench.state.admit_delete(asked).unwrap();
        assert_eq!(looks(now).due(&bench.state, &awaiting(), now), []);
    });
}

#[test]
fn a_hint_brings_a_look_at_the_orchestrator_alone_soon_and_not_all_the_time() {
    run(async {
        let bench = ready(1, 1).await;
        let (state, now) = (bench.state.clone(), bench.now());
        let mut looks = looks(now);
        looks.due(&state, &Plan::default(), now);
        let seen = || Observation { infrastructure: None, orchestrator: Some(Ok(OrchestratorView::default())) };
        looks.note_seen(&seen());
        let regular = looks.next();

        let soon = now + Duration::from_millis(50);
        looks.note_hint();
        assert_eq!(looks.due(&state, &Plan::default(), soon), [], "there was a look just now");
        let next = looks.next();
        assert!(next <= soon + Duration::from_millis(300), "{next:?} is too late");
        assert_eq!(looks.due(&state, &Plan::default(), next), [Look::Orchestrator(state.members())]);
        assert_eq!(looks.next(), regular, "what is due from time to time stays due");

        looks.note_hint();
        let later = next + BUSY;
        assert_eq!(looks.due(&state, &Plan::default(), later), [], "the look under way may have passed by it");
        looks.note_seen(&seen());
        assert_eq!(looks.due(&state, &Plan::default(), later), [Look::Orchestrator(state.members())]);
    });
}

#[test]
fn a_hint_that_nobody_can_follow_is_forgotten() {
    run(async {
        let bench = Bench::create(1, 0, 1);
        let now = bench.now();
        let mut looks = looks(now);
        looks.due(&bench.state, &Plan::default(), now);
        let regular = looks.next();
        looks.note_hint();
        assert_eq!(looks.due(&bench.state, &Plan::default(), now + BUSY), []);
        assert_eq!(looks.next(), regular);
    });
}

#[test]
fn an_orchestrator_that_does_not_answer_once_is_asked_again_soon_and_twice_is_not_well() {
    run(async {
        let bench = ready(1, 1).await;
        let (mut state, now) = (bench.state.clone(), bench.now());
        let mut looks = looks(now);
        looks.due(&state, &Plan::default(), now);
        let unanswered = || Observation {
            infrastructure: None,
            orchestrator: Some(Err(Failure::not_applied(ErrorCode::Unreachable, "no answer"))),
        };
        let all_ready = |state: &ClusterState| state.observed.orchestrator.nodes.values().all(|node| node.ready);
        looks.note_seen(&unanswered());
        state.observe(unanswered(), now, now);
        assert!(all_ready(&state), "once may be a mishap");
        assert!(state.observed.orchestrator_cause.is_some(), "which is told all the same");
        let again = looks.next();
        assert!(again <= now + Duration::from_millis(300), "{again:?}");

        assert_eq!(looks.due(&state, &Plan::default(), again), [Look::Orchestrator(state.members())]);
        looks.note_seen(&unanswered());
        state.observe(unanswered(), again, again);
        assert!(!all_ready(&state));
        assert!(looks.next() >= now + IDLE, "what stays silent is not asked all the time");
    });
}
