//! After an open the database is built anew: reads go on meanwhile, commits wait for it, and no interruption loses
//! anything.
#![allow(clippy::unwrap_used)] // a test file; clippy allows it only within test functions

mod common;

use std::{
    fs, io,
    path::Path,
    process::{Command, Stdio},
    sync::{Arc, Mutex, mpsc},
    time::Duration,
};

use common::{
    Note, all, batch,
    damage::{Original, copy_dir},
    open, put,
};
use muster_store::{Batch, CommitError, CommitStep, FaultHook, NotApplied, OpenOptions, ReadError, Store};

const DIR: &str = "MUSTER_STORE_RENEWAL_TEST_DIR";
const STEP: &str = "MUSTER_STORE_RENEWAL_TEST_STEP";

async fn open_with(dir: &Path, hook: FaultHook) -> Store {
    let options = OpenOptions { fault_hook: Some(hook), ..OpenOptions::default() };
    let (store, report) = Store::open(dir, options).await.unwrap();
    assert_eq!(report.repairs, []);
    store
}

/// Holds the renewal at `step` until the sender is used or dropped.
async fn open_held_at(dir: &Path, step: CommitStep) -> (Store, mpsc::Sender<()>) {
    let (release, gate) = mpsc::channel();
    let gate = Mutex::new(gate);
    let hook = move |reached| {
        if reached == step {
            let _ = gate.lock().unwrap().recv();
        }
        Ok(())
    };
    (open_with(dir, Arc::new(hook)).await, release)
}

async fn assert_whole(dir: &Path, expected: &[Note], what: &str) {
    let (store, report) = open(dir).await;
    assert_eq!(report.repairs, [], "{what}");
    assert_eq!(all(&store).await, expected, "{what}");
    // The first commit waits for the renewal.
    put(&store, &[Note::new("new", "")]).await;
    assert!(!dir.join("building").exists(), "{what}: the old database was left behind");
    store.close().await;
    let (store, report) = open(dir).await;
    assert_eq!((report.repairs, all(&store).await.len()), (vec![], expected.len() + 1), "{what}");
    store.close().await;
}

#[tokio::test]
async fn what_an_open_has_found_is_all_records_and_after_a_commit_those_that_there_are_then() {
    let dir = common::tempdir();
    let (store, _) = open(dir.path()).await;
    let notes: Vec<Note> = (0..500).map(Note::numbered).collect();
    put(&store, &notes).await;
    store.close().await;

    let (store, _) = open(dir.path()).await;
    let found = store.found().await.unwrap();
    assert_eq!(found.scan::<Note>(b"").unwrap(), notes);
    assert_eq!(found.scan::<Note>(b"note-0001").unwrap(), notes[10..20]);
    assert_eq!(found.scan::<Note>(b"note-1").unwrap(), []);
    let added = Note::new("note-9", "late");
    put(&store, &[added.clone()]).await;
    assert_eq!(found.scan::<Note>(b"note-9").unwrap(), [], "it is as of its moment");
    assert_eq!(store.found().await.unwrap().scan::<Note>(b"note-9").unwrap(), [added]);
    store.close().await;
}

#[tokio::test]
async fn reads_are_answered_and_commits_wait_while_the_database_is_built_anew() {
    for step in [CommitStep::Rebuild, CommitStep::Exchange] {
        let original = Original::new().await;
        let (store, release) = open_held_at(original.dir.path(), step).await;
        assert_eq!(all(&store).await, original.notes);
        let mut commit = Box::pin(store.commit(batch(&[Note::new("a", "")])));
        let waiting = tokio::time::timeout(Duration::from_millis(50), &mut commit).await;
        assert!(waiting.is_err(), "{step:?}: {waiting:?}");
        assert_eq!(all(&store).await, original.notes, "{step:?}: written to the database that is being replaced");
        release.send(()).unwrap();
        commit.await.unwrap();
        assert_eq!(all(&store).await.len(), 301);
        store.close().await;
        assert_eq!(all(&open(original.dir.path()).await.0).await.len(), 301);
    }
}

#[tokio::test]
async fn a_store_that_is_only_read_is_left_as_it_is() {
    let original = Original::new().await;
    let renewed = Arc::new(Mutex::new(Vec::new()));
    let steps = renewed.clone();
    let hook = move |reached| {
        steps.lock().unwrap().push(reached);
        Ok(())
    };
    let store = open_with(original.dir.path(), Arc::new(hook)).await;
    assert_eq!(all(&store).await, original.notes);
    store.close().await;
    assert_eq!(*renewed.lock().unwrap(), []);
    assert_whole(original.dir.path(), &original.notes, "after it was only read").await;
}

#[tokio::test]
async fn a_store_closed_while_its_database_is_built_anew_can_be_opened_at_once_and_has_what_was_handed_over() {
    for step in [CommitStep::Rebuild, CommitStep::Exchange] {
        let original = Original::new().await;
        let (store, release) = open_held_at(original.dir.path(), step).await;
        let commit = store.commit(batch(&[Note::new("a", "")]));
        let closing = tokio::spawn({
            let store = store.clone();
            async move { store.close().await }
        });
        release.send(()).unwrap();
        closing.await.unwrap();
        commit.await.unwrap();
        let (store, report) = open(original.dir.path()).await;
        assert_eq!((report.repairs, all(&store).await.len()), (vec![], 301));
    }
}

#[tokio::test]
async fn a_store_dropped_while_its_database_is_built_anew_releases_the_directory() {
    for step in [CommitStep::Rebuild, CommitStep::Exchange] {
        let original = Original::new().await;
        let (store, release) = open_held_at(original.dir.path(), step).await;
        // Whether this is stored, which changes nothing, nobody is told.
        let mut batch = Batch::new();
        batch.delete::<Note>(b"nobody").unwrap();
        drop(store.commit(batch));
        tokio::task::yield_now().await;
        drop((store, release));
        assert_whole(original.dir.path(), &original.notes, &format!("{step:?}")).await;
    }
}

#[tokio::test]
async fn a_renewal_that_fails_refuses_commits_with_its_cause_and_touches_nothing() {
    for step in [CommitStep::Rebuild, CommitStep::Exchange] {
        let original = Original::new().await;
        let dir = original.dir.path();
        let hook = move |reached| if reached == step { Err(io::Error::other("no space left")) } else { Ok(()) };
        let store = open_with(dir, Arc::new(hook)).await;
        assert_refused(&store, "no space left").await;
        // Reopened beside the stopped handle.
        assert_whole(dir, &original.notes, &format!("{step:?}")).await;
    }
}

#[tokio::test]
async fn a_workshop_that_cannot_be_made_refuses_commits_and_touches_nothing() {
    let original = Original::new().await;
    let dir = original.dir.path();
    fs::write(dir.join("building"), "not a directory").unwrap();
    let (store, _) = open(dir).await;
    assert_refused(&store, "directory").await;
    fs::remove_file(dir.join("building")).unwrap();
    assert_whole(dir, &original.notes, "after the obstacle was removed").await;
}

async fn assert_refused(store: &Store, cause: &str) {
    // The first waits for the renewal, the second comes when the writer is gone.
    for _ in 0..2 {
        let error = store.commit(batch(&[Note::new("a", "")])).await.unwrap_err();
        let CommitError::NotApplied(NotApplied::Stopped(found)) = &error else { panic!("{error}") };
        assert!(found.contains(cause), "{error}");
    }
    assert!(matches!(store.get::<Note>(b"a").await, Err(ReadError::Closed)));
}

#[tokio::test]
async fn a_database_left_in_the_workshop_is_no_hindrance() {
    let original = Original::new().await;
    // As a kill right after the exchange leaves it.
    let left = original.dir.path().join("building/sled");
    fs::create_dir_all(&left).unwrap();
    copy_dir(&original.dir.path().join("sled"), &left);
    assert_whole(original.dir.path(), &original.notes, "with an old database in the workshop").await;
}

/// The child's part of the next test; does nothing when run as a test.
#[tokio::test]
async fn child_that_dies_at_a_step() {
    let (Ok(dir), Ok(step)) = (std::env::var(DIR), std::env::var(STEP)) else { return };
    let hook = move |reached| {
        if format!("{reached:?}") == step {
            // Its own, so that no thread gets a moment longer.
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL)?;
        }
        Ok(())
    };
    let store = open_with(dir.as_ref(), Arc::new(hook)).await;
    put(&store, &[Note::new("never acknowledged", "")]).await;
}

#[tokio::test]
async fn nothing_is_lost_by_kill_9_at_any_step_of_a_renewal() {
    for step in [CommitStep::Rebuild, CommitStep::Exchange, CommitStep::Apply] {
        let original = Original::new().await;
        for _ in 0..3 {
            let status = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "child_that_dies_at_a_step"])
                .env(DIR, original.dir.path())
                .env(STEP, format!("{step:?}"))
                // Whoever counts the programs of a run must not take it for one that ended without a result.
                .stdout(Stdio::null())
                .status()
                .unwrap();
            assert!(!status.success(), "{step:?}: the child ended by itself");
        }
        assert_whole(original.dir.path(), &original.notes, &format!("{step:?}")).await;
    }
}
