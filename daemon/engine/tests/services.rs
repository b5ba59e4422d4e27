//! Services: submitted, awaited, and returned to the last good version.

#![allow(clippy::unwrap_used, reason = "a helper of tests may panic as they do")]

mod bench;

use std::time::Duration;

use bench::Bench;
use bench::situations::{HOUR, ended, ready, run, service};
use muster_engine::sim::{CallKind, Fault, every, nth};
use muster_protocol::ErrorCode;
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
        let seen = &bench.state.observed.orchestrator.services[&"web".parse().unwrap()];
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
