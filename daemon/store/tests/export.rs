//! Exports and restores.
#![allow(clippy::unwrap_used)] // a test file; clippy allows it only within test functions

mod common;

use std::fs;

use common::{Note, all, open, put, tempdir};
use muster_store::{OpenError, RestoreError, restore, verify_export};

#[tokio::test]
async fn a_restored_store_holds_what_was_exported() {
    let dir = tempdir();
    let (store, _) = open(&dir.path().join("store")).await;
    let notes: Vec<_> = (0..2500).map(Note::numbered).collect();
    for chunk in notes.chunks(100) {
        put(&store, chunk).await;
    }
    let file = dir.path().join("backup.export");
    let summary = store.export_to(&file).await.unwrap();
    assert_eq!((summary.records, summary.generation), (2500, 25));
    assert_eq!(verify_export(&file).unwrap(), summary);
    store.close().await;

    let target = dir.path().join("other machine");
    let report = restore(&target, &file, false).unwrap();
    assert_eq!(report.records, 2500);
    let (store, report) = open(&target).await;
    assert_eq!(report.repairs, []);
    assert_eq!(all(&store).await, notes);
}

#[tokio::test]
async fn a_restore_replaces_a_store_only_when_told_and_keeps_the_old_one() {
    let dir = tempdir();
    let (path, file) = (dir.path().join("store"), dir.path().join("backup"));
    let (store, _) = open(&path).await;
    put(&store, &[Note::new("old", "")]).await;
    store.export_to(&file).await.unwrap();
    let newer = put(&store, &[Note::new("new", "")]).await;

    let running = tokio::task::spawn_blocking({
        let (path, file) = (path.clone(), file.clone());
        move || restore(&path, &file, true)
    });
    // A running store keeps its lock; a restore from this same process waits for it to be closed.
    store.close().await;
    let report = running.await.unwrap().unwrap();
    assert!(report.generation > newer, "acknowledged generations must not be used again");
    assert!(report.kept.unwrap().join("db").exists());

    let error = restore(&path, &file, false).unwrap_err();
    assert!(matches!(error, RestoreError::StoreExists { .. }), "{error}");
    let (store, report) = open(&path).await;
    assert_eq!(report.repairs, []);
    assert_eq!(all(&store).await, [Note::new("old", "")]);
}

#[tokio::test]
async fn every_cut_and_flip_of_an_export_is_noticed() {
    let dir = tempdir();
    let (store, _) = open(&dir.path().join("store")).await;
    put(&store, &(0..20).map(Note::numbered).collect::<Vec<_>>()).await;
    let file = dir.path().join("backup");
    store.export_to(&file).await.unwrap();
    let good = fs::read(&file).unwrap();
    for position in (0..good.len()).step_by(13) {
        let mut flipped = good.clone();
        flipped[position] ^= 4;
        for bad in [&flipped[..], &good[..position]] {
            fs::write(&file, bad).unwrap();
            assert!(verify_export(&file).is_err(), "at {position}");
        }
    }
    let target = dir.path().join("target");
    assert!(matches!(restore(&target, &file, false), Err(RestoreError::Export(_))));
    assert!(!target.exists(), "a bad export must not leave half a store");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_among_commits_is_one_consistent_state() {
    let dir = tempdir();
    let (store, _) = open(&dir.path().join("store")).await;
    let writer = tokio::spawn({
        let store = store.clone();
        async move {
            for n in 0..200 {
                // Both or neither.
                put(&store, &[Note::new(format!("a{n}"), ""), Note::new(format!("b{n}"), "")]).await;
            }
        }
    });
    for _ in 0..20 {
        let summary = store.export().await.unwrap();
        assert_eq!(summary.records, 2 * summary.generation, "{summary:?}");
    }
    writer.await.unwrap();
    let kept = fs::read_dir(dir.path().join("store/exports")).unwrap().count();
    assert!(kept <= 3, "{kept} exports kept");
}

#[tokio::test]
async fn a_restore_beside_a_running_daemon_is_refused() {
    let dir = tempdir();
    let path = dir.path().join("store");
    let (store, _) = open(&path).await;
    let file = dir.path().join("backup");
    store.export_to(&file).await.unwrap();
    // As another process would have written it.
    fs::write(path.join("lock"), "4242\n").unwrap();
    let error = restore(&path, &file, true).unwrap_err();
    assert!(matches!(error, RestoreError::Open(OpenError::AnotherDaemon { .. })), "{error}");
    store.close().await;
}
