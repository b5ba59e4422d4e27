//! A bare fsynced group commit on sled: the least that a durable write costs. No envelopes, no witness, no events: what
//! waits is applied as one batch, flushed and fsynced, and everybody who waited is told.

use std::fs::File;
use std::path::Path;
use std::thread;

use anyhow::{Context, Result};
use tokio::sync::{mpsc, oneshot};

use super::load::Caller;

/// Writes in one group, as in Muster's own store.
const MAX_GROUP: usize = 512;
const CACHE_BYTES: u64 = 32 << 20;

/// Records that are written together, and who waits for them.
struct Write {
    values: Vec<Vec<u8>>,
    done: oneshot::Sender<()>,
}

/// A handle to the writer. The writer ends with the last handle, or at the first error.
#[derive(Clone)]
pub struct GroupCommit {
    queue: mpsc::UnboundedSender<Write>,
}

impl GroupCommit {
    /// Opens a database in this folder and starts its writer.
    pub fn open(dir: &Path) -> Result<Self> {
        let database = sled::Config::new().path(dir).cache_capacity(CACHE_BYTES).flush_every_ms(Some(500)).open();
        let database = database.with_context(|| format!("cannot open a database in {}", dir.display()))?;
        let file = File::open(dir.join("db")).context("cannot open sled's file")?;
        let (queue, waiting) = mpsc::unbounded_channel();
        thread::spawn(move || write(&database, &file, waiting));
        Ok(Self { queue })
    }

    /// Writes new records of so many bytes each; done when all are on disk.
    pub async fn commit(&self, bytes: &[usize]) -> Result<()> {
        let (done, written) = oneshot::channel();
        let values = bytes.iter().map(|bytes| vec![b'w'; *bytes]).collect();
        self.queue.send(Write { values, done }).ok().context("the writer has ended")?;
        written.await.context("the write failed")
    }
}

fn write(database: &sled::Db, file: &File, mut waiting: mpsc::UnboundedReceiver<Write>) -> Result<()> {
    let mut number: u64 = 0;
    while let Some(first) = waiting.blocking_recv() {
        let mut batch = sled::Batch::default();
        let mut told = Vec::new();
        let mut next = Some(first);
        while let Some(Write { values, done }) = next {
            number += 1;
            for (table, value) in (0_u8..).zip(values) {
                batch.insert([&[table][..], &number.to_be_bytes()].concat(), value);
            }
            told.push(done);
            next = if told.len() < MAX_GROUP { waiting.try_recv().ok() } else { None };
        }
        database.apply_batch(batch)?;
        database.flush()?;
        file.sync_data()?;
        for done in told {
            // Who went away needs no answer.
            let _ = done.send(());
        }
    }
    Ok(())
}

/// Somebody who writes.
#[derive(Clone)]
pub struct Committer {
    /// The writer.
    pub writer: GroupCommit,
    /// How much it writes: the bytes of each record.
    pub bytes: Vec<usize>,
}

impl Caller for Committer {
    async fn call(&mut self) -> Result<()> {
        self.writer.commit(&self.bytes).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_was_acknowledged_is_there_after_opening_again() {
        let dir = tempfile::tempdir().unwrap();
        let writer = GroupCommit::open(dir.path()).unwrap();
        let writes = (0..100).map(|_| writer.commit(&[200, 100]));
        futures::future::try_join_all(writes).await.unwrap();
        drop(writer);
        // sled's lock is released a moment after the last handle is gone.
        let database = super::super::daemon::retried(async || Ok(sled::open(dir.path())?)).await.unwrap();
        assert_eq!(database.len(), 200);
    }
}
