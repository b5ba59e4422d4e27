//! The event log: numbered by the writer, without gap or repeat, across restarts and losses.
#![allow(clippy::unwrap_used)] // a test file; clippy allows it only within test functions

mod common;

use std::time::Duration;

use common::{Note, open, tempdir};
use muster_store::{Batch, BatchError, OpenOptions, Store};

fn event(text: &str) -> Batch {
    let mut batch = Batch::new();
    batch.append_event(&Note::new("event", text)).unwrap();
    batch
}

async fn texts(store: &Store, since: u64, limit: usize) -> Vec<(u64, String)> {
    let events = store.read_events(since, limit).await.unwrap();
    events.iter().map(|event| (event.number, event.decode::<Note>().unwrap().text)).collect()
}

#[tokio::test]
async fn numbers_start_at_one_and_go_on_after_a_restart() {
    let dir = tempdir();
    let (store, _) = open(dir.path()).await;
    assert_eq!(store.event_numbers().await.unwrap(), 1..1);
    let mut batch = event("a");
    batch.append_event(&Note::new("event", "b")).unwrap();
    batch.put(&Note::new("record", "with it")).unwrap();
    assert_eq!(store.commit(batch).await.unwrap().events, 1..3);
    store.close().await;

    let (store, _) = open(dir.path()).await;
    assert_eq!(*store.last_event().borrow(), 2);
    assert_eq!(store.commit(event("c")).await.unwrap().events, 3..4);
    assert_eq!(store.event_numbers().await.unwrap(), 1..4);
    assert_eq!(texts(&store, 0, 10).await, [(1, "a".into()), (2, "b".into()), (3, "c".into())]);
    assert_eq!(texts(&store, 1, 1).await, [(2, "b".into())]);
    assert_eq!(texts(&store, 3, 10).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watcher_sees_every_event_once_and_in_order_while_many_write() {
    let dir = tempdir();
    let (store, _) = open(dir.path()).await;
    let watcher = tokio::spawn({
        let store = store.clone();
        async move {
            let (mut seen, mut last) = (Vec::new(), store.last_event());
            while seen.len() < 500 {
                tokio::time::timeout(Duration::from_secs(30), last.changed()).await.unwrap().unwrap();
                let since = seen.last().copied().unwrap_or(0);
                seen.extend(store.read_events(since, 1000).await.unwrap().iter().map(|event| event.number));
            }
            seen
        }
    });
    let mut writers = Vec::new();
    for writer in 0..10 {
        let store = store.clone();
        writers.push(tokio::spawn(async move {
            for n in 0..50 {
                let text = format!("{writer} {n}");
                let committed = store.commit(event(&text)).await.unwrap();
                // The number that was acknowledged is the number of this very event.
                assert_eq!(texts(&store, committed.events.start - 1, 1).await, [(committed.events.start, text)]);
            }
        }));
    }
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(watcher.await.unwrap(), (1..=500).collect::<Vec<_>>());
}

/// Commits this many small events in one batch.
async fn append(store: &Store, count: usize) {
    let mut batch = Batch::new();
    for n in 0..count {
        batch.append_event(&Note::new("event", format!("{n}"))).unwrap();
    }
    store.commit(batch).await.unwrap();
}

#[tokio::test]
async fn pruning_removes_only_older_events_and_numbers_are_not_used_again() {
    let dir = tempdir();
    let (store, _) = open(dir.path()).await;
    for _ in 0..3 {
        append(&store, 70_000).await;
    }
    let pruned = store.prune_events(200_001).await.unwrap();
    // What is left over shares a chunk with the first event that was to stay.
    assert!((199_000..=200_000).contains(&pruned), "{pruned}");
    assert_eq!(store.event_numbers().await.unwrap(), pruned + 1..210_001);
    assert_eq!(store.prune_events(200_001).await.unwrap(), 0);
    let oldest = store.read_events(0, 1).await.unwrap();
    assert_eq!(oldest[0].number, pruned + 1);

    let rest = store.prune_events(u64::MAX).await.unwrap();
    let kept = store.event_numbers().await.unwrap();
    assert_eq!(kept, pruned + rest + 1..210_001);
    assert!(kept.end - kept.start < 1000, "more than the last chunk was kept: {kept:?}");
    store.close().await;
    let (store, report) = open(dir.path()).await;
    assert_eq!((report.records, report.repairs), (1, vec![]));
    assert_eq!(store.commit(event("next")).await.unwrap().events, 210_001..210_002);
}

#[tokio::test]
async fn any_page_of_the_log_is_read_whatever_chunks_it_lies_in() {
    let dir = tempdir();
    let (store, _) = open(dir.path()).await;
    for count in [1, 999, 3] {
        append(&store, count).await;
    }
    let large = "x".repeat(65_000);
    assert_eq!(store.commit(event(&large)).await.unwrap().events, 1004..1005);
    append(&store, 2).await;
    for (since, limit) in [(0, 2000), (0, 1), (500, 700), (999, 2), (1003, 1), (1002, 4), (1005, 9), (1006, 1)] {
        let numbers: Vec<_> = texts(&store, since, limit).await.into_iter().map(|(number, _)| number).collect();
        assert_eq!(numbers, (since + 1..1007).take(limit).collect::<Vec<_>>(), "{limit} after {since}");
    }
    assert_eq!(texts(&store, 1003, 1).await, [(1004, large)]);
}

#[tokio::test]
async fn an_event_that_would_not_fit_into_a_chunk_is_refused() {
    let mut batch = Batch::new();
    // Bytes of the payload besides the text: two length prefixes and the name.
    let largest = muster_store::envelope::MAX_PAYLOAD - 6 - (1 + "event".len() + 3);
    batch.append_event(&Note::new("event", "x".repeat(largest))).unwrap();
    let error = batch.append_event(&Note::new("event", "x".repeat(largest + 1))).unwrap_err();
    assert!(matches!(error, BatchError::ValueTooLarge { .. }), "{error}");
    let dir = tempdir();
    let (store, _) = open(dir.path()).await;
    store.commit(batch).await.unwrap();
    assert_eq!(texts(&store, 0, 1).await[0].1.len(), largest);
}

#[tokio::test]
async fn numbers_of_lost_events_are_not_given_to_others_after_a_lossy_restore() {
    let dir = tempdir();
    let (store, _) = open(dir.path()).await;
    store.commit(event("kept")).await.unwrap();
    store.export().await.unwrap();
    assert_eq!(store.commit(event("lost")).await.unwrap().events, 2..3);
    store.close().await;
    std::fs::remove_dir_all(dir.path().join("sled")).unwrap();
    let options = OpenOptions { accept_older_export: true, ..OpenOptions::default() };
    let (store, _) = Store::open(dir.path(), options).await.unwrap();
    assert_eq!(texts(&store, 0, 10).await, [(1, "kept".into())]);
    assert_eq!(store.commit(event("new")).await.unwrap().events, 3..4);
    assert_eq!(store.commit(event("newer")).await.unwrap().events, 4..5);
    let expected = [(1, "kept".into()), (3, "new".into()), (4, "newer".into())];
    assert_eq!(texts(&store, 0, 10).await, expected);
    assert_eq!(texts(&store, 2, 1).await, [(3, "new".into())]);
    store.close().await;
    let (store, _) = open(dir.path()).await;
    assert_eq!(texts(&store, 0, 10).await, expected);
    assert_eq!(store.commit(event("newest")).await.unwrap().events, 5..6);
}
