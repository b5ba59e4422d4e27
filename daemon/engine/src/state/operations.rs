//! Operations that are under way in a cluster, and their end.

use muster_protocol::model::event::EventKind;
use muster_protocol::model::operation::OperationPhase;
use muster_protocol::{Cause, OperationId, Timestamp};

use super::{Announcement, ClusterState};
use crate::operation::OperationRecord;

impl ClusterState {
    /// The operations that have not ended. One that has stays in the state until it is written.
    pub(crate) fn running_operations(&self) -> impl Iterator<Item = &OperationRecord> {
        self.operations.values().filter(|operation| !operation.info.phase.is_ended())
    }

    /// Whether nothing of the cluster is left, as far as anybody can tell.
    pub fn is_gone(&self) -> bool {
        self.desired().absent && self.ledger.is_empty() && self.record.swept
    }

    /// Ends an operation. Its record leaves the state with the next write.
    pub(crate) fn end_operation(
        &mut self,
        id: OperationId,
        phase: OperationPhase,
        cause: Option<Cause>,
        now: Timestamp,
    ) {
        let Some(operation) = self.operations.get_mut(&id) else { return };
        let info = &mut operation.info;
        info.phase = phase;
        info.ended_at = Some(now);
        info.message = String::new();
        info.cause = cause.clone();
        if phase == OperationPhase::Succeeded {
            info.steps_total = info.steps_total.max(1);
            info.steps_done = info.steps_total;
        }
        let message = format!("{} {phase}", info.kind);
        let service = info.services.first().cloned();
        self.outbox.push(Announcement {
            kind: EventKind::OperationEnded,
            at: now,
            operation: Some(id),
            service,
            message,
            cause,
        });
    }

    /// Takes ended operations out of the state: they are history once they are on disk.
    pub fn forget_ended_operations(&mut self) {
        self.operations.retain(|_, operation| !operation.info.phase.is_ended());
    }
}
