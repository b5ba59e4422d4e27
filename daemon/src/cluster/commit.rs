//! Memory never runs ahead of the disk: a change is written, and only then believed.

use std::sync::Arc;

use muster_engine::plan::Plan;
use muster_engine::state::ClusterState;
use muster_engine::words;
use muster_protocol::{Error, ErrorCode};
use muster_store::{Batch, CommitError};

use super::supervisor::SupervisorState;
use crate::journal::change;

/// Why a change is not the present state.
pub(super) enum Uncommitted {
    /// It certainly is not on disk.
    Refused(Error),
    /// It may be on disk.
    InDoubt(CommitError),
}

impl SupervisorState {
    /// Writes the difference, and only then takes the new state for the present one. A cluster of which nothing is left is
    /// forgotten with its last change, but for its history: whoever hears that it was deleted does not find it any more.
    pub(super) async fn commit(
        &mut self,
        mut next: ClusterState,
        plan: Plan,
        mut batch: Batch,
    ) -> Result<(), Uncommitted> {
        let is_last = next.is_gone() && next.operations.values().all(|operation| operation.info.phase.is_ended());
        let mut written = change::write_difference(&mut batch, &self.current, &next);
        if is_last {
            written = written.and_then(|()| change::write_removal(&mut batch, &next));
        }
        written.map_err(|error| Uncommitted::Refused(Error::new(ErrorCode::Store, words::chain(&error))))?;
        if !batch.is_empty() {
            match self.workshop.shared.journal.write(batch).await {
                Ok(_) => {}
                Err(CommitError::NotApplied(why)) => {
                    let error = Error::new(ErrorCode::Store, format!("the change could not be stored: {why}"));
                    return Err(Uncommitted::Refused(error.retry_later()));
                }
                Err(error @ CommitError::MaybeApplied { .. }) => return Err(Uncommitted::InDoubt(error)),
            }
        }
        if next == *self.current && plan == *self.plan {
            return Ok(());
        }
        let ended = next.note_written();
        let has_same_members =
            next.record.is_untouched(&self.current.record) && next.ledger.is_untouched(&self.current.ledger);
        self.current = Arc::new(next);
        if !has_same_members {
            self.members.send_if_modified(|members| {
                let now = self.current.members();
                let is_new = *members != now;
                *members = now;
                is_new
            });
        }
        self.plan = Arc::new(plan);
        // First what is so, then who waits for it: whoever hears of an end and looks sees its effect.
        let board = &self.workshop.shared.board;
        if is_last {
            self.is_retired = true;
            board.remove(self.current.id());
        } else {
            board.publish(self.current.clone(), Some(self.plan.clone()));
        }
        for operation in &ended {
            board.publish_operation(operation);
        }
        Ok(())
    }
}
