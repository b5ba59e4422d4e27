//! One group commit: many batches become one atomic, fsynced step.

use std::{collections::BTreeMap, io};

use crate::{
    Batch, CommitStep, Committed, FaultHook,
    audit::{AuditHead, LINK_SCHEMA},
    batch::Op,
    chunk::{CHUNK_SCHEMA, Chunk},
    companion::Companion,
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
    tail: Chunk,
    /// What the next audit record is bound to.
    audit: AuditHead,
    witness: Witness,
    witness_sync: Companion,
    hook: Option<FaultHook>,
}

/// A prepared group, and the root and ends that result.
struct Prepared {
    changes: sled::Batch,
    root: Root,
    tail: Chunk,
    audit: AuditHead,
    committed: Vec<Committed>,
}

impl Committer {
    pub fn new(
        root: Root,
        tail: Chunk,
        audit: AuditHead,
        witness: Witness,
        hook: Option<FaultHook>,
    ) -> io::Result<Committer> {
        let witness_sync = Companion::new({
            let (file, hook) = (witness.file()?, hook.clone());
            move || {
                step(hook.as_ref(), CommitStep::SyncWitness)?;
                file.sync_data()
            }
        })?;
        Ok(Committer { root, tail, audit, witness, witness_sync, hook })
    }

    /// Applies, flushes, fsyncs and witnesses the batches as one generation.
    pub fn commit(&mut self, engine: &Engine, batches: Vec<Batch>) -> Result<Vec<Committed>, GroupError> {
        let prepared = guarded(|| {
            self.step(CommitStep::Apply)?;
            prepare(engine, self.root, self.tail.clone(), self.audit, batches)
        })
        .map_err(|error| GroupError::NotApplied(error.to_string()))?;
        let Prepared { changes, root, tail, audit, committed } = prepared;
        guarded(|| self.write(engine, changes, &root)).map_err(|error| GroupError::MaybeApplied(error.to_string()))?;
        self.root = root;
        self.tail = tail;
        self.audit = audit;
        Ok(committed)
    }

    /// The protocol of `witness.rs`, in its order.
    fn write(&mut self, engine: &Engine, changes: sled::Batch, root: &Root) -> Result<(), EngineError> {
        engine.apply(changes)?;
        self.step(CommitStep::Flush)?;
        engine.flush()?;

        self.witness.propose(root)?;
        self.step(CommitStep::SyncDatabase)?;
        let (database, witnessed) = self.witness_sync.run_beside(|| engine.sync());
        database?;
        witnessed?;
        self.witness.confirm(root)?;
        self.step(CommitStep::Acknowledge)?;
        Ok(())
    }

    fn step(&self, reached: CommitStep) -> io::Result<()> {
        step(self.hook.as_ref(), reached)
    }
}

fn step(hook: Option<&FaultHook>, reached: CommitStep) -> io::Result<()> {
    hook.map_or(Ok(()), |hook| hook(reached))
}

fn prepare(
    engine: &Engine,
    mut root: Root,
    mut tail: Chunk,
    mut audit: AuditHead,
    batches: Vec<Batch>,
) -> Result<Prepared, EngineError> {
    let generation = root.generation.checked_add(1);
    root.generation = generation.ok_or_else(|| EngineError::Failed("generations are used up".into()))?;
    // The last change of every key: its new schema and payload, or none if it goes.
    let mut changes = BTreeMap::new();
    let mut chunks = Vec::new();
    let mut committed = Vec::with_capacity(batches.len());
    for batch in batches {
        changes.extend(batch.ops.into_iter().map(|op| match op {
            Op::Put { key, schema, payload } => (key, Some((schema, payload))),
            Op::Delete { key } => (key, None),
        }));
        let first_event = tail.next();
        for (schema, payload) in batch.events {
            chunks.extend(tail.push(schema, &payload)?);
        }
        for (schema, payload) in batch.audit {
            let (key, link) = audit.push(schema, &payload)?;
            changes.insert(key, Some((LINK_SCHEMA, link)));
        }
        committed.push(Committed { generation: root.generation, events: first_event..tail.next() });
    }
    if tail.next() != root.next_event {
        chunks.push(tail.clone());
        root.next_event = tail.next();
    }
    changes.extend(chunks.into_iter().map(|chunk| {
        let (key, payload) = chunk.into_record();
        (key, Some((CHUNK_SCHEMA, payload)))
    }));
    let changes = apply(engine, &mut root, changes)?;
    Ok(Prepared { changes, root, tail, audit, committed })
}

/// What the changes mean to the root, and to sled with the root among them.
fn apply(
    engine: &Engine,
    root: &mut Root,
    changes: BTreeMap<Vec<u8>, Option<(u16, Vec<u8>)>>,
) -> Result<sled::Batch, EngineError> {
    let failed = |error: &dyn std::error::Error| EngineError::Failed(error.to_string());
    let mut batch = sled::Batch::default();
    for (key, change) in changes {
        if let Some(old) = engine.db().get(&key)? {
            let old = envelope::decode(&key, &old).map_err(|error| failed(&error))?;
            root.remove(&key, old.generation, old.crc);
        }
        match change {
            Some((schema, payload)) => {
                let (value, crc) = envelope::seal(&key, schema, root.generation, &payload);
                root.add(&key, root.generation, crc);
                batch.insert(key, value);
            }
            None => batch.remove(key),
        }
    }
    batch.insert(&ROOT_KEY, root.encode().map_err(|error| failed(&error))?);
    Ok(batch)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::{OpenOptions, Store, witness};

    #[tokio::test]
    async fn the_witness_says_at_each_step_what_its_protocol_says() {
        let dir = tempfile::tempdir().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let hook = {
            let (seen, path) = (seen.clone(), dir.path().join("witness"));
            move |step| {
                let testimony = witness::read(&path)?.map(|said| (said.generation, said.confirmed));
                seen.lock().unwrap().push((step, testimony));
                Ok(())
            }
        };
        let options = OpenOptions { fault_hook: Some(Arc::new(hook)), ..OpenOptions::default() };
        let (store, report) = Store::open(dir.path(), options).await.unwrap();
        let before = report.generation;
        store.commit(Batch::new()).await.unwrap();
        let mut seen = std::mem::take(&mut *seen.lock().unwrap());
        // The two fsyncs go side by side.
        seen.sort();
        let (last, proposed, confirmed) = (Some((before, true)), Some((before + 1, false)), Some((before + 1, true)));
        assert_eq!(
            seen,
            [
                (CommitStep::Apply, last),
                (CommitStep::Flush, last),
                (CommitStep::SyncDatabase, proposed),
                (CommitStep::SyncWitness, proposed),
                (CommitStep::Acknowledge, confirmed),
            ]
        );
    }
}
