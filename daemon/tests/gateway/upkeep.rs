//! Backup, restore and a new sealing key: another state directory finds nothing to do.

use std::os::unix::fs::PermissionsExt;

use futures::TryStreamExt;
use muster_engine::sim::SimWorld;
use muster_protocol::SecretBytes;
use muster_protocol::model::cluster::ClusterPhase;
use muster_protocol::model::plan::PlanChange;
use muster_protocol::model::service::{SecretFile, ServiceSpec};
use muster_protocol::request::ServiceSource;
use musterd::config::Config;
use musterd::upkeep::{UpkeepError, backup, restore, rotate_key};
use tempfile::TempDir;

use crate::support::{TestDaemon, name, places, service, succeed, until};

const CANARY: &str = "canary-9d1f";

fn with_secret() -> ServiceSpec {
    let secret = SecretFile::new(name("password"), Some(SecretBytes::new(CANARY)));
    ServiceSpec { secrets: vec![secret], ..service("web") }
}

/// A daemon with a cluster and a service with a secret, shut down.
async fn stopped() -> (TempDir, Config, SimWorld) {
    let daemon = TestDaemon::start().await;
    let client = daemon.with_cluster("demo").await;
    let source = ServiceSource::Spec(Box::new(with_secret()));
    succeed(&client, client.service_create(&name("demo"), source, None).await.unwrap()).await;
    let TestDaemon { folder, world, config, daemon, .. } = daemon;
    daemon.shutdown().await;
    (folder, config, world)
}

#[tokio::test]
async fn a_restored_daemon_finds_everything_as_it_was_and_nothing_to_do() {
    let (before, config, world) = stopped().await;
    let file = before.path().join("muster.backup");
    let written = backup(&config, &places(&before), &file).await.unwrap();
    assert!(written.records > 10);
    let bytes = std::fs::read(&file).unwrap();
    assert!(!bytes.windows(CANARY.len()).any(|window| window == CANARY.as_bytes()), "secrets are sealed in it");

    let after = tempfile::tempdir().unwrap();
    let without_key = restore(&config, &places(&after), file.clone(), false).await.unwrap_err();
    assert!(matches!(without_key, UpkeepError::Key(_)), "{without_key}");
    let key = |folder: &TempDir| folder.path().join("state/sealing.key");
    std::fs::copy(key(&before), key(&after)).unwrap();
    let over = restore(&config, &places(&after), file.clone(), false).await.unwrap_err();
    assert!(matches!(over, UpkeepError::Restore(_)), "a store is there already: {over}");
    let restored = restore(&config, &places(&after), file, true).await.unwrap();
    assert!(restored.records >= written.records && restored.kept.is_some());

    let daemon = TestDaemon::on(after, config, world).await;
    let client = daemon.client().await;
    until("the cluster is ready", async || {
        client.cluster_info(&name("demo")).await.unwrap().summary.phase == ClusterPhase::Ready
    })
    .await;
    let plan = client.cluster_plan(PlanChange::Current { cluster: name("demo") }).await;
    assert_eq!(plan.unwrap().steps, [], "nothing is to be done");
    let operations: Vec<_> = client.operations(None).try_collect().await.unwrap();
    assert_eq!(operations.len(), 2);
    let trail = client.audit_verify().await.unwrap();
    assert_eq!((trail.intact, trail.broken), (2, None), "the trail is in the backup");
}

#[tokio::test]
async fn after_a_new_key_the_daemon_goes_on_and_the_old_key_opens_nothing_but_older_backups() {
    let (folder, config, world) = stopped().await;
    let at = places(&folder);
    let older = folder.path().join("older.backup");
    backup(&config, &at, &older).await.unwrap();
    let rotation = rotate_key(&config, &at).await.unwrap();
    assert!(rotation.resealed >= 2, "the cluster's keys and the service's secret: {rotation:?}");
    let old_key = std::fs::read(&rotation.old_key).unwrap();

    let daemon = TestDaemon::on(folder, config.clone(), world).await;
    let client = daemon.client().await;
    succeed(&client, client.service_scale(&name("demo"), &name("web"), 3, None).await.unwrap()).await;
    let TestDaemon { folder, daemon, .. } = daemon;
    daemon.shutdown().await;

    let restored = tempfile::tempdir().unwrap();
    let newer = folder.path().join("newer.backup");
    backup(&config, &places(&folder), &newer).await.unwrap();
    std::fs::create_dir(restored.path().join("state")).unwrap();
    let key = restored.path().join("state/sealing.key");
    std::fs::write(&key, &old_key).unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    restore(&config, &places(&restored), older, false).await.unwrap();
    let refused = restore(&config, &places(&restored), newer, true).await.unwrap_err();
    assert!(matches!(refused, UpkeepError::Key(_)), "{refused}");
}

#[tokio::test]
async fn a_running_daemon_is_neither_backed_up_nor_replaced_from_outside() {
    let daemon = TestDaemon::start().await;
    let at = places(&daemon.folder);
    let file = daemon.folder.path().join("muster.backup");
    assert!(matches!(backup(&daemon.config, &at, &file).await, Err(UpkeepError::Open(_))));
    let empty = tempfile::tempdir().unwrap();
    let none = backup(&daemon.config, &places(&empty), &file).await.unwrap_err();
    assert!(matches!(none, UpkeepError::NoStore { .. }), "an empty store is not made to be backed up");
}
