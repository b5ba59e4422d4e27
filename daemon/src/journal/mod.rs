//! What the daemon writes to and reads from its store: its own records over the store's plain ones.
//!
//! - `records`: the stored types and their keys
//! - `forms`: how they lie on disk, field by field
//! - `change`: the changes of one cluster as one batch
//! - `load`: everything about the clusters, at start
//! - `vault`: sealed things

pub mod audit_note;
pub mod change;
mod forms;
pub mod load;
pub mod records;
pub mod vault;

use async_trait::async_trait;
use muster_store::{Batch, CommitError, Committed, Store};

/// Where batches go to. The store itself; tests put something between that stops the process at a write.
#[async_trait]
pub trait Journal: Send + Sync {
    /// Writes the batch, as a whole or not at all. Done means that it is on disk.
    async fn write(&self, batch: Batch) -> Result<Committed, CommitError>;
}

#[async_trait]
impl Journal for Store {
    async fn write(&self, batch: Batch) -> Result<Committed, CommitError> {
        self.commit(batch).await
    }
}
