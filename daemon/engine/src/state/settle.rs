//! After every change: which phase the cluster is in now, and which operations have ended.

use muster_protocol::model::cluster::ClusterPhase;
use muster_protocol::model::event::EventKind;
use muster_protocol::model::operation::{OperationKind, OperationPhase};
use muster_protocol::{Cause, OperationId, Timestamp};

use super::{Announcement, ClusterState};
use crate::operation::{OperationRecord, Target};
use crate::plan::{Gate, Part, Plan, plan};

impl ClusterState {
    /// Draws the conclusions from what is known now, and says what is to be done. Called after every change, and when a
    /// time comes; what it concludes is written with the change.
    pub fn settle(&mut self, now: Timestamp) -> Plan {
        self.awake_since.get_or_insert(now);
        self.settle_services(now);
        let mut next = plan(self, now);
        loop {
            let planned = self.services.clone();
            if !self.settle_operations(&next, now) {
                self.settle_phase(&next, now);
                return next;
            }
            // The end of an operation changes phases and may withdraw a service's version, of which a new plan is made.
            // Each round ends at least one, so there are at most as many rounds as operations.
            self.settle_services(now);
            if self.services != planned {
                next = plan(self, now);
            }
            debug_assert_eq!(
                next,
                plan(self, now),
                "a plan is made of nothing else that the end of an operation changes"
            );
        }
    }

    /// Whether nothing can follow from the change from `before`, of which `plan` was concluded: nothing was to be done or
    /// waited for, and nothing is new but the time of a look. Nearly every look at nearly every cluster is such a one.
    pub fn is_at_rest_since(&self, before: &Self, plan: &Plan) -> bool {
        let is_settled = before.awake_since.is_some() && plan.steps.is_empty() && before.operations.is_empty();
        if !is_settled {
            return false;
        }
        let mut later = before.clone();
        let times = [
            (&mut later.observed.machines_at, self.observed.machines_at),
            (&mut later.observed.orchestrator_at, self.observed.orchestrator_at),
        ];
        for (before, now) in times {
            // The first look at all is news, whatever it sees.
            *before = before.and(now);
        }
        later == *self
    }

    /// The operations that have not ended. One that has stays in the state until it is written.
    pub(crate) fn running_operations(&self) -> impl Iterator<Item = &OperationRecord> {
        self.operations.values().filter(|operation| !operation.info.phase.is_ended())
    }

    fn settle_phase(&mut self, plan: &Plan, now: Timestamp) {
        let phase = self.phase_now(plan, now);
        if phase == ClusterPhase::Ready && !self.record.was_ready {
            self.record.was_ready = true;
        }
        if phase != self.record.phase {
            self.record.phase = phase;
            self.record.phase_since = now;
            let cause = if phase == ClusterPhase::Degraded { self.causes().into_iter().next() } else { None };
            self.announce(
                now,
                EventKind::ClusterPhase,
                format!("cluster {} is {phase}", self.desired().spec.name),
                cause,
            );
        }
    }

    fn phase_now(&self, plan: &Plan, now: Timestamp) -> ClusterPhase {
        if self.desired().absent {
            let overdue = self.record.removal_deadline.is_some_and(|deadline| now >= deadline);
            return match (self.is_gone(), overdue) {
                (true, _) => ClusterPhase::Deleted,
                (false, true) => ClusterPhase::Released,
                (false, false) => ClusterPhase::Deleting,
            };
        }
        if plan.of_cluster().is_empty() {
            return ClusterPhase::Ready;
        }
        let asked = self.running_operations().any(|operation| matches!(operation.target, Target::Cluster { .. }));
        match (asked, self.record.was_ready) {
            (true, false) => ClusterPhase::Creating,
            (true, true) => ClusterPhase::Updating,
            // Just started: nothing was looked at yet, so nothing new is known.
            (false, _) if self.observed.orchestrator_at.is_none() && self.observed.orchestrator_cause.is_none() => {
                self.record.phase
            }
            (false, _) => ClusterPhase::Degraded,
        }
    }

    /// Whether nothing of the cluster is left, as far as anybody can tell.
    pub fn is_gone(&self) -> bool {
        self.desired().absent && self.ledger.is_empty() && self.record.swept
    }

    /// Ends what has come to its end; whether there was any.
    fn settle_operations(&mut self, plan: &Plan, now: Timestamp) -> bool {
        let running: Vec<OperationId> = self.running_operations().map(|operation| operation.info.id).collect();
        let mut any_ended = false;
        for id in running {
            let Some(operation) = self.operations.get(&id).cloned() else { continue };
            let verdict = self.verdict(&operation, plan, now);
            let Some((phase, cause)) = verdict else {
                self.note_progress(id, plan);
                continue;
            };
            if phase == OperationPhase::Failed
                && let (Target::Services(targets), Some(cause)) = (&operation.target, &cause)
                && matches!(operation.info.kind, OperationKind::ServiceUpdate | OperationKind::ServiceScale)
            {
                for target in targets {
                    self.withdraw(&target.name, cause, now);
                }
            }
            self.end_operation(id, phase, cause, now);
            any_ended = true;
        }
        any_ended
    }

    /// Whether and how an operation has ended.
    fn verdict(
        &self,
        operation: &OperationRecord,
        plan: &Plan,
        now: Timestamp,
    ) -> Option<(OperationPhase, Option<Cause>)> {
        if operation.info.kind == OperationKind::ClusterDelete {
            if self.is_gone() {
                return Some((OperationPhase::Succeeded, None));
            }
            let overdue = self.record.removal_deadline.is_some_and(|deadline| now >= deadline);
            return overdue.then(|| (OperationPhase::Failed, Some(self.released_cause(now))));
        }
        let part = part_of(plan, operation);
        if part.is_empty() && self.is_reached(operation) {
            return Some((OperationPhase::Succeeded, None));
        }
        if let Some(cause) = part.stuck() {
            return Some((OperationPhase::Failed, Some(cause.clone())));
        }
        if now >= operation.info.deadline {
            return Some((OperationPhase::Failed, Some(self.overdue_cause(operation, &part, now))));
        }
        None
    }

    /// Whether what was asked for is still what is asked for. What replaced it ends this operation itself, but a
    /// service that is gone cannot be well.
    fn is_reached(&self, operation: &OperationRecord) -> bool {
        match &operation.target {
            Target::Cluster { .. } => true,
            Target::Services(targets) => targets.iter().all(|target| {
                let service = self.services.get(&target.name);
                match operation.info.kind {
                    OperationKind::ServiceDelete => service.is_none_or(|service| !service.absent),
                    OperationKind::ClusterCreate
                    | OperationKind::ClusterScale
                    | OperationKind::ClusterDelete
                    | OperationKind::ClusterRetry
                    | OperationKind::ServiceCreate
                    | OperationKind::ServiceUpdate
                    | OperationKind::ServiceScale => self.is_service_well(&target.name),
                }
            }),
        }
    }

    fn note_progress(&mut self, id: OperationId, plan: &Plan) {
        let Some(operation) = self.operations.get(&id) else { return };
        let part = part_of(plan, operation);
        let running: Vec<String> =
            part.iter().filter(|step| step.gate == Gate::Running).map(|step| step.action.to_string()).collect();
        let cause = self.cause_of(&operation.target);
        let left = u32::try_from(part.len()).unwrap_or(u32::MAX);
        let Some(operation) = self.operations.get_mut(&id) else { return };
        let info = &mut operation.info;
        // A plan may grow when something is found to be missing; what was done stays done.
        info.steps_total = info.steps_total.max(left);
        info.steps_done = info.steps_total - left;
        info.message = running.join(", ");
        info.cause = cause;
    }

    /// Ends an operation. Its record leaves the state with the next write.
    pub(super) fn end_operation(
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

/// The steps that an operation waits for.
fn part_of<'a>(plan: &'a Plan, operation: &OperationRecord) -> Part<'a> {
    match &operation.target {
        Target::Cluster { .. } => plan.of_cluster(),
        Target::Services(targets) => plan.of_services(targets.iter().map(|target| &target.name)),
    }
}
