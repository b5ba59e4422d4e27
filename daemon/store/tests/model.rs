//! Random histories against a map: commits, overwrites, deletes, closes, abandonments, exports.
#![allow(clippy::unwrap_used)] // a test file; clippy allows it only within test functions

mod common;

use std::collections::BTreeMap;

use common::{Note, all, open, tempdir};
use muster_store::Batch;
use proptest::prelude::*;

#[derive(Debug, Clone)]
enum Step {
    Commit(Vec<(u8, Option<u16>)>),
    Close,
    Abandon,
    Export,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => prop::collection::vec((any::<u8>(), prop::option::of(0_u16..3000)), 1..20).prop_map(Step::Commit),
        1 => Just(Step::Close),
        1 => Just(Step::Abandon),
        1 => Just(Step::Export),
    ]
}

fn note(key: u8, length: u16) -> Note {
    Note::new(format!("{key:03}"), "v".repeat(length.into()))
}

async fn run(steps: Vec<Step>) {
    let dir = tempdir();
    let (mut store, _) = open(dir.path()).await;
    let mut model = BTreeMap::new();
    let mut events = Vec::new();
    for step in steps {
        match step {
            Step::Commit(changes) => {
                let mut batch = Batch::new();
                for (key, length) in changes {
                    match length {
                        Some(length) => {
                            batch.put(&note(key, length)).unwrap().append_event(&note(key, length)).unwrap();
                            model.insert(key, note(key, length));
                            events.push(note(key, length));
                        }
                        None => {
                            batch.delete::<Note>(format!("{key:03}").as_bytes()).unwrap();
                            model.remove(&key);
                        }
                    }
                }
                store.commit(batch).await.unwrap();
            }
            Step::Close | Step::Abandon => {
                if matches!(step, Step::Close) {
                    store.close().await;
                }
                drop(store);
                let report;
                (store, report) = open(dir.path()).await;
                assert_eq!(report.repairs, []);
                check_count(report.records, model.len(), events.len());
            }
            Step::Export => {
                check_count(store.export().await.unwrap().records, model.len(), events.len());
            }
        }
        assert_eq!(all(&store).await, model.values().cloned().collect::<Vec<_>>());
        assert_eq!(store.event_numbers().await.unwrap(), 1..events.len() as u64 + 1);
        let since = events.len() / 3;
        let read = store.read_events(since as u64, usize::MAX).await.unwrap();
        assert_eq!(read.iter().map(|event| event.decode::<Note>().unwrap()).collect::<Vec<_>>(), events[since..]);
    }
}

/// Events share records, so that only their number's bounds are known.
fn check_count(records: u64, notes: usize, events: usize) {
    let chunks = records as usize - notes;
    assert!(chunks <= events && (chunks > 0 || events == 0), "{records} records of {notes} notes and {events} events");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn any_history_is_kept(steps in prop::collection::vec(step(), 1..40)) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(run(steps));
    }
}
