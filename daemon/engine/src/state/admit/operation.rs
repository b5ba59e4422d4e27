//! Operations: begun with a request, ended by another that takes their place.

use std::time::Duration;

use muster_protocol::model::event::EventKind;
use muster_protocol::model::operation::{OperationInfo, OperationKind, OperationPhase};
use muster_protocol::{ErrorCode, Name, OperationId, Timestamp};

use super::Requested;
use crate::failure::Failure;
use crate::ledger::ResourceKey;
use crate::operation::{OperationRecord, Target};
use crate::state::{Announcement, ClusterState, retry};

impl ClusterState {
    pub(super) fn supersede(&mut self, operations: &[OperationId], asked: &Requested) {
        self.supersede_for(operations, &format!("operation {} took its place", asked.operation), asked.at);
    }

    /// Ends operations for this reason.
    pub(super) fn supersede_for(&mut self, operations: &[OperationId], why: &str, now: Timestamp) {
        for id in operations {
            let failure = Failure::not_applied(ErrorCode::Superseded, why).permanent();
            let cause = failure.into_cause("supersede".to_owned(), now);
            self.end_operation(*id, OperationPhase::Superseded, Some(cause), now);
        }
    }

    /// Failed calls may be made again at once.
    pub(in crate::state) fn forget_failure(&mut self, key: &ResourceKey) {
        if self.ledger.get(key).is_some_and(retry::has_failed)
            && let Some(entry) = self.ledger.get_mut(key)
        {
            retry::clear_failure(entry);
        }
    }

    pub(super) fn forget_all_failures(&mut self) {
        if self.ledger.values().any(retry::has_failed) {
            self.ledger.values_mut().for_each(retry::clear_failure);
        }
        self.sweep_retry = None;
    }

    pub(super) fn admitted(
        &mut self,
        kind: OperationKind,
        target: Target,
        services: Vec<Name>,
        wait: Duration,
        asked: Requested,
    ) -> OperationInfo {
        let info = self.start_operation(kind, target, services, wait, asked);
        self.tidy();
        info
    }

    pub(super) fn start_operation(
        &mut self,
        kind: OperationKind,
        target: Target,
        services: Vec<Name>,
        wait: Duration,
        asked: Requested,
    ) -> OperationInfo {
        let cluster = self.desired().spec.name.clone();
        let service = services.first().cloned();
        let info = OperationInfo {
            id: asked.operation,
            kind,
            cluster_id: self.id(),
            cluster,
            services,
            phase: OperationPhase::Running,
            requested_by: asked.by,
            created_at: asked.at,
            deadline: asked.at + wait,
            ended_at: None,
            steps_done: 0,
            steps_total: 0,
            message: String::new(),
            cause: None,
        };
        self.operations.insert(asked.operation, OperationRecord { info: info.clone(), target });
        self.outbox.push(Announcement {
            kind: EventKind::OperationStarted,
            at: asked.at,
            operation: Some(asked.operation),
            service,
            message: kind.to_string(),
            cause: None,
        });
        info
    }
}
