//! What is let in fits into its record, however it is told about later: a change that has happened and cannot be written
//! would stop its cluster's supervisor, again and again.

#![allow(clippy::unwrap_used, reason = "a helper of tests may panic as they do")]

#[path = "../../protocol/tests/samples/mod.rs"]
mod samples;

use muster_engine::desired::{ServiceRecord, ServiceVersion};
use muster_engine::failure::Failure;
use muster_engine::operation::{OperationRecord, ServiceTarget, Target};
use muster_engine::{validate, words};
use muster_protocol::model::event::EventKind;
use muster_protocol::model::operation::{OperationKind, OperationPhase};
use muster_protocol::model::service::{ConfigFile, ServicePhase, ServiceSpec};
use muster_protocol::{Cause, ClusterId, ErrorCode, ServiceId};
use muster_store::Batch;
use musterd::journal::records::{StoredEvent, StoredOperation, StoredService};
use samples::model::{at, name, operation};
use samples::service::service_spec;

/// The largest service that is let in, without the values of its secrets.
fn largest_spec() -> ServiceSpec {
    let mut spec = service_spec();
    spec.secrets.iter_mut().for_each(|secret| secret.value = None);
    // The sample has everything once, also what does not go together.
    spec.ports.clear();
    spec.mounts.clear();
    let with_file = |bytes| {
        let files = vec![ConfigFile::new("/etc/large", "x".repeat(bytes))];
        ServiceSpec { files, ..spec.clone() }
    };
    let most = (0..validate::MAX_SERVICE_BYTES).rev().find(|bytes| validate::service(&with_file(*bytes)).is_ok());
    with_file(most.unwrap())
}

/// What a provider makes of its chance to say everything.
fn longest_cause() -> Cause {
    let text = "é".repeat(100_000);
    let failure = Failure::not_applied(ErrorCode::Provider, text.clone()).with_remedy(text.clone());
    failure.with_provider_code(text).into_cause("update service/web".to_owned(), at(1_000))
}

#[test]
fn the_largest_service_fits_with_its_last_good_version_and_the_longest_cause() {
    let version = ServiceVersion { digest: Some("x".repeat(100)), ..ServiceVersion::new(largest_spec(), 7) };
    let service = ServiceRecord {
        id: ServiceId::from_u128(0x5e),
        generation: 4,
        version: version.clone(),
        absent: false,
        last_good: Some(version.clone()),
        template: Some("nginx@1.2.0".to_owned()),
        phase: ServicePhase::Degraded,
        created_at: at(10),
        updated_at: at(20),
        withdrawn: Some(longest_cause()),
    };
    let mut batch = Batch::new();
    batch.put(&StoredService { cluster: ClusterId::from_u128(0xc1), name: name("web"), service }).unwrap();

    let mut info = operation(OperationKind::ServiceUpdate, OperationPhase::Running);
    (info.message, info.cause) = ("x".repeat(words::MAX_BYTES), Some(longest_cause()));
    let target = ServiceTarget { name: name("web"), generation: 5, before: Some(version) };
    batch.put(&StoredOperation(OperationRecord { info, target: Target::Services(vec![target]) })).unwrap();
}

#[test]
fn an_event_holds_the_longest_cause_twice() {
    let cause = longest_cause();
    let event = StoredEvent {
        at: at(1_000),
        kind: EventKind::StepFailed,
        cluster: None,
        operation: None,
        service: None,
        who: None,
        message: cause.message.clone(),
        cause: Some(cause),
    };
    Batch::new().append_event(&event).unwrap();
}
