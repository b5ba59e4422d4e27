//! A set of changes that is stored as a whole or not at all.

use std::fmt;

use crate::{
    BatchError, Payload, Record, Sealer, Table, chunk::MAX_EVENT, codec, envelope::MAX_PAYLOAD, secrets::SEALED_SCHEMA,
};

/// The longest key within a table, in bytes.
pub(crate) const MAX_KEY: usize = 1024;

/// The largest audit record, in bytes: it says who asked for what, and holds nothing that is long.
const MAX_AUDIT: usize = 4096;

/// One change, keyed as in sled.
pub(crate) enum Op {
    Put { key: Vec<u8>, schema: u16, payload: Vec<u8> },
    Delete { key: Vec<u8> },
}

/// Puts, deletes and events that are committed in one atomic step. Within a batch a later change of a key wins.
/// Limits are checked here, before anything reaches the store.
#[derive(Default)]
pub struct Batch {
    pub(crate) ops: Vec<Op>,
    pub(crate) events: Vec<(u16, Vec<u8>)>,
    /// Audit records, each with its schema.
    pub(crate) audit: Vec<(u16, Vec<u8>)>,
}

impl Batch {
    /// An empty batch.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether nothing would change.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ops.is_empty() && self.events.is_empty() && self.audit.is_empty()
    }

    /// Bytes of keys and values, for the limit on a group.
    pub(crate) fn size(&self) -> usize {
        let changes = self.ops.iter().map(|op| match op {
            Op::Put { key, payload, .. } => key.len() + payload.len(),
            Op::Delete { key } => key.len(),
        });
        let appended = self.events.iter().chain(&self.audit);
        changes.chain(appended.map(|(_, payload)| payload.len())).sum()
    }

    /// Stores a record under its own key.
    pub fn put<R: Record>(&mut self, record: &R) -> Result<&mut Self, BatchError> {
        refuse_reserved(R::TABLE)?;
        self.put_payload(R::TABLE, &record.key(), R::SCHEMA, codec::encode(record)?)
    }

    /// Removes the record of type `R` with this key; no error if there is none.
    pub fn delete<R: Record>(&mut self, key: &[u8]) -> Result<&mut Self, BatchError> {
        refuse_reserved(R::TABLE)?;
        self.delete_key(R::TABLE, key)
    }

    /// Seals `plaintext` and stores it in [`Table::Secrets`].
    pub fn put_sealed(&mut self, sealer: &Sealer, key: &[u8], plaintext: &[u8]) -> Result<&mut Self, BatchError> {
        let sealed = sealer.seal(Table::Secrets, key, plaintext)?;
        self.put_payload(Table::Secrets, key, SEALED_SCHEMA, sealed)
    }

    /// Removes a sealed value; no error if there is none.
    pub fn delete_sealed(&mut self, key: &[u8]) -> Result<&mut Self, BatchError> {
        self.delete_key(Table::Secrets, key)
    }

    /// Appends an event. Its number is assigned by the writer and returned in [`crate::Committed`].
    pub fn append_event<P: Payload>(&mut self, event: &P) -> Result<&mut Self, BatchError> {
        let payload = codec::encode(event)?;
        check_size(&payload, MAX_EVENT)?;
        self.events.push((P::SCHEMA, payload));
        Ok(self)
    }

    /// Appends an encoded audit record.
    pub(crate) fn push_audit(&mut self, schema: u16, payload: Vec<u8>) -> Result<&mut Self, BatchError> {
        check_size(&payload, MAX_AUDIT)?;
        self.audit.push((schema, payload));
        Ok(self)
    }

    /// Removes what the store itself keeps under a key in sled.
    pub(crate) fn delete_at(&mut self, key: Vec<u8>) {
        self.ops.push(Op::Delete { key });
    }

    /// Keeps something of the store itself under a key in sled.
    pub(crate) fn put_at(&mut self, key: Vec<u8>, schema: u16, payload: Vec<u8>) {
        self.ops.push(Op::Put { key, schema, payload });
    }

    fn delete_key(&mut self, table: Table, key: &[u8]) -> Result<&mut Self, BatchError> {
        check_key(key)?;
        self.ops.push(Op::Delete { key: table.full_key(key) });
        Ok(self)
    }

    fn put_payload(
        &mut self,
        table: Table,
        key: &[u8],
        schema: u16,
        payload: Vec<u8>,
    ) -> Result<&mut Self, BatchError> {
        check_key(key)?;
        check_size(&payload, MAX_PAYLOAD)?;
        self.ops.push(Op::Put { key: table.full_key(key), schema, payload });
        Ok(self)
    }
}

/// Payloads stay out of logs.
impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Batch({} changes, {} events, {} audited)", self.ops.len(), self.events.len(), self.audit.len())
    }
}

fn refuse_reserved(table: Table) -> Result<(), BatchError> {
    match table {
        Table::Events | Table::Secrets | Table::Audit => Err(BatchError::ReservedTable(table)),
        Table::Meta
        | Table::Clusters
        | Table::Ledger
        | Table::Services
        | Table::Operations
        | Table::Accounts
        | Table::Idempotency
        | Table::Tokens
        | Table::Kept => Ok(()),
    }
}

fn check_key(key: &[u8]) -> Result<(), BatchError> {
    if key.len() > MAX_KEY {
        return Err(BatchError::KeyTooLong { size: key.len(), limit: MAX_KEY });
    }
    Ok(())
}

fn check_size(payload: &[u8], limit: usize) -> Result<(), BatchError> {
    if payload.len() > limit {
        return Err(BatchError::ValueTooLarge { size: payload.len(), limit });
    }
    Ok(())
}
