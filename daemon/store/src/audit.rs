//! The audit trail: numbered records, each bound to the one before by a hash, so that none can be changed or taken out
//! without breaking the chain.
//!
//! ```text
//! key 0      the anchor: number u64 | hash (32)                    of the last record that was pruned
//! key n      envelope of LINK_SCHEMA around: hash (32) | schema u16 | payload                       (big endian)
//! hash n     SHA-256 of hash n-1 | n u64 | schema u16 | payload; before the first record, 32 zero bytes
//! ```
//!
//! Numbers and hashes are given by the writer, so a record is in the same atomic step as the change that it tells of.

use aws_lc_rs::digest::{Context, SHA256};

use crate::{
    Batch, BatchError, CodecError, Payload, PruneError, ReadError, Store, Table, codec,
    engine::{Engine, EngineError, guarded},
    read::unwrap,
};

/// SHA-256.
pub type AuditHash = [u8; 32];

/// Envelope schema of a record. What it holds has a schema of its own.
pub(crate) const LINK_SCHEMA: u16 = 1;
/// Envelope schema of the anchor.
const ANCHOR_SCHEMA: u16 = 1;
/// Records removed in one batch, so that pruning a long trail does not hold up other commits.
const PRUNE_BATCH: u64 = 500;
/// Records checked in one read.
const VERIFY_AT_ONCE: usize = 1000;

/// The end of the chain, which the next record is bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditHead {
    /// Number of the last record; 0 if there was none ever.
    pub number: u64,
    /// Its hash.
    pub hash: AuditHash,
}

/// One record as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredLink {
    /// Its number: 1 for the first record ever, without gaps.
    pub number: u64,
    /// Its hash, as stored.
    pub hash: AuditHash,
    schema: u16,
    payload: Vec<u8>,
}

/// What a check of the whole trail found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditVerdict {
    /// What the oldest record that is kept is bound to: the last one that was pruned.
    pub anchor: AuditHead,
    /// How many records from there on are intact.
    pub intact: u64,
    /// The last of them.
    pub head: AuditHead,
    /// The first record that is not as it was written, and what is wrong.
    pub broken: Option<(u64, String)>,
}

impl AuditHead {
    const START: AuditHead = AuditHead { number: 0, hash: [0; 32] };

    /// The end of the chain as stored: the last record, or the anchor if all were pruned.
    pub(crate) fn tail(engine: &Engine) -> Result<AuditHead, EngineError> {
        let failed = |error: ReadError| EngineError::Failed(error.to_string());
        let last = guarded(|| Ok(engine.db().range(link_key(1)..=link_key(u64::MAX)).next_back().transpose()?))?;
        match last {
            Some((key, value)) => {
                let link = StoredLink::open(&key, &value).map_err(failed)?;
                Ok(AuditHead { number: link.number, hash: link.hash })
            }
            None => anchor(engine).map_err(failed),
        }
    }

    /// Binds the next record. Returns its key in sled and what its envelope holds.
    pub(crate) fn push(&mut self, schema: u16, payload: &[u8]) -> Result<(Vec<u8>, Vec<u8>), EngineError> {
        let number = self.number.checked_add(1);
        let number = number.ok_or_else(|| EngineError::Failed("numbers of audit records are used up".into()))?;
        let hash = link_hash(&self.hash, number, schema, payload);
        *self = AuditHead { number, hash };
        Ok((link_key(number), [hash.as_slice(), &schema.to_be_bytes(), payload].concat()))
    }
}

impl StoredLink {
    fn open(full_key: &[u8], value: &[u8]) -> Result<StoredLink, ReadError> {
        let number = link_number(full_key)?;
        let envelope = unwrap(full_key, value)?;
        if envelope.schema != LINK_SCHEMA {
            return Err(CodecError::unknown_schema::<StoredLink>(envelope.schema).into());
        }
        let parts = envelope.payload.split_first_chunk::<32>();
        let parts = parts.and_then(|(hash, rest)| Some((hash, rest.split_first_chunk::<2>()?)));
        let (hash, (schema, payload)) = parts.ok_or_else(|| malformed("is too short"))?;
        Ok(StoredLink { number, hash: *hash, schema: u16::from_be_bytes(*schema), payload: payload.to_vec() })
    }

    /// Decodes the record.
    pub fn decode<P: Payload>(&self) -> Result<P, CodecError> {
        P::decode(self.schema, &self.payload)
    }

    /// Why it is not the record behind this one.
    fn fault_behind(&self, before: &AuditHead) -> Option<String> {
        if before.number.checked_add(1) != Some(self.number) {
            return Some(format!("it comes after number {}", before.number));
        }
        let hash = link_hash(&before.hash, self.number, self.schema, &self.payload);
        (hash != self.hash).then(|| "its hash is not that of what it says and of the record before it".to_owned())
    }
}

impl Batch {
    /// Appends an audit record. Its number and hash are given by the writer.
    pub fn append_audit<P: Payload>(&mut self, record: &P) -> Result<&mut Self, BatchError> {
        self.push_audit(P::SCHEMA, codec::encode(record)?)
    }
}

impl Store {
    /// At most `limit` audit records with numbers below `before`, newest first.
    pub async fn read_audit(&self, before: u64, limit: usize) -> Result<Vec<StoredLink>, ReadError> {
        self.read(move |engine| {
            let mut entries = engine.db().range(link_key(1)..link_key(before.max(1)));
            let mut links = Vec::new();
            while links.len() < limit
                && let Some((key, value)) = guarded(|| Ok(entries.next_back().transpose()?))?
            {
                links.push(StoredLink::open(&key, &value)?);
            }
            Ok(links)
        })
        .await
    }

    /// Follows the chain from the anchor to the end, and stops at the first record that is not as it was written.
    pub async fn verify_audit(&self) -> Result<AuditVerdict, ReadError> {
        let anchor = self.read(anchor).await?;
        let mut verdict = AuditVerdict { anchor, intact: 0, head: anchor, broken: None };
        loop {
            let before = verdict.clone();
            let (after, is_end) = self.read(move |engine| Ok(verify_some(engine, before)?)).await?;
            verdict = after;
            if is_end || verdict.broken.is_some() {
                return Ok(verdict);
            }
        }
    }

    /// Removes all audit records but the newest `kept`; returns how many. The chain goes on from the anchor.
    pub async fn prune_audit(&self, kept: u64) -> Result<u64, PruneError> {
        let mut pruned = 0;
        loop {
            let found = self.read(move |engine| prunable(engine, kept)).await?;
            let Some((numbers, anchor)) = found else { return Ok(pruned) };
            let mut batch = Batch::new();
            pruned += numbers.end() - numbers.start() + 1;
            for number in numbers {
                batch.delete_at(link_key(number));
            }
            let anchor = [anchor.number.to_be_bytes().as_slice(), &anchor.hash].concat();
            batch.put_at(link_key(0), ANCHOR_SCHEMA, anchor);
            self.commit(batch).await?;
        }
    }
}

/// Goes on with a check for so many records; also whether it came to the end.
fn verify_some(engine: &Engine, mut verdict: AuditVerdict) -> Result<(AuditVerdict, bool), EngineError> {
    let from = link_key(verdict.head.number.saturating_add(1));
    let mut entries = engine.db().range(from..=link_key(u64::MAX));
    for _ in 0..VERIFY_AT_ONCE {
        let Some((key, value)) = guarded(|| Ok(entries.next().transpose()?))? else { return Ok((verdict, true)) };
        let fault = match StoredLink::open(&key, &value) {
            Ok(link) => match link.fault_behind(&verdict.head) {
                None => {
                    verdict.head = AuditHead { number: link.number, hash: link.hash };
                    verdict.intact += 1;
                    continue;
                }
                Some(fault) => (link.number, fault),
            },
            Err(error) => (link_number(&key).unwrap_or_default(), error.to_string()),
        };
        verdict.broken = Some(fault);
        break;
    }
    Ok((verdict, false))
}

/// The oldest records that can go at once, and the last of them, which the others are bound to.
fn prunable(engine: &Engine, kept: u64) -> Result<Option<(std::ops::RangeInclusive<u64>, AuditHead)>, ReadError> {
    let all = || engine.db().range(link_key(1)..=link_key(u64::MAX));
    let ends = guarded(|| Ok((all().next().transpose()?, all().next_back().transpose()?)))?;
    let (Some((first, _)), Some((last, _))) = ends else { return Ok(None) };
    let (first, last) = (link_number(&first)?, link_number(&last)?);
    let to = last.saturating_sub(kept).min(first.saturating_add(PRUNE_BATCH - 1));
    if to < first {
        return Ok(None);
    }
    let key = link_key(to);
    let value = guarded(|| Ok(engine.db().get(&key)?))?.ok_or_else(|| malformed("is missing"))?;
    let StoredLink { number, hash, .. } = StoredLink::open(&key, &value)?;
    Ok(Some((first..=to, AuditHead { number, hash })))
}

fn anchor(engine: &Engine) -> Result<AuditHead, ReadError> {
    let key = link_key(0);
    let Some(value) = guarded(|| Ok(engine.db().get(&key)?))? else { return Ok(AuditHead::START) };
    let envelope = unwrap(&key, &value)?;
    if envelope.schema != ANCHOR_SCHEMA {
        return Err(CodecError::unknown_schema::<AuditHead>(envelope.schema).into());
    }
    let parts = envelope.payload.split_first_chunk::<8>();
    let parts = parts.and_then(|(number, hash)| Some((*number, AuditHash::try_from(hash).ok()?)));
    let (number, hash) = parts.ok_or_else(|| malformed("is an anchor of another length"))?;
    Ok(AuditHead { number: u64::from_be_bytes(number), hash })
}

fn link_hash(before: &AuditHash, number: u64, schema: u16, payload: &[u8]) -> AuditHash {
    let mut context = Context::new(&SHA256);
    context.update(before);
    context.update(&number.to_be_bytes());
    context.update(&schema.to_be_bytes());
    context.update(payload);
    let mut hash = [0; 32];
    hash.copy_from_slice(context.finish().as_ref());
    hash
}

fn link_key(number: u64) -> Vec<u8> {
    Table::Audit.full_key(&number.to_be_bytes())
}

fn link_number(full_key: &[u8]) -> Result<u64, ReadError> {
    let number = full_key.get(1..).and_then(|key| <[u8; 8]>::try_from(key).ok());
    number.map(u64::from_be_bytes).ok_or_else(|| malformed("has a key that is not a number"))
}

fn malformed(how: &str) -> ReadError {
    ReadError::Database(format!("an audit record {how}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::OpenOptions;

    #[derive(serde::Serialize, serde::Deserialize, PartialEq, Debug)]
    struct Note(String);

    impl Payload for Note {
        const SCHEMA: u16 = 1;

        fn decode(_: u16, bytes: &[u8]) -> Result<Self, CodecError> {
            codec::decode(bytes)
        }
    }

    async fn store_with(folder: &tempfile::TempDir, records: u64) -> Store {
        let store = Store::open(folder.path().join("store"), OpenOptions::default()).await.unwrap().0;
        // Side by side, so that several share a group.
        let commits = (1..=records).map(|number| {
            let mut batch = Batch::new();
            batch.append_audit(&Note(format!("note {number}"))).unwrap();
            store.commit(batch)
        });
        for commit in commits.collect::<Vec<_>>() {
            commit.await.unwrap();
        }
        store
    }

    #[tokio::test]
    async fn records_are_numbered_in_the_order_of_their_commits_and_the_chain_goes_on_over_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        store_with(&folder, 3).await.close().await;
        let store = store_with(&folder, 2).await;
        let read = store.read_audit(u64::MAX, 2).await.unwrap();
        assert_eq!(read.iter().map(|link| link.number).collect::<Vec<_>>(), [5, 4]);
        assert_eq!(read[0].decode::<Note>().unwrap(), Note("note 2".to_owned()));
        assert_eq!(store.read_audit(2, 10).await.unwrap()[0].decode::<Note>().unwrap(), Note("note 1".to_owned()));
        let verdict = store.verify_audit().await.unwrap();
        assert_eq!((verdict.intact, verdict.head.number, verdict.broken), (5, 5, None));
        assert_eq!(verdict.head.hash, read[0].hash);
    }

    #[tokio::test]
    async fn the_chain_continues_over_what_was_pruned() {
        let folder = tempfile::tempdir().unwrap();
        let store = store_with(&folder, PRUNE_BATCH + 10).await;
        let before = store.verify_audit().await.unwrap();
        assert_eq!(store.prune_audit(4).await.unwrap(), PRUNE_BATCH + 6);
        assert_eq!(store.prune_audit(4).await.unwrap(), 0);
        let after = store.verify_audit().await.unwrap();
        assert_eq!((after.intact, after.anchor.number, after.head), (4, PRUNE_BATCH + 6, before.head));
        assert_eq!(after.broken, None);
        assert_eq!(store.prune_audit(0).await.unwrap(), 4);
        store.close().await;
        let store = store_with(&folder, 1).await;
        let verdict = store.verify_audit().await.unwrap();
        assert_eq!((verdict.intact, verdict.anchor, verdict.broken), (1, before.head, None));
        assert_eq!(verdict.head.number, PRUNE_BATCH + 11);
    }

    /// What somebody does who can write the store as it writes itself, checksums and all.
    async fn forged(forge: impl FnOnce(&mut Batch)) -> AuditVerdict {
        let folder = tempfile::tempdir().unwrap();
        let store = store_with(&folder, 5).await;
        let mut batch = Batch::new();
        forge(&mut batch);
        store.commit(batch).await.unwrap();
        store.verify_audit().await.unwrap()
    }

    #[tokio::test]
    async fn a_record_that_was_changed_taken_out_or_rewritten_breaks_the_chain_where_it_stood() {
        let payload = codec::encode(&Note("another".to_owned())).unwrap();
        let kept_hash = [[7; 32].as_slice(), &[0, 1], &payload].concat();
        let changed = forged(|batch| batch.put_at(link_key(3), LINK_SCHEMA, kept_hash)).await;
        assert_eq!((changed.intact, changed.broken.unwrap().0), (2, 3));
        let taken_out = forged(|batch| batch.delete_at(link_key(3))).await;
        assert_eq!((taken_out.intact, taken_out.broken.unwrap()), (2, (4, "it comes after number 2".to_owned())));
        // Rewritten with a hash that fits what it says: the next record tells.
        let rewritten = forged(|batch| {
            let before = AuditHead { number: 2, hash: [0; 32] };
            let (key, value) = { before }.push(1, &payload).unwrap();
            batch.put_at(key, LINK_SCHEMA, value);
        })
        .await;
        assert_eq!(rewritten.broken.unwrap().0, 3);
        let oldest = forged(|batch| batch.delete_at(link_key(1))).await;
        assert_eq!((oldest.intact, oldest.broken.unwrap().0), (0, 2));
    }
}
