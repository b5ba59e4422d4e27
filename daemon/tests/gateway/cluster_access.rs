//! Files with which a cluster is reached, as far as the gateway judges them.
//!
//! Covers: accessOrchestrator.

use futures::TryStreamExt as _;
use muster_client::EventQuery;
use muster_protocol::model::access::AccessKind;
use muster_protocol::model::event::EventKind;
use muster_protocol::model::token::AccessRole;
use muster_protocol::{ErrorCode, Name};

use crate::support::{TestDaemon, name};

#[tokio::test]
async fn a_simulated_cluster_has_no_such_file_and_the_refusal_names_what_was_asked_for() {
    let daemon = TestDaemon::start().await;
    let client = daemon.with_cluster("demo").await;
    let ask = async |cluster: &Name, kind, role| {
        client.cluster_access(cluster, kind, role, None).await.unwrap_err().to_error()
    };
    for kind in AccessKind::ALL {
        let refusal = ask(&name("demo"), Some(kind), None).await;
        assert_eq!(refusal.code, ErrorCode::Unsupported);
        assert!(refusal.message.contains(kind.as_str()), "{refusal}");
    }
    assert_eq!(ask(&name("none"), None, None).await.code, ErrorCode::NotFound);
    let role = ask(&name("demo"), None, Some(AccessRole::Unknown(7))).await;
    assert_eq!(role.details["field"], "role");
    let events: Vec<_> = client.events(EventQuery::default()).try_collect().await.unwrap();
    assert!(events.iter().all(|event| event.kind != EventKind::Access), "nobody was given anything");
}

#[tokio::test]
async fn a_file_that_would_have_ended_before_it_is_used_is_refused_by_its_field() {
    let daemon = TestDaemon::start().await;
    let client = daemon.with_cluster("demo").await;
    let second = Some(std::time::Duration::from_secs(1));
    let refusal = client.cluster_access(&name("demo"), None, None, second).await.unwrap_err().to_error();
    assert_eq!(refusal.details["field"], "validSeconds");
}
