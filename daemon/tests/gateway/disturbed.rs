//! Requests while something else hangs or was given up.
//!
//! Covers: createOrchestrator, cancelOperation, addAccount.

use std::collections::BTreeMap;

use muster_engine::sim::{CallKind, Fault, every};
use muster_protocol::ErrorCode;
use muster_protocol::model::account::AccountSpec;
use muster_protocol::model::cluster::Infrastructure;
use muster_protocol::model::operation::OperationPhase;
use muster_protocol::request::ServiceSource;
use tokio::time::timeout;

use crate::support::{LIMIT, TestDaemon, name, service, spec, until};

#[tokio::test]
async fn nobody_who_changes_an_account_waits_for_an_infrastructure_that_does_not_answer() {
    let daemon = TestDaemon::start().await;
    daemon.world.inject(every(|call| call.kind == CallKind::Preflight, Fault::Hang { applied: false }));
    daemon.world.keep_history();
    let hung = daemon.client().await;
    let create = tokio::spawn(async move { hung.cluster_create(spec("hung"), None).await });
    let asked = || daemon.world.history().iter().any(|call| call.kind == CallKind::Preflight);
    until("the infrastructure was asked", async || asked()).await;

    let account = AccountSpec {
        name: name("other"),
        infrastructure: Infrastructure::Sim,
        endpoint: None,
        credentials: BTreeMap::new(),
        defaults: BTreeMap::new(),
    };
    let client = daemon.client().await;
    timeout(LIMIT / 4, client.account_add(account)).await.expect("it does not wait").unwrap();
    assert!(!create.is_finished(), "the infrastructure still does not answer");
    create.abort();
}

#[tokio::test]
async fn a_creation_that_is_cancelled_takes_the_services_that_wait_for_it_along() {
    let daemon = TestDaemon::start().await;
    let refused = Fault::Refused { code: ErrorCode::Provider, permanent: false };
    daemon.world.inject(every(|call| call.kind == CallKind::Create, refused));
    let client = daemon.client().await;
    let creation = client.cluster_create(spec("demo"), None).await.unwrap();
    let services =
        client.service_create(&name("demo"), ServiceSource::Spec(Box::new(service("web"))), None).await.unwrap();
    client.operation_cancel(creation.id).await.unwrap();
    let gone = || async { client.cluster_info(&name("demo")).await.is_err() };
    until("the cluster is gone with its name", gone).await;
    let ended = client.operation_info(services.id).await.unwrap();
    assert_eq!(ended.phase, OperationPhase::Superseded);
}
