//! The durable, numbered event log: numbers start at 1, have no gaps and are never used twice.

use std::ops::Range;

use crate::{Batch, CodecError, CommitError, Payload, ReadError, Store, Table, engine::guarded, read::unwrap};

/// Events removed in one batch, so that pruning a long log does not hold up other commits.
const PRUNE_BATCH: usize = 1000;

/// One event as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEvent {
    /// Its number.
    pub number: u64,
    schema: u16,
    payload: Vec<u8>,
}

impl StoredEvent {
    /// Decodes the event.
    pub fn decode<P: Payload>(&self) -> Result<P, CodecError> {
        P::decode(self.schema, &self.payload)
    }
}

impl Store {
    /// At most `limit` events with numbers above `since`, in order. Only acknowledged events are returned, so that a
    /// watcher never sees one that a power loss then takes back.
    pub async fn read_events(&self, since: u64, limit: usize) -> Result<Vec<StoredEvent>, ReadError> {
        let last = *self.last_event().borrow();
        if since >= last {
            return Ok(Vec::new());
        }
        let range = event_key(since + 1)..=event_key(last);
        self.read(move |engine| {
            let mut events = Vec::new();
            let mut entries = guarded(|| Ok(engine.db().range(range)))?;
            while events.len() < limit
                && let Some((key, value)) = guarded(|| Ok(entries.next().transpose()?))?
            {
                let envelope = unwrap(&key, &value)?;
                events.push(StoredEvent {
                    number: event_number(&key)?,
                    schema: envelope.schema,
                    payload: envelope.payload.to_vec(),
                });
            }
            Ok(events)
        })
        .await
    }

    /// Numbers of the events that are kept: from the oldest that was not pruned to the last acknowledged.
    pub async fn event_numbers(&self) -> Result<Range<u64>, ReadError> {
        let end = *self.last_event().borrow() + 1;
        let first = self
            .read(move |engine| {
                let found = guarded(|| Ok(engine.db().range(event_key(0)..event_key(end)).next().transpose()?))?;
                found.map(|(key, _)| event_number(&key)).transpose()
            })
            .await?;
        Ok(first.unwrap_or(end)..end)
    }

    /// Removes the events with numbers below `before`; returns how many.
    pub async fn prune_events(&self, before: u64) -> Result<u64, PruneError> {
        let mut pruned = 0;
        loop {
            let kept = self.event_numbers().await?;
            let numbers = (kept.start..before.min(kept.end)).take(PRUNE_BATCH);
            let mut batch = Batch::new();
            for number in numbers {
                batch.delete_event(number);
            }
            let count = batch.ops.len() as u64;
            if count == 0 {
                return Ok(pruned);
            }
            self.commit(batch).await?;
            pruned += count;
        }
    }
}

/// Why events were not pruned. Some may have been.
#[derive(Debug, thiserror::Error)]
pub enum PruneError {
    /// Could not find the oldest event.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Could not remove events.
    #[error(transparent)]
    Commit(#[from] CommitError),
}

fn event_key(number: u64) -> Vec<u8> {
    Table::Events.full_key(&number.to_be_bytes())
}

fn event_number(full_key: &[u8]) -> Result<u64, ReadError> {
    let number = full_key.get(1..).and_then(|key| <[u8; 8]>::try_from(key).ok());
    number.map(u64::from_be_bytes).ok_or_else(|| ReadError::Database("an event's key is not a number".into()))
}
