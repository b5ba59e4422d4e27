//! Events are stored in chunks: consecutive ones share a record, so that a long log is few records.
//!
//! ```text
//! key    number of the first event, u64
//! value  envelope of CHUNK_SCHEMA around: schema u16 | length u32 | payload, event after event        (big endian)
//! ```
//!
//! Only the last chunk, the tail, is ever written again, by each group that has events, until it is full.

use crate::{
    ReadError, Table,
    engine::{Engine, EngineError, guarded},
    envelope::MAX_PAYLOAD,
    read::unwrap,
};

/// Envelope schema of a chunk. The events in it have schemas of their own.
pub(crate) const CHUNK_SCHEMA: u16 = 1;
const FRAMING: usize = 2 + 4;
/// The largest event: alone in its chunk, it just fits.
pub(crate) const MAX_EVENT: usize = MAX_PAYLOAD - FRAMING;
/// A chunk ends before it would exceed this, unless its first event alone does. Larger chunks would make fewer records,
/// but each group writes the whole tail.
const FULL: usize = 4 * 1024;

/// One event as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEvent {
    /// Its number.
    pub number: u64,
    pub(crate) schema: u16,
    pub(crate) payload: Vec<u8>,
}

/// Consecutive events in one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Chunk {
    /// Number of its first event.
    first: u64,
    /// Number of the event after its last.
    next: u64,
    payload: Vec<u8>,
}

impl Chunk {
    /// An empty chunk for the event `first` and what follows.
    pub fn beginning_with(first: u64) -> Chunk {
        Chunk { first, next: first, payload: Vec::new() }
    }

    /// The chunk that the event `next` is added to. After a restore that skipped the numbers of lost events this is not
    /// the last one stored, because the events of a chunk are consecutive.
    pub fn tail(engine: &Engine, next: u64) -> Result<Chunk, EngineError> {
        let last = guarded(|| Ok(engine.db().range(chunk_key(0)..=chunk_key(u64::MAX)).next_back().transpose()?))?;
        let stored = last.map(|(key, value)| Chunk::open(&key, &value)).transpose();
        let stored = stored.map_err(|error| EngineError::Failed(error.to_string()))?;
        match stored {
            Some(chunk) if chunk.next > next => Err(EngineError::Failed("there are more events than numbers".into())),
            Some(chunk) if chunk.next == next => Ok(chunk),
            Some(_) | None => Ok(Chunk::beginning_with(next)),
        }
    }

    /// Reads a chunk as it is stored.
    pub fn open(full_key: &[u8], value: &[u8]) -> Result<Chunk, ReadError> {
        let first = chunk_number(full_key)?;
        let envelope = unwrap(full_key, value)?;
        if envelope.schema != CHUNK_SCHEMA {
            return Err(crate::CodecError::unknown_schema::<Chunk>(envelope.schema).into());
        }
        let mut chunk = Chunk { first, next: first, payload: envelope.payload.to_vec() };
        let mut rest = &chunk.payload[..];
        while !rest.is_empty() {
            (_, rest) = split_event(rest).ok_or_else(|| malformed("ends within an event"))?;
            chunk.next = chunk.next.checked_add(1).ok_or_else(|| malformed("goes beyond the last number"))?;
        }
        Ok(chunk)
    }

    /// Adds the next event, or begins the next chunk with it: then the full one is returned.
    pub fn push(&mut self, schema: u16, payload: &[u8]) -> Result<Option<Chunk>, EngineError> {
        let next = self.next.checked_add(1).ok_or_else(|| EngineError::Failed("event numbers are used up".into()))?;
        let full = !self.payload.is_empty() && self.payload.len() + FRAMING + payload.len() > FULL;
        let ended = full.then(|| std::mem::replace(self, Chunk::beginning_with(self.next)));
        self.payload.extend_from_slice(&schema.to_be_bytes());
        self.payload.extend_from_slice(&(payload.len() as u32).to_be_bytes());
        self.payload.extend_from_slice(payload);
        self.next = next;
        Ok(ended)
    }

    /// Number of the event after its last.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// How many events it holds.
    pub fn count(&self) -> u64 {
        self.next - self.first
    }

    /// Its events, in order.
    pub fn events(&self) -> impl Iterator<Item = StoredEvent> {
        let mut rest = &self.payload[..];
        (self.first..self.next).map_while(move |number| {
            let ((schema, payload), after) = split_event(rest)?;
            rest = after;
            Some(StoredEvent { number, schema, payload: payload.to_vec() })
        })
    }

    /// Its key in sled, and what the envelope holds.
    pub fn into_record(self) -> (Vec<u8>, Vec<u8>) {
        (chunk_key(self.first), self.payload)
    }
}

/// The key in sled of the chunk that begins with this event.
pub(crate) fn chunk_key(first: u64) -> Vec<u8> {
    Table::Events.full_key(&first.to_be_bytes())
}

/// The first event's number, from a chunk's key in sled.
pub(crate) fn chunk_number(full_key: &[u8]) -> Result<u64, ReadError> {
    let number = full_key.get(1..).and_then(|key| <[u8; 8]>::try_from(key).ok());
    number.map(u64::from_be_bytes).ok_or_else(|| malformed("has a key that is not a number"))
}

type Event<'a> = (u16, &'a [u8]);

fn split_event(bytes: &[u8]) -> Option<(Event<'_>, &[u8])> {
    let (schema, rest) = bytes.split_first_chunk::<2>()?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let (payload, rest) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
    Some(((u16::from_be_bytes(*schema), payload), rest))
}

fn malformed(how: &str) -> ReadError {
    ReadError::Database(format!("a chunk of events {how}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::envelope;
    use proptest::prelude::*;

    fn stored(chunk: Chunk) -> (Vec<u8>, Vec<u8>) {
        let (key, payload) = chunk.into_record();
        let value = envelope::encode(&key, CHUNK_SCHEMA, 1, &payload);
        (key, value)
    }

    proptest! {
        #[test]
        fn events_come_back_from_their_chunks_in_order(
            first in 1_u64..1 << 40,
            events in prop::collection::vec((any::<u16>(), 0_usize..3000), 1..40),
        ) {
            let mut tail = Chunk::beginning_with(first);
            let mut chunks = Vec::new();
            for (schema, length) in &events {
                chunks.extend(tail.push(*schema, &vec![7; *length]).unwrap());
            }
            chunks.push(tail);
            let mut read = Vec::new();
            for chunk in chunks {
                let (key, value) = stored(chunk.clone());
                prop_assert!(value.len() <= envelope::HEADER_LEN + FULL);
                prop_assert_eq!(&Chunk::open(&key, &value).unwrap(), &chunk);
                read.extend(chunk.events());
            }
            let expected: Vec<_> = (first..).zip(events)
                .map(|(number, (schema, length))| StoredEvent { number, schema, payload: vec![7; length] })
                .collect();
            prop_assert_eq!(read, expected);
        }
    }

    #[test]
    fn what_a_chunk_looks_like_on_disk_never_changes() {
        let mut chunk = Chunk::beginning_with(258);
        chunk.push(3, b"abc").unwrap();
        chunk.push(1, b"").unwrap();
        let (key, payload) = chunk.into_record();
        assert_eq!(key, b"\x06\0\0\0\0\0\0\x01\x02");
        assert_eq!(payload, b"\0\x03\0\0\0\x03abc\0\x01\0\0\0\0");
    }

    #[test]
    fn the_largest_event_has_a_chunk_to_itself_that_just_fits() {
        let mut tail = Chunk::beginning_with(1);
        assert_eq!(tail.push(1, b"small").unwrap(), None);
        assert_eq!(tail.push(1, &vec![0; MAX_EVENT]).unwrap().unwrap().count(), 1);
        assert_eq!(tail.clone().push(1, b"small").unwrap().unwrap().count(), 1);
        let (key, value) = stored(tail);
        assert_eq!(value.len(), envelope::MAX_VALUE);
        assert_eq!(Chunk::open(&key, &value).unwrap().next(), 3);
    }

    #[test]
    fn a_chunk_that_ends_within_an_event_is_damaged() {
        let mut chunk = Chunk::beginning_with(1);
        chunk.push(1, b"event").unwrap();
        let (key, payload) = chunk.into_record();
        for cut in 1..payload.len() {
            let value = envelope::encode(&key, CHUNK_SCHEMA, 1, &payload[..cut]);
            assert!(Chunk::open(&key, &value).is_err(), "cut to {cut}");
        }
    }
}
