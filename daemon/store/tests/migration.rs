//! How a record changes its shape: a new schema version, a conversion, and golden files of every version.
#![allow(clippy::unwrap_used)] // a test file; clippy allows it only within test functions

mod common;

use std::path::{Path, PathBuf};

use common::{open, tempdir};
use muster_store::{Batch, CodecError, Payload, ReadError, Record, Table, codec, fixtures};
use serde::{Deserialize, Serialize};

/// As the first release stored it. Kept for reading only.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct BoxV1 {
    name: String,
    size_mb: u32,
}

/// The second release counts in bytes and has labels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Box {
    name: String,
    size_bytes: u64,
    labels: Vec<String>,
}

impl From<BoxV1> for Box {
    fn from(old: BoxV1) -> Self {
        Box { name: old.name, size_bytes: u64::from(old.size_mb) * 1024 * 1024, labels: Vec::new() }
    }
}

impl Payload for Box {
    const SCHEMA: u16 = 2;
    fn decode(schema: u16, bytes: &[u8]) -> Result<Self, CodecError> {
        match schema {
            1 => codec::decode::<BoxV1>(bytes).map(Box::from),
            2 => codec::decode(bytes),
            other => Err(CodecError::unknown_schema::<Self>(other)),
        }
    }
}

impl Record for Box {
    const TABLE: Table = Table::Services;
    fn key(&self) -> Vec<u8> {
        self.name.clone().into_bytes()
    }
}

/// The old release's view of the same table.
impl Payload for BoxV1 {
    const SCHEMA: u16 = 1;
    fn decode(schema: u16, bytes: &[u8]) -> Result<Self, CodecError> {
        match schema {
            1 => codec::decode(bytes),
            other => Err(CodecError::unknown_schema::<Self>(other)),
        }
    }
}

impl Record for BoxV1 {
    const TABLE: Table = Table::Services;
    fn key(&self) -> Vec<u8> {
        self.name.clone().into_bytes()
    }
}

fn small() -> Box {
    Box { name: "small".into(), size_bytes: 3 * 1024 * 1024, labels: vec![] }
}

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

#[test]
fn every_stored_version_still_reads() {
    fixtures::check(&golden(), "box", &[("small", small())]).unwrap();
    // The file of the first version is there and was not skipped.
    assert!(golden().join("box.v1.small.bin").exists());
}

#[test]
fn a_shape_changed_in_place_is_noticed() {
    let changed = Box { labels: vec!["new".into()], ..small() };
    let error = fixtures::check(&golden(), "box", &[("small", changed)]).unwrap_err();
    assert!(error.contains("box.v2.small.bin") && error.contains("raise SCHEMA"), "{error}");
}

#[tokio::test]
async fn a_store_of_the_old_release_reads_with_the_new_one_and_not_the_other_way() {
    let dir = tempdir();
    let (store, _) = open(dir.path()).await;
    let mut batch = Batch::new();
    batch.put(&BoxV1 { name: "small".into(), size_mb: 3 }).unwrap();
    store.commit(batch).await.unwrap();
    assert_eq!(store.get::<Box>(b"small").await.unwrap(), Some(small()));

    let mut batch = Batch::new();
    batch.put(&small()).unwrap();
    store.commit(batch).await.unwrap();
    let error = store.get::<BoxV1>(b"small").await.unwrap_err();
    assert!(matches!(error, ReadError::Codec(CodecError::UnknownSchema { schema: 2, .. })), "{error}");
    assert!(error.to_string().contains("newer release"), "{error}");
}
