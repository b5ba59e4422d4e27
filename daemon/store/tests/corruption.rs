//! Damage: whatever happens to the files, a store opens with every record intact or is refused with a remedy.
//! It never opens empty, and never silently older.
#![allow(clippy::unwrap_used)] // a test file; clippy allows it only within test functions

mod common;

use std::{
    fs,
    path::{Path, PathBuf},
};

use common::{Note, all, open, put, tempdir, try_open};
use muster_store::{OpenError, OpenOptions, Repair, Store};
use tempfile::TempDir;

/// A damage and its name.
type Case<F> = (&'static str, F);

/// A closed store with a history of commits, overwrites and deletes, and what it holds.
struct Original {
    dir: TempDir,
    notes: Vec<Note>,
    generation: u64,
}

impl Original {
    async fn new() -> Original {
        let dir = tempdir();
        let mut generation = 0;
        // Two runs, so that the second one starts from a snapshot and adds to it.
        for run in 0..2 {
            let (store, _) = open(dir.path()).await;
            for n in (0..300).step_by(5) {
                let mut notes: Vec<_> = (n..n + 5).map(Note::numbered).collect();
                notes.iter_mut().for_each(|note| note.text.push_str(&format!("run {run}")));
                generation = put(&store, &notes).await;
            }
            store.close().await;
        }
        let (store, _) = open(dir.path()).await;
        let notes = all(&store).await;
        store.close().await;
        assert_eq!(notes.len(), 300);
        Original { dir, notes, generation }
    }

    fn copy(&self) -> TempDir {
        let copy = tempdir();
        copy_dir(self.dir.path(), copy.path());
        copy
    }

    /// Opens a copy after `damage`. Returns the repairs, or the error if it was refused, which it then stays.
    async fn after(&self, what: &str, damage: impl FnOnce(&Path)) -> Result<Vec<Repair>, OpenError> {
        let copy = self.copy();
        damage(copy.path());
        match try_open(copy.path()).await {
            Ok((store, report)) => {
                assert!(!report.created, "{what}: started empty");
                assert_eq!(all(&store).await, self.notes, "{what}: records differ after {:?}", report.repairs);
                put(&store, &[Note::new("new", "")]).await;
                store.close().await;
                let (store, again) = open(copy.path()).await;
                assert_eq!((all(&store).await.len(), again.repairs), (301, vec![]), "{what}: not whole after a repair");
                store.close().await;
                Ok(report.repairs)
            }
            Err(error) => {
                let refused = matches!(error, OpenError::Damaged { .. } | OpenError::Unwitnessed { .. });
                assert!(refused, "{what}: {error}");
                let again = try_open(copy.path()).await;
                assert!(again.is_err(), "{what}: refused once, then opened: {error}");
                Err(error)
            }
        }
    }
}

fn copy_dir(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            fs::create_dir_all(&target).unwrap();
            copy_dir(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), &target).unwrap();
        }
    }
}

fn snapshots(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir.join("sled")).unwrap().map(|entry| entry.unwrap().path());
    let found: Vec<_> =
        entries.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("snap.")).collect();
    assert!(!found.is_empty(), "sled wrote no snapshot");
    found
}

fn cut(path: &Path, length: u64) {
    fs::File::options().write(true).open(path).unwrap().set_len(length).unwrap();
}

fn flip(path: &Path, position: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[position] ^= 0x20;
    fs::write(path, bytes).unwrap();
}

/// Changes sled's content behind the store's back.
fn with_sled(dir: &Path, change: impl FnOnce(&sled::Db)) {
    let db = sled::open(dir.join("sled")).unwrap();
    change(&db);
    db.flush().unwrap();
    drop(db);
}

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
    copy_dir(dir.path(), killed.path());
    store.close().await;
    for path in snapshots(killed.path()) {
        cut(&path, 30);
    }
    let (store, report) = open(killed.path()).await;
    assert_eq!(report.repairs, [Repair::RestoredSnapshot]);
    assert_eq!(all(&store).await, notes);
}

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
    assert_eq!((first_lost, last_lost), (original.generation + 1, original.generation + 3));
    assert_eq!(all(&store).await, original.notes);
    assert!(report.generation > last_lost, "generations that were acknowledged must not be used again");
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
