//! The audit trail: every change and session, admitted or refused, in one chain.
//!
//! Covers: listAuditRecords, verifyAuditTrail.

use futures::TryStreamExt;
use muster_client::Client;
use muster_protocol::model::audit::AuditRecord;
use muster_protocol::page::PageRequest;
use muster_protocol::request::ServiceSource;
use muster_protocol::{ErrorCode, Principal, Request};

use crate::support::{TestDaemon, name, service, spec, succeed};

/// All records, oldest first.
async fn records(client: &Client) -> Vec<AuditRecord> {
    let mut records: Vec<_> = client.audit(None, None).try_collect().await.unwrap();
    records.reverse();
    records
}

fn told(records: &[AuditRecord]) -> Vec<(&str, Option<ErrorCode>)> {
    records.iter().map(|record| (record.request.as_str(), record.refusal)).collect()
}

#[tokio::test]
async fn every_change_is_on_the_trail_with_who_asked_from_where_and_what_came_of_it() {
    let daemon = TestDaemon::start().await;
    let client = daemon.with_cluster("demo").await;
    let source = ServiceSource::Spec(Box::new(service("web")));
    let created = client.service_create(&name("demo"), source, None).await.unwrap();
    succeed(&client, created.clone()).await;
    client.cluster_create(spec("demo"), None).await.unwrap_err();
    client.operation_cancel(created.id).await.unwrap();
    client.account_remove(&name("none")).await.unwrap_err();
    client.cluster_info(&name("demo")).await.unwrap();

    let records = records(&client).await;
    assert_eq!(
        told(&records),
        [
            ("createOrchestrator", None),
            ("createOrchestratorService", None),
            ("createOrchestrator", Some(ErrorCode::AlreadyExists)),
            ("cancelOperation", None),
            ("removeAccount", Some(ErrorCode::NotFound)),
        ],
        "reads are not told"
    );
    let record = &records[1];
    assert_eq!((record.noun.as_str(), record.name.as_deref()), ("service", Some("web")));
    assert_eq!((record.cluster.as_ref(), record.operation), (Some(&name("demo")), Some(created.id)));
    let who = client.whoami().await.unwrap();
    assert_eq!((&record.who, record.uid, record.pid), (&who.principal, who.uid, Some(std::process::id())));
    assert_eq!((&record.through, &record.address), (&None, &None));
    assert_eq!(records.iter().map(|record| record.number).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    let verification = client.audit_verify().await.unwrap();
    assert_eq!((verification.intact, verification.last, &verification.broken), (5, 5, &None));
    assert_eq!(verification.hash, records[4].hash);
}

#[tokio::test]
async fn who_spoke_for_whom_from_which_address_is_told_and_so_is_who_may_not() {
    let daemon = TestDaemon::with(|config| {
        config.access.trusted.insert(rustix::process::geteuid().as_raw().to_string());
        config.access.viewer.users.insert("user:vera".to_owned());
    })
    .await;
    let client = daemon.with_cluster("demo").await;
    let vera = client.on_behalf_of(Principal::user("vera")).from_address("192.0.2.7".parse().unwrap());
    let refused = vera.cluster_delete(&name("demo"), None).await.unwrap_err();
    assert_eq!(refused.code(), ErrorCode::PermissionDenied);
    let exec = Request::ContainerExec {
        cluster: name("demo"),
        service: name("none"),
        container: None,
        command: vec!["psql".to_owned(), "secret-password".to_owned()],
        tty: false,
    };
    let mut session = vera.duplex(exec).await.unwrap();
    assert_eq!(session.next().await.unwrap_err().code(), ErrorCode::PermissionDenied);

    let records = records(&client).await;
    let denied = Some(ErrorCode::PermissionDenied);
    assert_eq!(told(&records)[1..], [("deleteOrchestrator", denied), ("execInContainer", denied)]);
    let own = client.whoami().await.unwrap().principal;
    for record in &records[1..] {
        assert_eq!((&record.who, record.through.as_ref()), (&Principal::user("vera"), Some(&own)));
        assert_eq!(record.address.as_deref(), Some("192.0.2.7"));
    }
    assert!(!format!("{records:?}").contains("secret-password"));
    let page = PageRequest { limit: Some(1), after: None };
    let of_vera = client.audit_list(None, Some(&Principal::user("vera")), page).await.unwrap();
    assert_eq!((of_vera.items[0].number, of_vera.next.is_some()), (3, true));
    let refused = vera.audit_list(None, None, PageRequest::default()).await.unwrap_err();
    assert_eq!(refused.code(), ErrorCode::PermissionDenied);
}

#[tokio::test]
async fn the_chain_goes_on_after_a_restart_and_the_records_of_changes_survive_with_them() {
    let daemon = TestDaemon::start().await;
    let client = daemon.with_cluster("demo").await;
    let before = client.audit_verify().await.unwrap();
    let daemon = daemon.restart().await;
    let client = daemon.client().await;
    client.account_remove(&name("none")).await.unwrap_err();
    let after = client.audit_verify().await.unwrap();
    assert_eq!((after.intact, after.broken), (before.intact + 1, None));
    let records = records(&client).await;
    assert_eq!(records[0].hash, before.hash);
    let since = records[1].at;
    let young: Vec<_> = client.audit(Some(since), None).try_collect().await.unwrap();
    assert_eq!(young.iter().map(|record| record.number).collect::<Vec<_>>(), [2]);
}
