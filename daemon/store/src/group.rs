//! One group commit: many batches become one atomic, fsynced step.

use std::{collections::BTreeMap, io};

use crate::{
    Batch, CommitStep, Committed, FaultHook,
    batch::Op,
    chunk::{CHUNK_SCHEMA, Chunk},
    engine::{Engine, EngineError, guarded},
    envelope,
    root::{ROOT_KEY, Root},
    witness::Witness,
};

/// How a group failed. Which of the two decides what callers may assume.
#[derive(Debug)]
pub(crate) enum GroupError {
    /// Before anything was written.
    NotApplied(String),
    /// At or after the first write.
    MaybeApplied(String),
}

/// What the writer owns between groups.
pub(crate) struct Committer {
    pub root: Root,
    /// The chunk that the next event goes to.
    pub tail: Chunk,
    pub witness: Witness,
    pub hook: Option<FaultHook>,
}

/// A prepared group: the last change of every key, and the root and tail that result.
struct Prepared {
    changes: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    root: Root,
    tail: Chunk,
    committed: Vec<Committed>,
}

impl Committer {
    /// Applies, flushes, fsyncs and witnesses the batches as one generation.
    pub fn commit(&mut self, engine: &Engine, batches: Vec<Batch>) -> Result<Vec<Committed>, GroupError> {
        let prepared = guarded(|| {
            self.step(CommitStep::Apply)?;
            prepare(engine, self.root, self.tail.clone(), batches)
        })
        .map_err(|error| GroupError::NotApplied(error.to_string()))?;
        let Prepared { changes, root, tail, committed } = prepared;
        guarded(|| self.write(engine, changes, &root)).map_err(|error| GroupError::MaybeApplied(error.to_string()))?;
        self.root = root;
        self.tail = tail;
        Ok(committed)
    }

    /// The protocol of `witness.rs`, in its order.
    fn write(
        &mut self,
        engine: &Engine,
        changes: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
        root: &Root,
    ) -> Result<(), EngineError> {
        let mut batch = sled::Batch::default();
        for (key, value) in changes {
            match value {
                Some(value) => batch.insert(key, value),
                None => batch.remove(key),
            }
        }
        batch.insert(&ROOT_KEY, root.encode().map_err(|error| EngineError::Failed(error.to_string()))?);
        engine.db().apply_batch(batch)?;
        self.step(CommitStep::Flush)?;
        engine.flush()?;

        self.witness.propose(root)?;
        self.step(CommitStep::SyncDatabase)?;
        let witness = &self.witness;
        let (database, witnessed) = std::thread::scope(|scope| {
            let witnessed = scope.spawn(|| {
                self.step(CommitStep::SyncWitness)?;
                witness.sync()
            });
            (engine.sync(), witnessed.join())
        });
        database?;
        witnessed.map_err(|_| EngineError::Failed("the witness thread panicked".into()))??;
        self.witness.confirm(root)?;
        self.step(CommitStep::Acknowledge)?;
        Ok(())
    }

    fn step(&self, step: CommitStep) -> io::Result<()> {
        self.hook.as_ref().map_or(Ok(()), |hook| hook(step))
    }
}

fn prepare(engine: &Engine, mut root: Root, mut tail: Chunk, batches: Vec<Batch>) -> Result<Prepared, EngineError> {
    root.generation = next(root.generation)?;
    let seal = |key: Vec<u8>, schema, payload: &[u8]| {
        let value = envelope::encode(&key, schema, root.generation, payload);
        (key, Some(value))
    };
    let mut changes = BTreeMap::new();
    let mut chunks = Vec::new();
    let mut committed = Vec::with_capacity(batches.len());
    for batch in batches {
        changes.extend(batch.ops.into_iter().map(|op| match op {
            Op::Put { key, schema, payload } => seal(key, schema, &payload),
            Op::Delete { key } => (key, None),
        }));
        let first_event = tail.next();
        for (schema, payload) in batch.events {
            chunks.extend(tail.push(schema, &payload)?);
        }
        committed.push(Committed { generation: root.generation, events: first_event..tail.next() });
    }
    if tail.next() != root.next_event {
        chunks.push(tail.clone());
    }
    for chunk in chunks {
        let (key, payload) = chunk.into_record();
        changes.extend([seal(key, CHUNK_SCHEMA, &payload)]);
    }
    for (key, value) in &changes {
        if let Some(old) = engine.db().get(key)? {
            let old = open_envelope(key, &old)?;
            root.remove(key, old.generation, old.crc);
        }
        if let Some(value) = value {
            let new = open_envelope(key, value)?;
            root.add(key, new.generation, new.crc);
        }
    }
    root.next_event = tail.next();
    Ok(Prepared { changes, root, tail, committed })
}

fn open_envelope<'a>(key: &[u8], value: &'a [u8]) -> Result<envelope::Envelope<'a>, EngineError> {
    envelope::decode(key, value).map_err(|error| EngineError::Failed(error.to_string()))
}

fn next(number: u64) -> Result<u64, EngineError> {
    number.checked_add(1).ok_or_else(|| EngineError::Failed("numbers are used up".into()))
}
