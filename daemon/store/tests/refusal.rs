//! Databases that are whole but not the newest, witnesses, exports: what is refused, what is accepted and when.
#![allow(clippy::unwrap_used)] // a test file; clippy allows it only within test functions

mod common;

use std::{fs, path::Path};

use common::{
    Note, all,
    damage::{Case, Original, copy_dir, cut, flip, snapshots, with_sled},
    open, put, try_open,
};
use muster_store::{OpenError, OpenOptions, Repair, Store};

#[tokio::test]
async fn a_repair_that_was_interrupted_starts_again_from_the_files_as_found() {
    let original = Original::new().await;
    let copy = original.copy();
    fs::rename(copy.path().join("sled"), copy.path().join("as-found")).unwrap();
    fs::create_dir(copy.path().join("sled")).unwrap();
    fs::write(copy.path().join("sled/db"), b"half a copy").unwrap();
    let (store, report) = open(copy.path()).await;
    assert_eq!(report.repairs, []);
    assert_eq!(all(&store).await, original.notes);
}

#[tokio::test]
async fn a_refusal_leaves_no_copies_behind() {
    let original = Original::new().await;
    let copy = original.copy();
    cut(&copy.path().join("sled/db"), 100_000);
    for _ in 0..3 {
        try_open(copy.path()).await.unwrap_err();
    }
    let mut names: Vec<_> =
        fs::read_dir(copy.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["lock", "sled", "snapshot-copy", "witness"]);
}

#[tokio::test]
async fn an_older_copy_of_the_database_is_refused() {
    let original = Original::new().await;
    let newer = original.copy();
    let (store, _) = open(newer.path()).await;
    put(&store, &[Note::new("later", "")]).await;
    store.close().await;
    fs::remove_dir_all(newer.path().join("sled")).unwrap();
    fs::create_dir(newer.path().join("sled")).unwrap();
    copy_dir(&original.dir.path().join("sled"), &newer.path().join("sled"));
    let error = try_open(newer.path()).await.unwrap_err();
    let OpenError::Damaged { committed, export: None, .. } = &error else { panic!("{error}") };
    assert_eq!(*committed, original.generation + 1);
    assert!(error.to_string().contains("put a good copy of the store"), "{error}");
}

#[tokio::test]
async fn another_stores_database_is_refused() {
    let (original, other) = (Original::new().await, Original::new().await);
    let error = original
        .after("foreign", |dir| {
            fs::remove_dir_all(dir.join("sled")).unwrap();
            fs::create_dir(dir.join("sled")).unwrap();
            copy_dir(&other.dir.path().join("sled"), &dir.join("sled"));
        })
        .await
        .unwrap_err();
    assert!(error.to_string().contains("different stores"), "{error}");
}

#[tokio::test]
async fn a_missing_database_beside_a_witness_is_refused() {
    let original = Original::new().await;
    for gone in ["sled", "sled/db"] {
        let error = original
            .after(gone, |dir| {
                let path = dir.join(gone);
                if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }.unwrap();
            })
            .await
            .unwrap_err();
        assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_missing_or_ruined_witness_is_refused_unless_the_caller_vouches() {
    let original = Original::new().await;
    let damages: [Case<fn(&Path)>; 3] = [
        ("deleted", |path| fs::remove_file(path).unwrap()),
        ("emptied", |path| cut(path, 0)),
        ("overwritten", |path| fs::write(path, [7; 5000]).unwrap()),
    ];
    for (what, damage) in damages {
        let error = original.after(what, |dir| damage(&dir.join("witness"))).await.unwrap_err();
        assert!(matches!(error, OpenError::Unwitnessed { .. }), "{what}: {error}");

        let copy = original.copy();
        damage(&copy.path().join("witness"));
        let options = OpenOptions { accept_unwitnessed: true, ..OpenOptions::default() };
        let (store, report) = Store::open(copy.path(), options).await.unwrap();
        assert_eq!(report.repairs, [Repair::TrustedUnwitnessed]);
        assert_eq!(all(&store).await, original.notes);
        store.close().await;
        assert_eq!(open(copy.path()).await.1.repairs, []);
    }
}

#[tokio::test]
async fn every_flipped_byte_of_the_witness_is_survived_or_refused() {
    let original = Original::new().await;
    let length = fs::metadata(original.dir.path().join("witness")).unwrap().len() as usize;
    for position in (0..64).chain(4096..length) {
        let what = format!("witness flipped at {position}");
        // Both are right: the other slot still vouches for this database, or nothing does.
        let _ = original.after(&what, |dir| flip(&dir.join("witness"), position)).await;
    }
}

#[tokio::test]
async fn an_export_of_the_last_generation_repairs_anything() {
    let original = Original::new().await;
    let (store, _) = open(original.dir.path()).await;
    let export = store.export().await.unwrap();
    assert_eq!((export.generation, export.records), (original.generation, 300));
    store.close().await;
    let damages: [Case<fn(&Path)>; 3] = [
        ("half the db", |dir| cut(&dir.join("sled/db"), 200_000)),
        ("no sled files", |dir| fs::remove_dir_all(dir.join("sled")).unwrap()),
        ("a record removed", |dir| with_sled(dir, |db| drop(db.remove(b"\x02note-00003").unwrap().unwrap()))),
    ];
    for (what, damage) in damages {
        let repairs = original.after(what, damage).await.unwrap();
        assert!(matches!(repairs[..], [Repair::RestoredExport { .. }]), "{what}: {repairs:?}");
    }
}

#[tokio::test]
async fn an_older_export_is_used_only_when_the_caller_accepts_the_loss() {
    let original = Original::new().await;
    let (store, _) = open(original.dir.path()).await;
    store.export().await.unwrap();
    for n in 0..3 {
        put(&store, &[Note::new(format!("late {n}"), "")]).await;
    }
    store.close().await;
    fs::remove_dir_all(original.dir.path().join("sled")).unwrap();

    let error = try_open(original.dir.path()).await.unwrap_err();
    assert!(matches!(error, OpenError::Damaged { export: Some(_), .. }), "{error}");
    assert!(error.to_string().contains("accept_older_export"), "{error}");

    let options = OpenOptions { accept_older_export: true, ..OpenOptions::default() };
    let (store, report) = Store::open(original.dir.path(), options).await.unwrap();
    let [Repair::RestoredOlderExport { first_lost, last_lost, .. }] = report.repairs[..] else { panic!("{report:?}") };
    assert_eq!((first_lost, last_lost), (original.generation + 1, Some(original.generation + 3)));
    assert_eq!(all(&store).await, original.notes);
    assert!(Some(report.generation) > last_lost, "generations that were acknowledged must not be used again");
    store.close().await;
    assert_eq!(open(original.dir.path()).await.1.repairs, []);
}

#[tokio::test]
async fn damaged_exports_are_passed_over() {
    let original = Original::new().await;
    let (store, _) = open(original.dir.path()).await;
    let good = store.export().await.unwrap();
    put(&store, &[Note::new("late", "")]).await;
    let bad = store.export().await.unwrap();
    store.close().await;
    flip(&bad.path, 1000);
    fs::remove_dir_all(original.dir.path().join("sled")).unwrap();
    let error = try_open(original.dir.path()).await.unwrap_err();
    assert!(matches!(&error, OpenError::Damaged { export: Some((path, _)), .. } if *path == good.path), "{error}");
}

#[tokio::test]
async fn exports_alone_are_not_taken_for_a_new_store() {
    let original = Original::new().await;
    let (store, _) = open(original.dir.path()).await;
    store.export().await.unwrap();
    store.close().await;
    fs::remove_dir_all(original.dir.path().join("sled")).unwrap();
    fs::remove_file(original.dir.path().join("witness")).unwrap();
    let error = try_open(original.dir.path()).await.unwrap_err();
    assert!(matches!(error, OpenError::OnlyExports { .. }), "{error}");

    let options = OpenOptions { accept_older_export: true, ..OpenOptions::default() };
    let (store, report) = Store::open(original.dir.path(), options).await.unwrap();
    assert!(matches!(report.repairs[..], [Repair::RestoredOlderExport { last_lost: None, .. }]), "{report:?}");
    assert_eq!(all(&store).await, original.notes);
}

#[tokio::test]
async fn the_files_as_found_are_kept_before_a_repair() {
    let original = Original::new().await;
    let copy = original.copy();
    let snapshot = snapshots(copy.path())[0].clone();
    cut(&snapshot, 20);
    let (_store, report) = open(copy.path()).await;
    let kept = report.kept.unwrap();
    assert_eq!(fs::metadata(kept.join(snapshot.file_name().unwrap())).unwrap().len(), 20);
    assert!(kept.join("db").exists());
}
