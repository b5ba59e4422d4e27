//! Clusters that the daemon cannot take care of: everybody sees them and why, and they are as before when that is mended.
//!
//! Covers: getOrchestratorInfo, listOrchestrators, addAccount.

use std::collections::BTreeMap;

use muster_client::Client;
use muster_protocol::model::account::AccountSpec;
use muster_protocol::model::cluster::{ClusterPhase, Infrastructure};
use muster_protocol::model::plan::PlanChange;
use muster_protocol::page::PageRequest;
use muster_protocol::{Cause, ErrorCode};
use muster_store::{Batch, KeySource, Sealer};
use musterd::journal::records::StoredAccount;
use musterd::journal::vault;

use crate::support::{TestDaemon, name, spec, succeed, until};

fn account() -> AccountSpec {
    AccountSpec {
        name: name("main"),
        infrastructure: Infrastructure::Sim,
        endpoint: None,
        credentials: BTreeMap::new(),
        defaults: BTreeMap::new(),
    }
}

async fn first_cause(client: &Client) -> Option<Cause> {
    client.cluster_info(&name("demo")).await.unwrap().causes.into_iter().next()
}

#[tokio::test]
async fn a_cluster_whose_account_is_missing_is_seen_keeps_its_name_and_comes_back_with_the_account() {
    let daemon = TestDaemon::start().await;
    let client = daemon.client().await;
    client.account_add(account()).await.unwrap();
    let mut used = spec("demo");
    used.account = Some(name("main"));
    let id = succeed(&client, client.cluster_create(used, None).await.unwrap()).await.cluster_id;
    let mut batch = Batch::new();
    batch.delete::<StoredAccount>(b"main").unwrap();
    daemon.daemon.context().store.commit(batch).await.unwrap();

    let daemon = daemon.restart().await;
    let client = daemon.client().await;
    let listed = client.cluster_list(PageRequest::default()).await.unwrap().items;
    assert_eq!(listed.iter().map(|line| line.id).collect::<Vec<_>>(), [id]);
    assert!(listed[0].cause.as_ref().is_some_and(|cause| cause.message.contains("there is no account `main`")));
    let info = client.cluster_info(&name("demo")).await.unwrap();
    assert_eq!((info.causes[0].code, info.causes[0].step.as_str()), (ErrorCode::NotFound, "supervise"));
    assert_eq!(info.steps, [], "nothing is done about it");
    assert_eq!(client.host_list(None, PageRequest::default()).await.unwrap().items.len(), 3);
    let taken = client.cluster_create(spec("demo"), None).await.unwrap_err();
    assert_eq!(taken.code(), ErrorCode::AlreadyExists);
    let refused = client.cluster_scale(&name("demo"), None, Some(3), None).await.unwrap_err().to_error();
    assert_eq!(refused.code, ErrorCode::Conflict);
    assert!(refused.message.contains("there is no account `main`"), "{refused}");
    let unplanned = client.cluster_plan(PlanChange::Current { cluster: name("demo") }).await.unwrap_err();
    assert_eq!(unplanned.code(), ErrorCode::Conflict);

    assert_eq!(client.account_add(account()).await.unwrap().clusters, 1, "the account is in use");
    assert_eq!(client.account_remove(&name("main")).await.unwrap_err().code(), ErrorCode::Conflict);
    until("it is taken care of again", async || first_cause(&client).await.is_none()).await;
    succeed(&client, client.cluster_scale(&name("demo"), None, Some(3), None).await.unwrap()).await;
}

#[tokio::test]
async fn a_cluster_whose_keys_are_missing_says_so_and_can_be_deleted() {
    let daemon = TestDaemon::start().await;
    let client = daemon.with_cluster("demo").await;
    let id = client.cluster_info(&name("demo")).await.unwrap().summary.id;
    let mut batch = Batch::new();
    batch.delete_sealed(&vault::material_key(id)).unwrap();
    daemon.daemon.context().store.commit(batch).await.unwrap();

    let daemon = daemon.restart().await;
    let client = daemon.client().await;
    until("it says so", async || first_cause(&client).await.is_some()).await;
    let cause = first_cause(&client).await.unwrap();
    assert!(cause.message.contains("keys of the cluster are missing") && cause.remedy.is_some(), "{cause}");
    succeed(&client, client.cluster_delete(&name("demo"), None).await.unwrap()).await;
}

#[tokio::test]
async fn a_cluster_whose_keys_cannot_be_read_says_why_to_the_last_cause() {
    let daemon = TestDaemon::start().await;
    let client = daemon.with_cluster("demo").await;
    let info = client.cluster_info(&name("demo")).await.unwrap();
    assert_eq!(info.summary.phase, ClusterPhase::Ready);
    let store = daemon.daemon.context().store.clone();
    let key = daemon.folder.path().join("state/sealing.key");
    let sealer = Sealer::load(&store, KeySource::KeyFile(key)).await.unwrap();
    let mut batch = Batch::new();
    batch.put_sealed(&sealer, &vault::material_key(info.summary.id), b"no keys").unwrap();
    store.commit(batch).await.unwrap();
    drop(store);

    let daemon = daemon.restart().await;
    let client = daemon.client().await;
    until("it says so", async || first_cause(&client).await.is_some()).await;
    let cause = first_cause(&client).await.unwrap();
    let why = cause.message.strip_prefix("cannot decode a sealed value: ");
    assert!(why.is_some_and(|why| !why.is_empty()), "{cause}");
    assert_eq!(cause.code, ErrorCode::Store);
}
