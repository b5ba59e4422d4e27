//! Tokens: what a trusted user learns of them, and what their holders reach.
//!
//! Covers: createToken, listTokens, revokeToken, resolveToken, metrics.

use futures::TryStreamExt;
use muster_client::{Client, EventQuery};
use muster_protocol::model::token::AccessRole;
use muster_protocol::page::PageRequest;
use muster_protocol::request::ServiceSource;
use muster_protocol::{ErrorCode, Principal, Request, Response, SecretString};

use crate::support::{TestDaemon, make_token, name, service, spec, succeed};

/// A daemon that trusts the user of this process.
pub async fn trusting() -> TestDaemon {
    TestDaemon::with(|config| {
        config.access.trusted.insert(rustix::process::geteuid().as_raw().to_string());
    })
    .await
}

async fn granted(client: &Client, token: &SecretString) -> Option<String> {
    let answer = client.request(Request::TokenResolve { token: token.clone() }).await.unwrap();
    let Response::TokenGrant(grant) = answer else { panic!("{answer:?}") };
    grant.map(|info| info.name.to_string())
}

#[tokio::test]
async fn a_token_grants_until_it_is_revoked_and_outlives_a_restart_as_a_hash_only() {
    let daemon = trusting().await;
    let client = daemon.client().await;
    let made = make_token(&client, "ci", AccessRole::Operator, &[]).await;
    assert_eq!(granted(&client, &made.token).await.as_deref(), Some("ci"));
    assert_eq!(granted(&client, &SecretString::new("mst_ci_AAAA")).await, None);
    assert_eq!(granted(&client, &SecretString::new("nonsense")).await, None);
    let secret = made.token.expose().splitn(3, '_').nth(2).unwrap().to_owned();

    let daemon = daemon.restart().await;
    let client = daemon.client().await;
    assert_eq!(granted(&client, &made.token).await.as_deref(), Some("ci"));
    let listed: Vec<_> = client.tokens().try_collect().await.unwrap();
    assert_eq!(listed, std::slice::from_ref(&made.info));
    let events: Vec<_> = client.events(EventQuery::default()).try_collect().await.unwrap();
    assert!(events.iter().any(|event| event.message == "token ci made with role operator"), "{events:?}");
    assert!(!format!("{events:?}").contains(&secret));

    let ci = client.on_behalf_of(Principal::token("ci"));
    assert_eq!(ci.whoami().await.unwrap().role, "operator");
    client.token_revoke(&name("ci")).await.unwrap();
    assert_eq!(granted(&client, &made.token).await, None);
    assert_eq!(ci.whoami().await.unwrap_err().code(), ErrorCode::PermissionDenied, "at once, whoever vouches");
    ci.cluster_create(spec("demo"), None).await.unwrap_err();
    let tried: Vec<_> = client.audit(None, Some(Principal::token("ci"))).try_collect().await.unwrap();
    assert_eq!(tried.len(), 1, "the trail tells who tried: {tried:?}");
    assert_eq!(tried[0].refusal, Some(ErrorCode::PermissionDenied));
    assert_eq!(client.token_revoke(&name("ci")).await.unwrap_err().code(), ErrorCode::NotFound);
    daemon.daemon.shutdown().await;
    for file in walk(daemon.folder.path()) {
        let bytes = std::fs::read(&file).unwrap_or_default();
        assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()), "{}", file.display());
    }
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

#[tokio::test]
async fn a_name_is_given_once_and_a_token_that_cannot_be_is_refused_by_field() {
    let daemon = TestDaemon::start().await;
    let client = daemon.client().await;
    make_token(&client, "ci", AccessRole::Viewer, &["one", "one"]).await;
    let listed = client.token_list(PageRequest::default()).await.unwrap();
    assert_eq!(listed.items[0].clusters, [name("one")]);
    let wanted = muster_protocol::model::token::TokenSpec {
        name: name("ci"),
        role: AccessRole::Viewer,
        clusters: Vec::new(),
        lifetime_seconds: 3_600,
    };
    let again = client.token_create(wanted.clone()).await.unwrap_err();
    assert_eq!(again.code(), ErrorCode::AlreadyExists);
    for lifetime_seconds in [0, 59, u64::MAX] {
        let spec = muster_protocol::model::token::TokenSpec { name: name("cd"), lifetime_seconds, ..wanted.clone() };
        let refused = client.token_create(spec).await.unwrap_err().to_error();
        assert_eq!(refused.details["field"], "lifetimeSeconds");
    }
}

#[tokio::test]
async fn the_holder_of_a_token_of_one_cluster_sees_and_changes_that_one_only() {
    let daemon = trusting().await;
    let client = daemon.with_cluster("one").await;
    let created = client.cluster_create(spec("two"), None).await.unwrap();
    let of_two = succeed(&client, created).await;
    let source = || ServiceSource::Spec(Box::new(service("web")));
    for cluster in ["one", "two"] {
        succeed(&client, client.service_create(&name(cluster), source(), None).await.unwrap()).await;
    }
    make_token(&client, "ci", AccessRole::Admin, &["one", "three"]).await;
    let ci = client.on_behalf_of(Principal::token("ci"));

    let clusters: Vec<_> = ci.clusters().try_collect().await.unwrap();
    assert_eq!(clusters.iter().map(|cluster| cluster.name.as_str()).collect::<Vec<_>>(), ["one"]);
    let hosts: Vec<_> = ci.hosts(None).try_collect().await.unwrap();
    assert!(hosts.len() == 3 && hosts.iter().all(|host| host.cluster == name("one")), "{hosts:?}");
    let services: Vec<_> = ci.services(None).try_collect().await.unwrap();
    assert!(services.len() == 1 && services[0].cluster == name("one"), "{services:?}");
    let containers: Vec<_> = ci.containers(None, None).try_collect().await.unwrap();
    assert!(containers.len() == 2 && containers.iter().all(|container| container.cluster == name("one")));
    let operations: Vec<_> = ci.operations(None).try_collect().await.unwrap();
    assert!(operations.len() == 2 && operations.iter().all(|operation| operation.cluster == name("one")));
    let events: Vec<_> = ci.events(EventQuery::default()).try_collect().await.unwrap();
    assert!(!events.is_empty() && events.iter().all(|event| event.cluster == Some(name("one"))), "{events:?}");

    let all_hosts: Vec<_> = client.hosts(Some(&name("two"))).try_collect().await.unwrap();
    let all_containers: Vec<_> = client.containers(Some(&name("two")), None).try_collect().await.unwrap();
    let hidden = [
        Request::HostInfo { id: all_hosts[0].id },
        Request::ContainerInfo { id: all_containers[0].id.clone() },
        Request::OperationInfo { id: of_two.id },
        Request::OperationCancel { id: of_two.id },
    ];
    for request in hidden {
        let refused = ci.request(request.clone()).await.unwrap_err();
        assert_eq!(refused.code(), ErrorCode::NotFound, "{}", request.operation_id());
    }
    for cluster in ["two", "nothing"] {
        let refused = ci.cluster_delete(&name(cluster), None).await.unwrap_err();
        assert_eq!(refused.code(), ErrorCode::PermissionDenied, "the same whether {cluster} is there or not");
    }
    for request in [Request::AccountList, Request::Doctor, Request::AuditVerify, Request::Metrics] {
        assert_eq!(ci.request(request).await.unwrap_err().code(), ErrorCode::PermissionDenied);
    }
    succeed(&ci, ci.cluster_scale(&name("one"), None, Some(1), None).await.unwrap()).await;
    succeed(&ci, ci.cluster_create(spec("three"), None).await.unwrap()).await;
    assert_eq!(ci.cluster_create(spec("four"), None).await.unwrap_err().code(), ErrorCode::PermissionDenied);
}

#[tokio::test]
async fn a_stream_ends_with_the_token_of_who_follows() {
    let daemon = trusting().await;
    let client = daemon.client().await;
    make_token(&client, "ci", AccessRole::Viewer, &[]).await;
    let ci = client.on_behalf_of(Principal::token("ci"));
    let mut events = ci.events(EventQuery { follow: true, ..EventQuery::default() });
    events.try_next().await.unwrap().unwrap();
    client.token_revoke(&name("ci")).await.unwrap();
    let ended = async { events.try_collect::<Vec<_>>().await.unwrap_err() };
    let error = tokio::time::timeout(crate::support::LIMIT, ended).await.unwrap();
    assert_eq!(error.code(), ErrorCode::PermissionDenied);
}
