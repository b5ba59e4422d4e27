//! The check of every record against the root record. It is most of what a start takes, so the key space is cut into parts
//! that as many threads as there are processors read side by side.

use std::{
    num::NonZero,
    ops::Bound,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use crate::{
    Table,
    engine::{Engine, EngineError, guarded},
    envelope,
    root::{ROOT_KEY, Root, newer_table},
};

/// More threads than this would wait for each other within sled.
const MOST_THREADS: usize = 4;
/// Parts of the largest table: enough that no thread is left with much of it alone.
const LEDGER_PARTS: usize = 16;

type Records = Vec<(sled::IVec, sled::IVec)>;

/// What becomes of the records that were checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Checked {
    /// They are returned.
    Kept,
    /// They are let go.
    Dropped,
}

/// A part of the key space that was read and whose records were checked, each by itself.
struct Part {
    /// The root record, if it lies in this part.
    root: Option<Root>,
    /// The sum of the others.
    sum: Root,
    newest: u64,
    records: Records,
}

impl Engine {
    /// Reads every record, checks it, and checks their sum against the root record. Returns that and the records in the
    /// order of their keys. `None`: there is no root record and no other record, so nothing was ever committed.
    pub fn verify(&self, checked: Checked) -> Result<Option<(Root, Records)>, EngineError> {
        let mut all = Part { root: None, sum: Root::new([0; 16]), newest: 0, records: Vec::new() };
        for part in self.read_parts(checked)? {
            all.root = all.root.or(part.root);
            all.sum.count = all.sum.count.wrapping_add(part.sum.count);
            all.sum.digest = all.sum.digest.wrapping_add(part.sum.digest);
            all.newest = all.newest.max(part.newest);
            all.records.extend(part.records);
        }
        let Part { root, sum, newest, records } = all;
        let Some(root) = root else {
            return match sum.count {
                0 => Ok(None),
                count => Err(EngineError::Failed(format!("{count} records, but the root record is missing"))),
            };
        };
        if root.count != sum.count {
            let (expected, found) = (root.count, sum.count);
            return Err(EngineError::Failed(format!("{found} records instead of {expected}")));
        }
        if root.digest != sum.digest || newest > root.generation {
            return Err(EngineError::Failed("the records are not those that were committed".into()));
        }
        Ok(Some((root, records)))
    }

    /// Every part, in the order of keys. Of several errors the one of the lowest keys counts.
    fn read_parts(&self, checked: Checked) -> Result<Vec<Part>, EngineError> {
        let cuts = self.cuts()?;
        let next = AtomicUsize::new(0);
        let read: Mutex<Vec<(usize, Result<Part, EngineError>)>> = Mutex::new(Vec::with_capacity(cuts.len()));
        let work = || {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let Some(from) = cuts.get(number) else { return };
                let part = self.read_part(from, cuts.get(number + 1), checked);
                read.lock().unwrap_or_else(PoisonError::into_inner).push((number, part));
            }
        };
        let threads = thread::available_parallelism().map_or(1, NonZero::get).min(MOST_THREADS);
        thread::scope(|scope| {
            for _ in 1..threads {
                // A thread that cannot be had is missed by nobody: this one reads what is left.
                let _ = thread::Builder::new().name("muster-verify".into()).spawn_scoped(scope, work);
            }
            work();
        });
        let mut read = read.into_inner().unwrap_or_else(PoisonError::into_inner);
        read.sort_by_key(|(number, _)| *number);
        read.into_iter().map(|(_, part)| part).collect()
    }

    /// Where parts begin: all keys, each in one part, wherever the cuts are. Each table is a part, and the ledger, which has
    /// most records, is cut by clusters, with whose keys its own begin.
    fn cuts(&self) -> Result<Vec<Vec<u8>>, EngineError> {
        let clusters = guarded(|| {
            let heads = self.db().scan_prefix(Table::Clusters.full_key(&[])).keys();
            Ok(heads.collect::<Result<Vec<_>, _>>()?)
        })?;
        let mut cuts = vec![Vec::new()];
        cuts.extend(Table::ALL.map(|table| table.full_key(&[])));
        for cluster in clusters.iter().step_by(clusters.len().div_ceil(LEDGER_PARTS).max(1)).skip(1) {
            cuts.push(Table::Ledger.full_key(&cluster[1..]));
        }
        cuts.sort();
        cuts.dedup();
        Ok(cuts)
    }

    fn read_part(&self, from: &[u8], to: Option<&Vec<u8>>, checked: Checked) -> Result<Part, EngineError> {
        let to = to.map_or(Bound::Unbounded, |to| Bound::Excluded(to.as_slice()));
        guarded(|| {
            let mut part = Part { root: None, sum: Root::new([0; 16]), newest: 0, records: Vec::new() };
            for entry in self.db().range::<&[u8], _>((Bound::Included(from), to)) {
                let (key, value) = entry?;
                if key.as_ref() == ROOT_KEY {
                    part.root = Some(Root::decode(&value)?);
                    continue;
                }
                let known = key.first().and_then(|tag| Table::from_tag(*tag));
                let Some(table) = known else {
                    // Only an intact record tells of a newer release; anything else is damage.
                    let newer = envelope::decode(&key, &value).ok().and_then(|_| newer_table(&key));
                    let outside = || EngineError::Failed("a record lies outside every table".into());
                    return Err(newer.map_or_else(outside, EngineError::from));
                };
                let envelope = envelope::decode(&key, &value)
                    .map_err(|error| EngineError::Failed(format!("a record of {table:?}: {error}")))?;
                part.sum.add(&key, envelope.generation, envelope.crc);
                part.newest = part.newest.max(envelope.generation);
                if checked == Checked::Kept {
                    part.records.push((key, value));
                }
            }
            Ok(part)
        })
    }
}
