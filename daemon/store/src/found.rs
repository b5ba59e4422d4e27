//! All records at once, for who starts from them: an open has read and checked each of them already, so they are not
//! read a second time, and each is decoded when it is wanted.

use std::sync::Arc;

use crate::{ReadError, Record, Store, read::unwrap};

/// Records with their full keys, in the order of those.
pub(crate) type Records = Arc<Vec<(sled::IVec, sled::IVec)>>;

/// Every record as it was at one moment. Clones share them.
#[derive(Clone)]
pub struct Found {
    records: Records,
}

impl Found {
    pub(crate) fn new(records: Records) -> Self {
        Self { records }
    }

    /// All records of type `R` whose keys start with `prefix`, in key order. They are decoded now, and nothing is read
    /// from disk.
    pub fn scan<R: Record>(&self, prefix: &[u8]) -> Result<Vec<R>, ReadError> {
        let prefix = R::TABLE.full_key(prefix);
        let first = self.records.partition_point(|(key, _)| key.as_ref() < prefix.as_slice());
        let found = self.records[first..].iter().take_while(|(key, _)| key.starts_with(&prefix));
        let decoded = found.map(|(key, value)| {
            let envelope = unwrap(key, value)?;
            Ok(R::decode(envelope.schema, envelope.payload)?)
        });
        decoded.collect()
    }
}

impl Store {
    /// Every record as it is now. Before the first commit after an open this costs nothing.
    pub async fn found(&self) -> Result<Found, ReadError> {
        match self.shared.found() {
            Some(records) => Ok(Found::new(records)),
            None => Ok(Found::new(self.read(crate::export::all_records).await?)),
        }
    }
}
