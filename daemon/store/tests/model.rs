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
    let mut events = 0;
    for step in steps {
        match step {
            Step::Commit(changes) => {
                let mut batch = Batch::new();
                for (key, length) in changes {
                    match length {
                        Some(length) => {
                            batch.put(&note(key, length)).unwrap().append_event(&note(key, length)).unwrap();
                            model.insert(key, note(key, length));
                            events += 1;
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
                assert_eq!(report.records, (model.len() + events) as u64);
            }
            Step::Export => {
                let summary = store.export().await.unwrap();
                assert_eq!(summary.records, (model.len() + events) as u64);
            }
        }
        assert_eq!(all(&store).await, model.values().cloned().collect::<Vec<_>>());
        assert_eq!(store.event_numbers().await.unwrap(), 1..events as u64 + 1);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn any_history_is_kept(steps in prop::collection::vec(step(), 1..40)) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(run(steps));
    }
}
