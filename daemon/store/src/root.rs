//! The root record: a rolling summary of all records, checked against a full scan at every open.

use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use crate::{Table, codec, envelope};

/// Below every table's prefix.
pub(crate) const ROOT_KEY: [u8; 1] = [0];
/// Raised from 1, which development builds before the first release wrote, when the format number came in.
const ROOT_SCHEMA: u16 = 2;
/// The format of the whole store: which tables there are and what their records' envelopes are. Raised when a release
/// writes something that an earlier one must not take for damage.
pub(crate) const FORMAT: u16 = 1;

/// Why bytes are no root record of this release.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum RootError {
    /// They are damaged.
    Damaged(String),
    /// Another release wrote them, which is said in words.
    OtherRelease(String),
}

/// Tells stores apart, so that files of different stores cannot be mixed.
pub(crate) type StoreId = [u8; 16];

/// Summary of all other records, written in the same atomic batch as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Root {
    /// The [`FORMAT`] of the store. First, so that every release can read it.
    pub format: u16,
    pub store_id: StoreId,
    /// Number of the last group commit.
    pub generation: u64,
    /// Number of records, the root excluded.
    pub count: u64,
    /// Sum over all records of [`fingerprint`], modulo 2^128: independent of order, so it can be kept up to date by
    /// subtracting what goes and adding what comes.
    pub digest: u128,
    /// Number that the next event will get. Numbers start at 1 and are never used twice.
    pub next_event: u64,
}

impl Root {
    pub fn new(store_id: StoreId) -> Self {
        Root { format: FORMAT, store_id, generation: 0, count: 0, digest: 0, next_event: 1 }
    }

    pub fn add(&mut self, key: &[u8], generation: u64, crc: u32) {
        self.count = self.count.wrapping_add(1);
        self.digest = self.digest.wrapping_add(fingerprint(key, generation, crc));
    }

    pub fn remove(&mut self, key: &[u8], generation: u64, crc: u32) {
        self.count = self.count.wrapping_sub(1);
        self.digest = self.digest.wrapping_sub(fingerprint(key, generation, crc));
    }

    pub fn encode(&self) -> Result<Vec<u8>, codec::CodecError> {
        Ok(envelope::encode(&ROOT_KEY, ROOT_SCHEMA, self.generation, &codec::encode(self)?))
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, RootError> {
        let damaged = |e: &dyn std::fmt::Display| RootError::Damaged(format!("root record: {e}"));
        let envelope = envelope::decode(&ROOT_KEY, bytes).map_err(|e| damaged(&e))?;
        match envelope.schema {
            ROOT_SCHEMA => {}
            0 | 1 => return Err(RootError::OtherRelease("a development build before the first release".to_owned())),
            later => return Err(newer(&format!("its root record has schema {later}"))),
        }
        let root: Root = codec::decode(envelope.payload).map_err(|e| damaged(&e))?;
        if root.format != FORMAT {
            return Err(newer(&format!("its format is {}, this release knows {FORMAT}", root.format)));
        }
        if root.generation != envelope.generation {
            return Err(damaged(&"it and its envelope name different generations"));
        }
        Ok(root)
    }
}

/// Whether a key lies in a table that only a newer release can have made.
pub(crate) fn newer_table(key: &[u8]) -> Option<RootError> {
    let newest = Table::ALL.iter().map(|table| *table as u8).max()?;
    key.first().filter(|tag| **tag > newest).map(|tag| newer(&format!("it has a table with the number {tag}")))
}

fn newer(how: &str) -> RootError {
    RootError::OtherRelease(format!("a newer release of Muster: {how}"))
}

/// A record's part in the digest. A strong hash, because sums of checksums cancel out too easily.
fn fingerprint(key: &[u8], generation: u64, crc: u32) -> u128 {
    let mut bytes = Vec::with_capacity(key.len() + 12);
    bytes.extend_from_slice(&generation.to_be_bytes());
    bytes.extend_from_slice(&crc.to_be_bytes());
    bytes.extend_from_slice(key);
    let hash = digest(&SHA256, &bytes);
    hash.as_ref().iter().take(16).fold(0, |sum, byte| (sum << 8) | u128::from(*byte))
}
