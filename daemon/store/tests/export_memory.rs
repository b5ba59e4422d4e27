//! An export of a large store takes little memory beside the store. Alone in its process, because it counts every byte.
#![allow(clippy::unwrap_used)] // a test file; clippy allows it only within test functions

mod common;

use std::alloc::System;

use cap::Cap;
use common::{Note, open, put, tempdir};

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

const RECORDS: usize = 2_000;
const RECORD_BYTES: usize = 16 << 10;

#[tokio::test]
async fn an_export_takes_no_more_memory_than_its_file_and_a_half() {
    let dir = tempdir();
    let (store, _) = open(&dir.path().join("store")).await;
    for number in 0..RECORDS {
        put(&store, &[Note::new(format!("note-{number:05}"), "x".repeat(RECORD_BYTES))]).await;
    }
    // An allocation beyond the limit aborts the process.
    let most = RECORDS * RECORD_BYTES * 3 / 2;
    ALLOCATOR.set_limit(ALLOCATOR.allocated() + most).unwrap();
    let summary = store.export().await.unwrap();
    ALLOCATOR.set_limit(usize::MAX).unwrap();
    assert_eq!(summary.records, RECORDS as u64);
}
