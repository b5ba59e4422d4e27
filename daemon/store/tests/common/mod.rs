//! What the tests share: a record, an event, a directory in memory where there is one.
#![allow(dead_code)] // each test file uses its part
#![allow(clippy::unwrap_used)] // only tests use this, though outside of test functions

pub mod damage;

use muster_store::{Batch, CodecError, OpenError, OpenOptions, OpenReport, Payload, Record, Store, Table, codec};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    pub name: String,
    pub text: String,
}

impl Note {
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Note {
        Note { name: name.into(), text: text.into() }
    }

    pub fn numbered(n: usize) -> Note {
        // Long enough that a few hundred fill several of sled's pages.
        Note::new(format!("note-{n:05}"), format!("text {n} ").repeat(40))
    }
}

impl Payload for Note {
    const SCHEMA: u16 = 1;
    fn decode(schema: u16, bytes: &[u8]) -> Result<Self, CodecError> {
        match schema {
            1 => codec::decode(bytes),
            other => Err(CodecError::unknown_schema::<Self>(other)),
        }
    }
}

impl Record for Note {
    const TABLE: Table = Table::Clusters;
    fn key(&self) -> Vec<u8> {
        self.name.clone().into_bytes()
    }
}

/// A directory in memory where the system has one: these tests open stores thousands of times.
pub fn tempdir() -> TempDir {
    let memory = std::path::Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap()
}

pub async fn open(dir: &std::path::Path) -> (Store, OpenReport) {
    try_open(dir).await.unwrap()
}

pub async fn try_open(dir: &std::path::Path) -> Result<(Store, OpenReport), OpenError> {
    Store::open(dir, OpenOptions::default()).await
}

pub fn batch(notes: &[Note]) -> Batch {
    let mut batch = Batch::new();
    for note in notes {
        batch.put(note).unwrap();
    }
    batch
}

pub async fn put(store: &Store, notes: &[Note]) -> u64 {
    store.commit(batch(notes)).await.unwrap().generation
}

pub async fn all(store: &Store) -> Vec<Note> {
    store.scan::<Note>(b"").await.unwrap()
}
