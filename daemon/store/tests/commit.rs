//! Commits: atomic, grouped, durable before acknowledged, never lost by a dropped future.
#![allow(clippy::unwrap_used)] // a test file; clippy allows it only within test functions

mod common;

use std::{
    io,
    sync::{Arc, Mutex},
};

use common::{Note, all, batch, open, put, tempdir};
use muster_store::{Batch, BatchError, CommitError, CommitStep, NotApplied, OpenError, OpenOptions, ReadError, Store};

#[tokio::test]
async fn a_record_survives_close_and_open() {
    let dir = tempdir();
    let (store, report) = open(dir.path()).await;
    assert!(report.created);
    put(&store, &[Note::new("a", "one"), Note::new("b", "two")]).await;
    store.close().await;

    let (store, report) = open(dir.path()).await;
    assert!(!report.created);
    assert_eq!((report.generation, report.records, report.repairs), (1, 2, vec![]));
    assert_eq!(store.get::<Note>(b"a").await.unwrap(), Some(Note::new("a", "one")));
    assert_eq!(store.get::<Note>(b"none").await.unwrap(), None);
    assert_eq!(all(&store).await.len(), 2);
}

#[tokio::test]
async fn overwrites_and_deletes_keep_the_root_record_right() {
    let dir = tempdir();
    let (store, _) = open(dir.path()).await;
    for round in 0..20 {
        let mut batch = Batch::new();
        for n in 0..50 {
            batch.put(&Note::new(format!("{n}"), format!("round {round}"))).unwrap();
        }
        batch.delete::<Note>(format!("{round}").as_bytes()).unwrap();
        // Within a batch the later change wins, also over a key that is new.
        batch.put(&Note::new("brief", "")).unwrap().delete::<Note>(b"brief").unwrap();
        batch.delete::<Note>(b"never there").unwrap();
        store.commit(batch).await.unwrap();
    }
    store.close().await;
    let (store, report) = open(dir.path()).await;
    assert_eq!((report.records, report.repairs), (49, vec![]));
    assert_eq!(store.get::<Note>(b"19").await.unwrap(), None);
    assert_eq!(store.get::<Note>(b"18").await.unwrap().unwrap().text, "round 19");
}

#[tokio::test]
async fn a_dropped_commit_future_loses_nothing() {
    let dir = tempdir();
    let (store, _) = open(dir.path()).await;
    for n in 0..100 {
        drop(store.commit(batch(&[Note::numbered(n), Note::numbered(1000 + n)])));
    }
    store.close().await;
    let (store, _) = open(dir.path()).await;
    assert_eq!(all(&store).await.len(), 200);
}

#[tokio::test]
async fn values_and_keys_above_the_limit_are_refused_before_anything_is_written() {
    let mut batch = Batch::new();
    let error = batch.put(&Note::new("big", "x".repeat(64 * 1024))).unwrap_err();
    assert!(matches!(error, BatchError::ValueTooLarge { .. }), "{error}");
    let error = batch.put(&Note::new("k".repeat(2000), "")).unwrap_err();
    assert!(matches!(error, BatchError::KeyTooLong { .. }), "{error}");
    assert!(batch.is_empty());
}

#[tokio::test]
async fn many_large_values_survive() {
    let dir = tempdir();
    let (store, _) = open(dir.path()).await;
    let notes: Vec<_> = (0..60).map(|n| Note::new(format!("{n:03}"), format!("{n}").repeat(30_000))).collect();
    for chunk in notes.chunks(7) {
        put(&store, chunk).await;
    }
    store.close().await;
    let (store, _) = open(dir.path()).await;
    assert_eq!(all(&store).await, notes);
    store.close().await;
}

#[tokio::test]
async fn concurrent_batches_share_groups_and_all_survive() {
    let dir = tempdir();
    // The first group is held up until all are handed in, as a slow disk would, so that it is not luck how many share one.
    let (release, gate) = std::sync::mpsc::channel::<()>();
    let gate = Mutex::new(gate);
    let hook = move |step| {
        if step == CommitStep::SyncDatabase {
            let _released_or_long_ago = gate.lock().unwrap().recv();
        }
        Ok(())
    };
    let options = OpenOptions { fault_hook: Some(Arc::new(hook)), ..OpenOptions::default() };
    let (store, _) = Store::open(dir.path(), options).await.unwrap();
    let commits: Vec<_> = (0..1000).map(|n| store.commit(batch(&[Note::numbered(n)]))).collect();
    drop(release);
    let mut generations = Vec::new();
    for commit in commits {
        generations.push(commit.await.unwrap().generation);
    }
    generations.sort_unstable();
    generations.dedup();
    assert!(generations.len() < 10, "{} groups for 1000 batches", generations.len());
    store.close().await;
    let (store, _) = open(dir.path()).await;
    assert_eq!(all(&store).await.len(), 1000);
}

/// Records each step; fails at one of them once.
fn scripted(fail_at: Option<CommitStep>) -> (OpenOptions, Arc<Mutex<Vec<CommitStep>>>) {
    let steps = Arc::new(Mutex::new(Vec::new()));
    let seen = steps.clone();
    let hook = move |step| {
        seen.lock().unwrap().push(step);
        if Some(step) == fail_at { Err(io::Error::other("injected")) } else { Ok(()) }
    };
    (OpenOptions { fault_hook: Some(Arc::new(hook)), ..OpenOptions::default() }, steps)
}

#[tokio::test]
async fn nobody_is_told_before_both_fsyncs_returned() {
    let dir = tempdir();
    let (release, gate) = std::sync::mpsc::channel::<()>();
    let gate = Mutex::new(gate);
    let (reached, mut reaching) = tokio::sync::mpsc::unbounded_channel();
    let hook = move |step| {
        if step == CommitStep::SyncDatabase || step == CommitStep::SyncWitness {
            reached.send(step).unwrap();
            gate.lock().unwrap().recv().unwrap();
        }
        Ok(())
    };
    let options = OpenOptions { fault_hook: Some(Arc::new(hook)), ..OpenOptions::default() };
    let (store, _) = Store::open(dir.path(), options).await.unwrap();
    let mut commit = Box::pin(store.commit(batch(&[Note::new("a", "")])));
    for expected in [CommitStep::SyncDatabase, CommitStep::SyncWitness] {
        assert_eq!(reaching.recv().await, Some(expected));
        let pending = poll_once_is_pending(&mut commit);
        assert!(pending, "acknowledged before {expected:?}");
        assert_eq!(*store.last_event().borrow(), 0);
        release.send(()).unwrap();
    }
    commit.await.unwrap();
}

/// Polls once; true if pending.
fn poll_once_is_pending<F: Future + Unpin>(future: &mut F) -> bool {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    std::pin::Pin::new(future).poll(&mut context).is_pending()
}

#[tokio::test]
async fn a_failure_before_the_first_write_is_certain_and_the_store_goes_on() {
    let dir = tempdir();
    let failing = Arc::new(Mutex::new(true));
    let hook = {
        let failing = failing.clone();
        move |step| {
            let fail = step == CommitStep::Apply && *failing.lock().unwrap();
            if fail { Err(io::Error::other("injected")) } else { Ok(()) }
        }
    };
    let options = OpenOptions { fault_hook: Some(Arc::new(hook)), ..OpenOptions::default() };
    let (store, _) = Store::open(dir.path(), options).await.unwrap();
    let error = store.commit(batch(&[Note::new("a", "")])).await.unwrap_err();
    assert!(matches!(error, CommitError::NotApplied(NotApplied::Prepare(_))), "{error}");
    *failing.lock().unwrap() = false;
    put(&store, &[Note::new("b", "")]).await;
    assert_eq!(all(&store).await, [Note::new("b", "")]);
}

#[tokio::test]
async fn without_room_on_the_disk_nothing_is_begun_and_what_is_there_can_be_read() {
    let dir = tempdir();
    let (store, _) = open(dir.path()).await;
    put(&store, &[Note::new("before", "")]).await;
    store.close().await;

    let options = OpenOptions { headroom_bytes: u64::MAX, ..OpenOptions::default() };
    let (store, _) = Store::open(dir.path(), options).await.unwrap();
    let commits = [store.commit(batch(&[Note::new("a", "")])), store.commit(batch(&[Note::new("b", "")]))];
    for commit in commits {
        let error = commit.await.unwrap_err();
        assert!(matches!(error, CommitError::NotApplied(NotApplied::NoRoom { .. })), "{error}");
    }
    assert_eq!(all(&store).await, [Note::new("before", "")]);
    store.close().await;
    let (again, report) = open(dir.path()).await;
    assert_eq!((report.records, report.repairs), (1, vec![]));
    put(&again, &[Note::new("after", "")]).await;
}

#[tokio::test]
async fn a_writer_that_hangs_is_not_reached_until_it_goes_on() {
    let dir = tempdir();
    let (release, blocked) = std::sync::mpsc::channel::<()>();
    let blocked = Mutex::new(blocked);
    let hook = move |step| {
        if step == CommitStep::Apply {
            // Until the test says so, or has ended.
            let _ = blocked.lock().unwrap().recv();
        }
        Ok(())
    };
    let options = OpenOptions { fault_hook: Some(Arc::new(hook)), ..OpenOptions::default() };
    let (store, _) = Store::open(dir.path(), options).await.unwrap();
    assert!(store.reaches_writer().await);
    let commit = store.commit(batch(&[Note::new("a", "")]));
    let reached = tokio::time::timeout(std::time::Duration::from_millis(200), store.reaches_writer()).await;
    assert!(reached.is_err(), "it hangs, and is said to be reached");
    release.send(()).unwrap();
    commit.await.unwrap();
    assert!(store.reaches_writer().await);
    store.close().await;
    assert!(!store.reaches_writer().await);
}

#[tokio::test]
async fn who_waits_for_the_end_of_a_store_learns_its_reason_and_does_not_keep_it_open() {
    let dir = tempdir();
    let (options, _) = scripted(Some(CommitStep::SyncDatabase));
    let (store, _) = Store::open(dir.path(), options).await.unwrap();
    let mut stopped = Box::pin(store.stopped());
    assert!(poll_once_is_pending(&mut stopped));
    store.commit(batch(&[Note::new("maybe", "")])).await.unwrap_err();
    assert!(matches!(stopped.await, NotApplied::Stopped(_)));
    drop(store);

    let (store, _) = open(dir.path()).await;
    let stopped = store.stopped();
    drop(store);
    assert!(matches!(stopped.await, NotApplied::Closed));
}

#[tokio::test]
async fn a_failure_after_the_first_write_stops_the_store_until_it_is_reopened() {
    use CommitStep::{Acknowledge, Flush, SyncDatabase, SyncWitness};
    for step in [Flush, SyncDatabase, SyncWitness, Acknowledge] {
        let dir = tempdir();
        let (first, _) = open(dir.path()).await;
        put(&first, &[Note::new("before", "")]).await;
        first.close().await;

        let (options, steps) = scripted(Some(step));
        let (store, _) = Store::open(dir.path(), options).await.unwrap();
        let error = store.commit(batch(&[Note::new("maybe", ""), Note::new("maybe too", "")])).await.unwrap_err();
        assert!(matches!(error, CommitError::MaybeApplied { .. }), "{step:?}: {error}");
        assert!(steps.lock().unwrap().contains(&step));
        let error = store.commit(batch(&[Note::new("after", "")])).await.unwrap_err();
        assert!(matches!(error, CommitError::NotApplied(NotApplied::Stopped(_))), "{step:?}: {error}");
        assert!(matches!(store.get::<Note>(b"before").await, Err(ReadError::Closed)));

        // Reopened beside the stopped handle: all or nothing of the batch, and all of what was acknowledged.
        let (again, report) = open(dir.path()).await;
        let found = all(&again).await.len();
        assert!(found == 1 || found == 3, "{step:?}: {found} records");
        assert_eq!(report.repairs, []);
        put(&again, &[Note::new("after", "")]).await;
    }
}

#[tokio::test]
async fn a_second_open_of_the_same_directory_is_told_of_another_daemon() {
    let dir = tempdir();
    let holder = std::fs::File::create(dir.path().join("lock")).unwrap();
    std::fs::write(dir.path().join("lock"), "4242\n").unwrap();
    rustix::fs::flock(&holder, rustix::fs::FlockOperation::LockExclusive).unwrap();
    let error = common::try_open(dir.path()).await.unwrap_err();
    assert!(matches!(&error, OpenError::AnotherDaemon { holder, .. } if holder == "4242"), "{error}");
    assert!(error.to_string().contains("another daemon is running"));
}

#[tokio::test]
async fn dropping_the_store_releases_the_directory() {
    let dir = tempdir();
    for n in 0..50 {
        let (store, _) = open(dir.path()).await;
        // In flight or waiting while the last handle goes away.
        drop(store.commit(batch(&[Note::numbered(n)])));
        drop(store);
    }
    let (store, report) = open(dir.path()).await;
    assert_eq!(report.repairs, []);
    assert!(all(&store).await.len() <= 50);
}

#[tokio::test]
async fn close_is_idempotent_and_refuses_what_comes_after() {
    let dir = tempdir();
    let (store, _) = open(dir.path()).await;
    let clone = store.clone();
    store.close().await;
    clone.close().await;
    let error = clone.commit(Batch::new()).await.unwrap_err();
    assert!(matches!(error, CommitError::NotApplied(NotApplied::Closed)), "{error}");
    assert!(matches!(clone.get::<Note>(b"a").await, Err(ReadError::Closed)));
}
