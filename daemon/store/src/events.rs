//! The durable, numbered event log: numbers start at 1, have no gaps and are never used twice.

use std::ops::Range;

use crate::{
    Batch, CodecError, CommitError, Payload, ReadError, Store, StoredEvent,
    chunk::{Chunk, chunk_key, chunk_number},
    engine::{Engine, guarded},
};

/// Chunks removed in one batch, so that pruning a long log does not hold up other commits.
const PRUNE_BATCH: usize = 250;

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
        let wanted = since + 1..=last;
        self.read(move |engine| {
            let up_to_wanted = chunk_key(0)..=chunk_key(since + 1);
            let holder = guarded(|| Ok(engine.db().range(up_to_wanted).next_back().transpose()?))?;
            // There is none, if the wanted event and all before it were pruned.
            let first = holder.map_or(Ok(since + 1), |(key, _)| chunk_number(&key))?;
            let mut events = Vec::new();
            let mut chunks = chunks(engine, first, last);
            while events.len() < limit
                && let Some(chunk) = chunks.next().transpose()?
            {
                // The tail may hold events that are being committed.
                let wanted = chunk.events().filter(|event| wanted.contains(&event.number));
                events.extend(wanted.take(limit - events.len()));
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
                let found = guarded(|| Ok(engine.db().range(chunk_key(0)..chunk_key(end)).next().transpose()?))?;
                found.map(|(key, _)| chunk_number(&key)).transpose()
            })
            .await?;
        Ok(first.unwrap_or(end)..end)
    }

    /// Removes events with numbers below `before`; returns how many. Events are stored in chunks of a few KiB, and only
    /// whole ones go: those that share a chunk with `before` stay, and so does the last chunk, whatever `before` is.
    pub async fn prune_events(&self, before: u64) -> Result<u64, PruneError> {
        let mut pruned = 0;
        loop {
            let (keys, events) = self.read(move |engine| prunable(engine, before)).await?;
            if keys.is_empty() {
                return Ok(pruned);
            }
            let mut batch = Batch::new();
            for key in keys {
                batch.delete_at(key);
            }
            self.commit(batch).await?;
            pruned += events;
        }
    }
}

/// Why events were not pruned. Some may have been.
#[derive(Debug, thiserror::Error)]
pub enum PruneError {
    /// Could not find the oldest events.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Could not remove events.
    #[error(transparent)]
    Commit(#[from] CommitError),
}

/// The chunks that begin with an event from `first` to `last`.
fn chunks(engine: &Engine, first: u64, last: u64) -> impl Iterator<Item = Result<Chunk, ReadError>> {
    let mut entries = engine.db().range(chunk_key(first)..=chunk_key(last));
    std::iter::from_fn(move || match guarded(|| Ok(entries.next().transpose()?)) {
        Ok(entry) => entry.map(|(key, value)| Chunk::open(&key, &value)),
        Err(error) => Some(Err(error.into())),
    })
}

/// The keys of the oldest chunks that can go as a whole, and how many events they hold. A chunk is known to be whole
/// from the next one, which begins no later than `before`; so the tail, which the writer goes on with, stays.
fn prunable(engine: &Engine, before: u64) -> Result<(Vec<Vec<u8>>, u64), ReadError> {
    let (mut keys, mut events) = (Vec::new(), 0);
    let mut older: Option<Chunk> = None;
    for chunk in chunks(engine, 0, before).take(PRUNE_BATCH + 1) {
        if let Some(whole) = older.replace(chunk?) {
            events += whole.count();
            keys.push(whole.into_record().0);
        }
    }
    Ok((keys, events))
}
