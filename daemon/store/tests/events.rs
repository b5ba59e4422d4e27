//! The event log: numbered by the writer, without gap or repeat, across restarts and losses.
#![allow(clippy::unwrap_used)] // a test file; clippy allows it only within test functions

mod common;

use std::time::Duration;

use common::{Note, open, tempdir};
use muster_store::{Batch, OpenOptions, Store};

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

#[tokio::test]
async fn pruning_removes_only_older_events_and_numbers_are_not_used_again() {
    let dir = tempdir();
    let (store, _) = open(dir.path()).await;
    for _ in 0..3 {
        let mut batch = Batch::new();
        for n in 0..700 {
            batch.append_event(&Note::new("event", format!("{n}"))).unwrap();
        }
        store.commit(batch).await.unwrap();
    }
    assert_eq!(store.prune_events(2001).await.unwrap(), 2000);
    assert_eq!(store.event_numbers().await.unwrap(), 2001..2101);
    assert_eq!(store.prune_events(u64::MAX).await.unwrap(), 100);
    assert_eq!(store.event_numbers().await.unwrap(), 2101..2101);
    store.close().await;
    let (store, report) = open(dir.path()).await;
    assert_eq!((report.records, report.repairs), (0, vec![]));
    assert_eq!(store.commit(event("next")).await.unwrap().events, 2101..2102);
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
}
