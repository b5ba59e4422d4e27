//! A whole store directory, as it was written once, is opened and says the same for ever.
//!
//! A new format gets a directory of its own: `MUSTER_WRITE_FIXTURES=1 cargo test -p musterd --test golden_store` writes
//! it if it is missing. One that is there is never changed.

#![allow(clippy::unwrap_used, reason = "test code, though not in test functions")]

#[path = "../../protocol/tests/samples/mod.rs"]
mod samples;

use std::fs;
use std::path::{Path, PathBuf};

use muster_engine::desired::{ClusterRecord, Desired};
use muster_engine::recipe::Recipe;
use muster_protocol::model::cluster::ClusterPhase;
use muster_protocol::model::event::EventKind;
use muster_protocol::{ClusterId, InstanceId, Principal};
use muster_store::{Batch, OpenOptions, Store};
use musterd::journal::records::{StoredAccount, StoredCluster, StoredEvent, StoredInstance};
use samples::model::{account_info, at, cause, cluster_spec, name};

const CLUSTER: ClusterId = ClusterId::from_u128(0xc1);

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/store.format1")
}

fn cluster() -> StoredCluster {
    StoredCluster(ClusterRecord {
        id: CLUSTER,
        desired: Desired { generation: 3, spec: cluster_spec(), absent: false },
        phase: ClusterPhase::Ready,
        phase_since: at(1_000),
        was_ready: true,
        created_at: at(10),
        removal_deadline: None,
        swept: false,
        recipe: Recipe { version: Some("20.10".to_owned()), revision: "r1".to_owned() },
        renewal: 1,
    })
}

fn event() -> StoredEvent {
    StoredEvent {
        at: at(20),
        kind: EventKind::StepFailed,
        cluster: Some((CLUSTER, name("demo"))),
        operation: None,
        service: None,
        who: Some(Principal::token("ci")),
        message: "it happened".to_owned(),
        cause: Some(cause()),
    }
}

fn instance() -> StoredInstance {
    StoredInstance { id: InstanceId::from_u128(0x1d) }
}

async fn write(dir: &Path) {
    let (store, _) = Store::open(dir, OpenOptions::default()).await.unwrap();
    let mut batch = Batch::new();
    batch.put(&instance()).unwrap().put(&cluster()).unwrap().put(&StoredAccount(account_info())).unwrap();
    batch.append_event(&event()).unwrap();
    store.commit(batch).await.unwrap();
    store.close().await;
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[tokio::test]
async fn a_store_directory_of_this_format_is_opened_and_says_what_was_written() {
    let golden = golden();
    if !golden.exists() {
        assert!(std::env::var_os("MUSTER_WRITE_FIXTURES").is_some(), "{} is missing", golden.display());
        write(&golden).await;
        // The lock is of a process, not of a store.
        fs::remove_file(golden.join("lock")).unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("store");
    copy(&golden, &dir);
    let (store, report) = Store::open(&dir, OpenOptions::default()).await.unwrap();
    assert!(!report.created && report.repairs.is_empty(), "{report:?}");
    assert_eq!(store.scan::<StoredInstance>(&[]).await.unwrap(), [instance()]);
    assert_eq!(store.scan::<StoredCluster>(&[]).await.unwrap(), [cluster()]);
    assert_eq!(store.scan::<StoredAccount>(&[]).await.unwrap(), [StoredAccount(account_info())]);
    let events = store.read_events(0, 10).await.unwrap();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].decode::<StoredEvent>().unwrap(), event());
}
