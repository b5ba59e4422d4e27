//! The root record: a rolling summary of all records, checked against a full scan at every open.

use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use crate::{codec, envelope};

/// Below every table's prefix.
pub(crate) const ROOT_KEY: [u8; 1] = [0];
const ROOT_SCHEMA: u16 = 1;

/// Tells stores apart, so that files of different stores cannot be mixed.
pub(crate) type StoreId = [u8; 16];

/// Summary of all other records, written in the same atomic batch as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Root {
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
        Root { store_id, generation: 0, count: 0, digest: 0, next_event: 1 }
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

    pub fn decode(bytes: &[u8]) -> Result<Self, String> {
        let envelope = envelope::decode(&ROOT_KEY, bytes).map_err(|e| format!("root record: {e}"))?;
        if envelope.schema != ROOT_SCHEMA {
            return Err(codec::CodecError::unknown_schema::<Root>(envelope.schema).to_string());
        }
        let root: Root = codec::decode(envelope.payload).map_err(|e| format!("root record: {e}"))?;
        if root.generation != envelope.generation {
            return Err("root record and its envelope name different generations".into());
        }
        Ok(root)
    }
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
