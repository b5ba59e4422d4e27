//! Services: submitted, awaited, and returned to the last good version.

#![allow(clippy::unwrap_used, reason = "a helper of tests may panic as they do")]

mod bench;

use std::time::Duration;

use bench::situations::{HOUR, ended, ready, run, service};
use bench::{Bench, CLUSTER, INSTANCE};
use muster_engine::observed::{ObservedContainer, OrchestratorView};
use muster_engine::plan::plan;
use muster_engine::sim::{CallKind, Fault, every, nth};
use muster_engine::state::{ClusterState, Observation};
use muster_protocol::ErrorCode;
use muster_protocol::model::container::ContainerPhase;
use muster_protocol::model::event::EventKind;
use muster_protocol::model::operation::{OperationInfo, OperationPhase};
use muster_protocol::model::service::{ServiceMode, ServicePhase};

async fn with_service(image: &str) -> (Bench, OperationInfo) {
    let mut bench = ready(1, 1).await;
    let id = bench.new_service_id();
    let change = vec![(id, service("web", image, 2))];
    let create = bench.ask(|state, asked| state.admit_service_create(change, asked)).unwrap();
    (bench, create)
}

fn web(bench: &Bench) -> &muster_engine::desired::ServiceRecord {
    bench.state.services.values().next().unwrap()
}

#[test]
fn a_service_is_created_then_awaited() {
    run(async {
        let (mut bench, create) = with_service("good:1").await;
        assert_eq!(bench.steps(), ["create service/web", "await service/web < create service/web"]);
        assert_eq!(ended(&mut bench, &create).await.phase, OperationPhase::Succeeded);
        assert_eq!(web(&bench).phase, ServicePhase::Running);
    });
}

#[test]
fn a_version_counts_as_good_only_when_its_copies_have_run_for_a_while() {
    run(async {
        let (mut bench, create) = with_service("good:1").await;
        ended(&mut bench, &create).await;
        let update =
            bench.ask(|state, asked| state.admit_service_update(service("web", "good:2", 2), None, asked)).unwrap();
        ended(&mut bench, &update).await;
        let mut state = bench.state.clone();
        let name = web(&bench).version.spec.name.clone();
        let now = state.observed.orchestrator_at.unwrap();
        let hold = state.deadlines.service_hold;
        // As if the update had not ended yet, and a copy had been started again just now.
        state.services.get_mut(&name).unwrap().last_good = None;
        let mut view = (*state.observed.orchestrator).clone();
        view.containers[0].since = Some(now);
        view.containers[1].since = Some(now - hold);
        state.observed.orchestrator = view.into();
        assert!(state.is_service_well(&name) && !state.is_service_good(&name));
        let awaited = plan(&state, now).steps.iter().map(|step| step.action.to_string()).collect::<Vec<_>>();
        assert_eq!(awaited, ["await service/web"]);
        // Time alone does not tell: the copy must have been seen then.
        assert_eq!(plan(&state, now + hold).steps.len(), 1);
        let mut later = state.clone();
        later.observed.orchestrator_at = Some(now + hold);
        assert!(later.is_service_good(&name));
        assert!(plan(&later, now + hold).steps.is_empty());
        // What was good before is not on trial again when a copy of it is replaced.
        state.services.get_mut(&name).unwrap().last_good = Some(web(&bench).version.clone());
        assert!(state.is_service_good(&name));
    });
}

#[test]
fn a_service_update_is_submitted_then_awaited() {
    run(async {
        let (mut bench, create) = with_service("good:1").await;
        ended(&mut bench, &create).await;
        let update =
            bench.ask(|state, asked| state.admit_service_update(service("web", "good:2", 2), None, asked)).unwrap();
        assert_eq!(bench.steps(), ["update service/web", "await service/web < update service/web"]);
        assert_eq!(ended(&mut bench, &update).await.phase, OperationPhase::Succeeded);
    });
}

#[test]
fn a_service_update_that_does_not_become_well_returns_to_the_last_good_version() {
    run(async {
        let (mut bench, create) = with_service("good:1").await;
        ended(&mut bench, &create).await;
        let change = service("web", "sim/broken", 2);
        let update = bench.ask(|state, asked| state.admit_service_update(change, None, asked)).unwrap();
        let end = ended(&mut bench, &update).await;
        assert_eq!((end.phase, end.cause.unwrap().code), (OperationPhase::Failed, ErrorCode::Unhealthy));
        assert!(bench.run_until(HOUR, |bench| web(bench).phase == ServicePhase::Running).await);
        assert_eq!(web(&bench).version.spec.image, "good:1");
        assert_eq!(web(&bench).generation, 3);
        assert!(web(&bench).withdrawn.is_some());
    });
}

#[test]
fn a_service_update_that_takes_longer_than_it_may_says_how_far_it_came() {
    run(async {
        let (mut bench, create) = with_service("good:1").await;
        ended(&mut bench, &create).await;
        let mut change = service("web", "good:2", 2);
        change.spec.update.deadline_ms = 250;
        let update = bench.ask(|state, asked| state.admit_service_update(change, None, asked)).unwrap();
        let cause = ended(&mut bench, &update).await.cause.unwrap();
        assert_eq!(cause.code, ErrorCode::DeadlineExceeded);
        assert_eq!(
            cause.message,
            "`await service/web` did not come to an end in time: 0 of 2 copies are ready, the others: 2 pending"
        );
    });
}

#[test]
fn an_update_that_never_is_heard_of_is_tried_ever_more_seldom_and_its_cause_stays() {
    run(async {
        let (mut bench, create) = with_service("good:1").await;
        ended(&mut bench, &create).await;
        bench.world.inject(every(|call| call.kind == CallKind::Deploy, Fault::LostRequest));
        let mut change = service("web", "good:2", 2);
        change.spec.update.deadline_ms = 300_000;
        let update = bench.ask(|state, asked| state.admit_service_update(change, None, asked)).unwrap();
        let tried =
            |bench: &Bench| bench.finished.iter().filter(|done| done.to_string() == "update service/web").count();
        assert!(bench.run_until(HOUR, |bench| tried(bench) == 1).await);
        while bench.end_of(&update).is_none() {
            let cause = bench.state.service_cause(&"web".parse().unwrap());
            assert!(cause.is_some_and(|cause| cause.step == "update service/web"), "{}", bench.gates());
            bench.run_for(Duration::from_secs(1)).await;
        }
        // 1, 2, 4, 8, 16, 32, 60, 60, … seconds between them.
        assert!((8..=12).contains(&tried(&bench)), "{}", tried(&bench));
    });
}

/// A bench in which the call for an update is under way that will be refused for good.
async fn with_an_update_that_will_be_refused() -> (Bench, OperationInfo) {
    let (mut bench, create) = with_service("good:1").await;
    ended(&mut bench, &create).await;
    let refused = Fault::Refused { code: ErrorCode::InvalidArgument, permanent: true };
    bench.world.inject(nth(|call| call.kind == CallKind::Deploy, 0, refused));
    let wrong =
        bench.ask(|state, asked| state.admit_service_update(service("web", "wrong:1", 2), None, asked)).unwrap();
    assert!(bench.state.in_flight.values().any(|call| call.action.to_string() == "update service/web"));
    (bench, wrong)
}

#[test]
fn the_refusal_of_an_update_is_not_held_against_the_one_that_corrects_it() {
    run(async {
        let (mut bench, wrong) = with_an_update_that_will_be_refused().await;
        let right = bench.ask(|state, asked| state.admit_service_update(service("web", "good:2", 2), None, asked));
        assert_eq!(ended(&mut bench, &right.unwrap()).await.phase, OperationPhase::Succeeded);
        assert_eq!(bench.end_of(&wrong).unwrap().phase, OperationPhase::Superseded);
        assert_eq!((web(&bench).phase, web(&bench).version.spec.image.as_str()), (ServicePhase::Running, "good:2"));
    });
}

#[test]
fn the_refusal_of_an_update_that_was_cancelled_does_not_keep_the_service_from_what_it_was() {
    run(async {
        let (mut bench, wrong) = with_an_update_that_will_be_refused().await;
        bench.ask(|state, asked| state.admit_cancel(wrong.id, asked)).unwrap();
        assert!(bench.run_until(HOUR, |bench| web(bench).phase == ServicePhase::Running).await, "{}", bench.gates());
        assert_eq!(web(&bench).version.spec.image, "good:1");
        assert_eq!(bench.state.causes(), []);
    });
}

#[test]
fn a_store_that_was_set_back_behind_an_update_asks_for_what_it_knows_with_a_number_that_is_new() {
    run(async {
        let (mut bench, create) = with_service("good:1").await;
        ended(&mut bench, &create).await;
        let export = bench.disk.clone();
        let lost = bench.ask(|state, asked| state.admit_service_update(service("web", "good:2", 2), None, asked));
        ended(&mut bench, &lost.unwrap()).await;
        bench.disk = export;
        bench.crash();
        assert_eq!(web(&bench).generation, 1);
        assert!(bench.run_until(HOUR, |bench| web(bench).generation > 1).await, "{}", bench.gates());
        assert_eq!(bench.steps(), ["update service/web", "await service/web < update service/web"]);
        assert!(bench.run_until(HOUR, |bench| web(bench).phase == ServicePhase::Running).await, "{}", bench.gates());
        let seen = &bench.state.observed.orchestrator.services[&"web".parse::<muster_protocol::Name>().unwrap()];
        assert_eq!(
            (web(&bench).version.spec.image.as_str(), web(&bench).generation, seen.generation),
            ("good:1", 3, 3)
        );
    });
}

#[test]
fn an_update_that_was_made_of_another_generation_is_refused_and_changes_nothing() {
    run(async {
        let (mut bench, create) = with_service("good:1").await;
        ended(&mut bench, &create).await;
        let mut update = |image: &str, generation| {
            bench.ask(|state, asked| state.admit_service_update(service("web", image, 2), Some(generation), asked))
        };
        update("good:2", 1).unwrap();
        let refused = update("good:3", 1).unwrap_err();
        assert_eq!((refused.code, refused.details["generation"].as_str()), (ErrorCode::Conflict, "2"));
        assert!(refused.remedy.is_some());
        assert_eq!((web(&bench).version.spec.image.as_str(), web(&bench).generation), ("good:2", 2));
        assert_eq!(bench.state.operations.len(), 1, "the update of the other goes on");
    });
}

/// Looks at a view of the orchestrator, and gives what is announced of killed copies.
fn killed_in(state: &mut ClusterState, view: OrchestratorView) -> Vec<String> {
    let now = state.observed.orchestrator_at.unwrap() + Duration::from_secs(1);
    state.outbox.clear();
    state.observe(Observation { orchestrator: Some(Ok(view)), ..Default::default() }, now, now);
    let killed = state.outbox.iter().filter(|one| one.kind == EventKind::ContainerKilled);
    killed.map(|one| one.message.clone()).collect()
}

#[test]
fn a_copy_that_had_to_be_killed_is_told_once() {
    run(async {
        let (mut bench, create) = with_service("good:1").await;
        ended(&mut bench, &create).await;
        let mut state = bench.state.clone();
        let mut view = (*state.observed.orchestrator).clone();
        let stop = |copy: &mut ObservedContainer, exit_code| {
            (copy.phase, copy.exit_code) = (ContainerPhase::Stopped, Some(exit_code));
        };
        stop(&mut view.containers[0], 0);
        assert_eq!(killed_in(&mut state, view.clone()), [""; 0], "it ended by itself");
        stop(&mut view.containers[1], 137);
        let told = killed_in(&mut state, view.clone());
        assert!(told.len() == 1 && told[0].contains(&view.containers[1].name), "{told:?}");
        assert!(told[0].contains("stopGraceMs"), "{told:?}");
        assert_eq!(killed_in(&mut state, view.clone()), [""; 0], "it was told before");
        view.containers[0].phase = ContainerPhase::Failed;
        view.containers[0].exit_code = Some(137);
        assert_eq!(killed_in(&mut state, view), [""; 0], "nobody had asked it to end: its memory was short, perhaps");
    });
}

#[test]
fn a_digest_is_kept_for_the_version_and_comes_back_with_it() {
    run(async {
        let (mut bench, create) = with_service("good:1").await;
        ended(&mut bench, &create).await;
        let name = web(&bench).version.spec.name.clone();
        let mut view = (*bench.state.observed.orchestrator).clone();
        view.services.get_mut(&name).unwrap().digest = Some("sha256:1".to_owned());
        killed_in(&mut bench.state, view);
        let order = |bench: &Bench| bench.state.services[&name].version.digest.clone();
        assert_eq!(order(&bench).as_deref(), Some("sha256:1"));
        bench.ask(|state, asked| state.admit_service_update(service("web", "good:1", 2), None, asked)).unwrap();
        assert_eq!((web(&bench).generation, order(&bench).is_some()), (1, true), "the same again changes nothing");
        bench.ask(|state, asked| state.admit_service_scale(&name, 3, asked)).unwrap();
        assert_eq!(order(&bench).as_deref(), Some("sha256:1"), "new copies run what the others run");
        bench.ask(|state, asked| state.admit_service_refresh(&name, asked)).unwrap();
        assert_eq!((web(&bench).generation, order(&bench)), (3, None), "a refresh asks anew what the tag means");
        let mut view = (*bench.state.observed.orchestrator).clone();
        view.services.get_mut(&name).unwrap().digest = Some("sha256:1".to_owned());
        view.services.get_mut(&name).unwrap().generation = 3;
        killed_in(&mut bench.state, view);
        let update = bench.ask(|state, asked| state.admit_service_update(service("web", "good:1", 4), None, asked));
        assert_eq!(order(&bench), None, "an update asks anew what the tag means");
        bench.ask(|state, asked| state.admit_cancel(update.unwrap().id, asked)).unwrap();
        assert_eq!(order(&bench).as_deref(), Some("sha256:1"), "the version before returns as it was");
    });
}

#[test]
fn the_mode_of_a_service_is_not_supported_to_change() {
    run(async {
        let (mut bench, create) = with_service("good:1").await;
        ended(&mut bench, &create).await;
        let mut change = service("web", "good:1", 1);
        change.spec.mode = ServiceMode::Global;
        let refused = bench.ask(|state, asked| state.admit_service_update(change, None, asked)).unwrap_err();
        assert_eq!((refused.code, refused.details["field"].as_str()), (ErrorCode::Unsupported, "mode"));
        assert!(refused.remedy.unwrap().contains("create it"));
        assert_eq!(web(&bench).generation, 1);
    });
}

#[test]
fn a_service_that_somebody_else_removed_is_made_again_and_that_is_said() {
    run(async {
        let (mut bench, create) = with_service("good:1").await;
        ended(&mut bench, &create).await;
        let name = web(&bench).version.spec.name.clone();
        let generation = web(&bench).generation;
        assert!(bench.world.take_off(CLUSTER, &name));
        bench.begun.clear();
        let is_made = |bench: &Bench| bench.finished.iter().any(|done| done.to_string() == "create service/web");
        bench.finished.clear();
        assert!(bench.run_until(HOUR, is_made).await, "{}", bench.gates());
        assert!(bench.run_until(HOUR, |bench| web(bench).phase == ServicePhase::Running).await, "{}", bench.gates());
        let begun: Vec<String> = bench.begun.iter().map(ToString::to_string).collect();
        assert_eq!(begun, ["look up service/web", "create service/web"]);
        assert_eq!(web(&bench).generation, generation, "nobody asked for another version");
        let told = bench
            .announced
            .iter()
            .any(|event| event.kind == EventKind::Service && event.message.contains("made again"));
        assert!(told, "{:?}", bench.announced);
        assert!(bench.world.audit(INSTANCE, &[CLUSTER]).is_clean());
    });
}

#[test]
fn nobody_waits_for_the_deadline_of_what_can_never_run_and_an_update_returns_at_once() {
    run(async {
        let mut bench = ready(1, 1).await;
        let id = bench.new_service_id();
        let change = vec![(id, service("web", "sim/unpullable:1", 2))];
        let create = bench.ask(|state, asked| state.admit_service_create(change, asked)).unwrap();
        let began = bench.now();
        let ended_create = ended(&mut bench, &create).await;
        assert_eq!(ended_create.phase, OperationPhase::Failed);
        assert!(ended_create.cause.unwrap().message.contains("no such image"));
        assert!(bench.now().since(began) < Duration::from_secs(30), "{:?}", bench.now().since(began));
        // It stays asked for, and may be mended.
        assert_eq!(web(&bench).phase, ServicePhase::Degraded);
        let mend =
            bench.ask(|state, asked| state.admit_service_update(service("web", "good:1", 2), None, asked)).unwrap();
        assert_eq!(ended(&mut bench, &mend).await.phase, OperationPhase::Succeeded);
        let change = service("web", "sim/unpullable:2", 2);
        let update = bench.ask(|state, asked| state.admit_service_update(change, None, asked)).unwrap();
        assert_eq!(ended(&mut bench, &update).await.phase, OperationPhase::Failed);
        assert_eq!(web(&bench).version.spec.image, "good:1");
    });
}
