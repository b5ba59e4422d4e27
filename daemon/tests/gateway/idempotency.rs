//! A change that is asked for twice is made once.
//!
//! Covers: createOrchestrator, createOrchestratorService.

use std::time::Duration;

use futures::TryStreamExt;
use muster_protocol::ErrorCode;
use muster_protocol::page::PageRequest;

use crate::support::{TestDaemon, name, spec, succeed, until};

#[tokio::test]
async fn the_same_key_with_the_same_request_is_the_same_operation_also_after_a_restart() {
    let daemon = TestDaemon::start().await;
    let client = daemon.client().await;
    let key = || Some("create-1".to_owned());
    let first = client.cluster_create(spec("demo"), key()).await.unwrap();
    let second = client.cluster_create(spec("demo"), key()).await.unwrap();
    assert_eq!(first.id, second.id);
    succeed(&client, first.clone()).await;
    let scale = client.cluster_scale(&name("demo"), None, Some(3), Some("scale-1".into())).await.unwrap();
    succeed(&client, scale.clone()).await;

    let daemon = daemon.restart().await;
    let client = daemon.client().await;
    assert_eq!(client.cluster_create(spec("demo"), key()).await.unwrap().id, first.id);
    let again = client.cluster_scale(&name("demo"), None, Some(3), Some("scale-1".into())).await.unwrap();
    assert_eq!(again.id, scale.id);
    assert_eq!(client.operation_list(None, PageRequest::default()).await.unwrap().items.len(), 2);
}

#[tokio::test]
async fn the_same_key_with_another_request_is_refused_and_changes_nothing() {
    let daemon = TestDaemon::start().await;
    let client = daemon.with_cluster("demo").await;
    let key = || Some("one".to_owned());
    succeed(&client, client.cluster_scale(&name("demo"), None, Some(3), key()).await.unwrap()).await;
    let other = client.cluster_scale(&name("demo"), None, Some(4), key()).await.unwrap_err();
    assert_eq!(other.code(), ErrorCode::IdempotencyMismatch);
    assert_eq!(client.cluster_info(&name("demo")).await.unwrap().spec.workers, 3);
    let malformed = client.cluster_scale(&name("demo"), None, Some(4), Some("\n".into())).await.unwrap_err();
    assert_eq!(malformed.code(), ErrorCode::InvalidArgument);
}

#[tokio::test]
async fn a_key_is_free_again_after_a_day_and_not_before() {
    let daemon = TestDaemon::start().await;
    let client = daemon.with_cluster("demo").await;
    let scale = async |workers| client.cluster_scale(&name("demo"), None, Some(workers), Some("one".to_owned())).await;
    succeed(&client, scale(3).await.unwrap()).await;
    let context = daemon.daemon.context();
    let clock = &context.provisioner.shared.clock;
    clock.not_before(clock.now() + Duration::from_secs(23 * 3600));
    assert_eq!(scale(4).await.unwrap_err().code(), ErrorCode::IdempotencyMismatch);
    clock.not_before(clock.now() + Duration::from_secs(2 * 3600));
    succeed(&client, scale(4).await.unwrap()).await;
    assert_eq!(client.cluster_info(&name("demo")).await.unwrap().spec.workers, 4);
}

#[tokio::test]
async fn of_many_at_once_with_one_key_one_makes_the_change() {
    let daemon = TestDaemon::start().await;
    let client = daemon.client().await;
    let asked = (0..20).map(|_| client.cluster_create(spec("demo"), Some("same".to_owned())));
    let operations = futures::future::try_join_all(asked).await.unwrap();
    assert!(operations.iter().all(|operation| operation.id == operations[0].id));
    assert_eq!(client.operation_list(None, PageRequest::default()).await.unwrap().items.len(), 1);
}

#[tokio::test]
async fn of_many_creates_of_one_name_exactly_one_succeeds() {
    let daemon = TestDaemon::start().await;
    let client = daemon.client().await;
    let asked = (0..20).map(|_| client.cluster_create(spec("demo"), None));
    let answers = futures::future::join_all(asked).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    let refused = answers.iter().filter_map(|answer| answer.as_ref().err());
    assert!(refused.into_iter().all(|error| error.code() == ErrorCode::AlreadyExists));
}

#[tokio::test]
async fn who_does_not_wait_for_the_answer_and_asks_again_gets_the_answer_of_the_first() {
    let mut daemon = TestDaemon::start().await;
    daemon.with_cluster("demo").await;
    // Less than a write takes: nearly every first answer is missed.
    daemon.config.limits.change_ms = 1;
    let daemon = daemon.restart().await;
    let client = daemon.client().await;
    let demo = name("demo");
    for count in 1..=30 {
        let ask = || client.cluster_scale(&demo, None, Some(count % 3), Some(format!("scale-{count}")));
        until("it is answered", async || ask().await.is_ok()).await;
    }
    let operations: Vec<_> = client.operations(None).try_collect().await.unwrap();
    assert_eq!(operations.len(), 1 + 30, "one for each key");
}
