//! The audit record of a request that is under way.

use std::sync::atomic::{AtomicBool, Ordering};

use muster_protocol::{ErrorCode, OperationId};
use muster_store::{Batch, BatchError};

use super::records::StoredAudit;

/// The record of a request that is under way.
#[derive(Debug)]
pub struct AuditNote {
    record: StoredAudit,
    /// Whether the batch of a change has it.
    is_in_batch: AtomicBool,
}

impl AuditNote {
    /// A record that is in no batch yet.
    pub const fn new(record: StoredAudit) -> Self {
        Self { record, is_in_batch: AtomicBool::new(false) }
    }

    /// Adds that the request was done, or begun, to the batch that does it.
    pub fn put(&self, batch: &mut Batch, operation: Option<OperationId>) -> Result<(), BatchError> {
        batch.append_audit(&StoredAudit { operation, ..self.record.clone() })?;
        self.is_in_batch.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// The record with what came of the request, unless it stands with what was done.
    pub fn outcome(&self, refusal: Option<ErrorCode>, operation: Option<OperationId>) -> Option<StoredAudit> {
        let is_done = refusal.is_none() && self.is_in_batch.load(Ordering::Relaxed);
        (!is_done).then(|| StoredAudit { refusal, operation, ..self.record.clone() })
    }
}
