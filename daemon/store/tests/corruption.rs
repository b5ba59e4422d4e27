//! Damage to sled's files: the store opens with every record intact or is refused with a remedy. It never opens empty,
//! and never serves what was not committed.
#![allow(clippy::unwrap_used)] // a test file; clippy allows it only within test functions

mod common;

use std::{fs, path::Path};

use common::{
    Note, all,
    damage::{Case, Original, copy_open_store, cut, flip, snapshots, with_sled},
    open, put, tempdir,
};
use muster_store::{OpenError, Repair};

#[tokio::test]
async fn an_untouched_copy_needs_no_repair() {
    let original = Original::new().await;
    assert_eq!(original.after("nothing", |_| {}).await.unwrap(), []);
}

#[tokio::test]
async fn unfinished_snapshots_are_repaired() {
    let original = Original::new().await;
    for (what, content) in [("empty", &b""[..]), ("garbage", &[0xA5; 5000]), ("short", b"abc")] {
        let repairs = original
            .after(what, |dir| fs::write(dir.join("sled/snap.00000000000FFFFF.generating"), content).unwrap())
            .await
            .unwrap();
        assert_eq!(repairs, [Repair::RemovedUnfinishedSnapshot], "{what}");
    }
}

#[tokio::test]
async fn damaged_snapshots_are_repaired_at_every_length_and_byte() {
    let original = Original::new().await;
    let length = fs::metadata(&snapshots(original.dir.path())[0]).unwrap().len();
    for cut_to in (0..length).step_by(7) {
        let what = format!("snapshot cut to {cut_to} of {length}");
        let repairs =
            original.after(&what, |dir| snapshots(dir).iter().for_each(|path| cut(path, cut_to))).await.unwrap();
        assert_eq!(repairs, [Repair::RestoredSnapshot], "{what}");
    }
    for position in (0..length as usize).step_by(11) {
        let what = format!("snapshot flipped at {position}");
        original.after(&what, |dir| snapshots(dir).iter().for_each(|path| flip(path, position))).await.unwrap();
    }
    let repairs = original
        .after("snapshots deleted", |dir| snapshots(dir).iter().for_each(|path| fs::remove_file(path).unwrap()))
        .await
        .unwrap();
    assert_eq!(repairs, []);
}

#[tokio::test]
async fn a_damaged_snapshot_is_repaired_also_when_sled_has_long_collected_its_first_segments() {
    let dir = tempdir();
    let (store, _) = open(dir.path()).await;
    for round in 0..400 {
        let notes: Vec<_> = (0..40).map(|n| Note::new(format!("{n}"), format!("{round} ").repeat(200))).collect();
        put(&store, &notes).await;
    }
    let notes = all(&store).await;
    // As a kill leaves it: the log has grown far beyond the snapshot.
    let killed = tempdir();
    copy_open_store(dir.path(), killed.path());
    store.close().await;
    for path in snapshots(killed.path()) {
        cut(&path, 30);
    }
    let (store, report) = open(killed.path()).await;
    assert_eq!(report.repairs, [Repair::RestoredSnapshot]);
    assert_eq!(all(&store).await, notes);
}

#[tokio::test]
async fn a_cut_database_is_never_opened_short() {
    let original = Original::new().await;
    let length = fs::metadata(original.dir.path().join("sled/db")).unwrap().len();
    let mut refused = 0;
    let lengths = (0..length).step_by(8191).chain((1..60).map(|n| length - n * 97));
    for cut_to in lengths {
        for keep_snapshots in [true, false] {
            let what = format!("db cut to {cut_to} of {length}, snapshots kept: {keep_snapshots}");
            let outcome = original
                .after(&what, |dir| {
                    cut(&dir.join("sled/db"), cut_to);
                    if !keep_snapshots {
                        snapshots(dir).iter().for_each(|path| fs::remove_file(path).unwrap());
                    }
                })
                .await;
            refused += usize::from(outcome.is_err());
        }
    }
    assert!(refused > 50, "only {refused} cuts were noticed: the cuts miss the data");
}

#[tokio::test]
async fn flipped_bytes_in_the_database_are_never_served() {
    let original = Original::new().await;
    let length = fs::metadata(original.dir.path().join("sled/db")).unwrap().len() as usize;
    let mut refused = 0;
    for position in (0..length).step_by(6007) {
        let outcome =
            original.after(&format!("db flipped at {position}"), |dir| flip(&dir.join("sled/db"), position)).await;
        refused += usize::from(outcome.is_err());
    }
    assert!(refused > 20, "only {refused} flips were noticed: the flips miss the data");
}

#[tokio::test]
async fn overwritten_sectors_of_the_database_are_never_served() {
    let original = Original::new().await;
    let length = fs::metadata(original.dir.path().join("sled/db")).unwrap().len() as usize;
    let mut refused = 0;
    for filling in [0x00, 0xFF] {
        for start in (0..length - 4096).step_by(16_384) {
            let what = format!("db filled with {filling} at {start}");
            let damage = |dir: &Path| {
                let path = dir.join("sled/db");
                let mut bytes = fs::read(&path).unwrap();
                bytes[start..start + 4096].fill(filling);
                fs::write(&path, bytes).unwrap();
            };
            refused += usize::from(original.after(&what, damage).await.is_err());
        }
    }
    assert!(refused > 20, "only {refused} sectors were noticed: they miss the data");
}

#[tokio::test]
async fn damaged_settings_of_sled_are_repaired() {
    let original = Original::new().await;
    let length = fs::metadata(original.dir.path().join("sled/conf")).unwrap().len();
    for position in 0..length {
        original.after("conf flipped", |dir| flip(&dir.join("sled/conf"), position as usize)).await.unwrap();
        original.after("conf cut", |dir| cut(&dir.join("sled/conf"), position)).await.unwrap();
    }
    original.after("conf deleted", |dir| fs::remove_file(dir.join("sled/conf")).unwrap()).await.unwrap();
}

#[tokio::test]
async fn records_changed_behind_the_stores_back_are_refused() {
    let original = Original::new().await;
    let changes: [Case<fn(&sled::Db)>; 6] = [
        ("two values swapped", |db| {
            let (first, second) =
                (db.get(b"\x02note-00003").unwrap().unwrap(), db.get(b"\x02note-00150").unwrap().unwrap());
            db.insert(b"\x02note-00003", second).unwrap();
            db.insert(b"\x02note-00150", first).unwrap();
        }),
        ("a record removed", |db| drop(db.remove(b"\x02note-00003").unwrap().unwrap())),
        ("a record added", |db| {
            let value = muster_store::envelope::encode(b"\x02extra", 1, 1, b"\x01a\x01b");
            drop(db.insert(b"\x02extra", value).unwrap());
        }),
        ("a value replaced by an intact one", |db| {
            let value = muster_store::envelope::encode(b"\x02note-00003", 1, 1, b"\x0anote-00003\x01b");
            drop(db.insert(b"\x02note-00003", value).unwrap());
        }),
        ("the root record removed", |db| drop(db.remove([0]).unwrap().unwrap())),
        ("everything removed", |db| db.clear().unwrap()),
    ];
    for (what, change) in changes {
        let error = original.after(what, |dir| with_sled(dir, change)).await.unwrap_err();
        assert!(matches!(error, OpenError::Damaged { .. }), "{what}: {error}");
    }
}
