//! Services: submitted, awaited, and returned to the last good version.

#![allow(clippy::unwrap_used, reason = "a helper of tests may panic as they do")]

mod bench;

use bench::Bench;
use bench::situations::{HOUR, ended, ready, run, service};
use muster_protocol::ErrorCode;
use muster_protocol::model::operation::{OperationInfo, OperationPhase};
use muster_protocol::model::service::ServicePhase;

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
        let update = bench.ask(|state, asked| state.admit_service_update(service("web", "good:2", 2), asked)).unwrap();
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
        let update = bench.ask(|state, asked| state.admit_service_update(change, asked)).unwrap();
        let end = ended(&mut bench, &update).await;
        assert_eq!((end.phase, end.cause.unwrap().code), (OperationPhase::Failed, ErrorCode::Unhealthy));
        assert!(bench.run_until(HOUR, |bench| web(bench).phase == ServicePhase::Running).await);
        assert_eq!(web(&bench).version.spec.image, "good:1");
        assert_eq!(web(&bench).generation, 3);
        assert!(web(&bench).withdrawn.is_some());
    });
}
