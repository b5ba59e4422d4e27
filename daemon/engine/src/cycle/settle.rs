//! After every change: which phase the cluster is in now, and which operations have ended.

use muster_protocol::model::cluster::ClusterPhase;
use muster_protocol::model::event::EventKind;
use muster_protocol::model::operation::{OperationKind, OperationPhase};
use muster_protocol::{Cause, OperationId, Timestamp};

use crate::operation::{OperationRecord, Target};
use crate::plan::{Gate, Part, Plan, plan};
use crate::state::ClusterState;

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
        if !is_settled || !before.is_seen_since_changed() {
            return false;
        }
        let mut later = before.clone();
        let times = [
            (&mut later.observed.infrastructure_at, self.observed.infrastructure_at),
            (&mut later.observed.orchestrator_at, self.observed.orchestrator_at),
        ];
        for (before, now) in times {
            // The first look at all is news, whatever it sees.
            *before = before.and(now);
        }
        later == *self
    }

    /// Whether everything was looked at since it last changed: else the next look is news even if it sees the same.
    fn is_seen_since_changed(&self) -> bool {
        let changed = self.ledger.values().map(|entry| entry.since).max();
        let looks = [self.observed.infrastructure_at, self.observed.orchestrator_at];
        looks.into_iter().all(|at| at >= changed)
    }

    fn settle_phase(&mut self, plan: &Plan, now: Timestamp) {
        let phase = self.phase_now(plan, now);
        if phase == ClusterPhase::Ready && !self.record.was_ready {
            self.record.was_ready = true;
        }
        if phase != self.record.phase {
            self.record.phase = phase;
            self.record.phase_since = now;
            let cause = if phase == ClusterPhase::Degraded { self.causes_with(plan).into_iter().next() } else { None };
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
            {
                for target in targets {
                    if operation.returns_on_failure() {
                        self.withdraw(&target.name, cause, now);
                    } else if operation.info.kind == OperationKind::ServiceCreate {
                        self.note_failed_creation(&target.name, cause);
                    }
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
        if let Some(cause) = self.hopeless_cause(operation) {
            return Some((OperationPhase::Failed, Some(cause)));
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
                if operation.info.kind == OperationKind::ServiceDelete {
                    service.is_none_or(|service| !service.absent)
                } else {
                    self.is_service_well(&target.name)
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
}

/// The steps that an operation waits for.
fn part_of<'a>(plan: &'a Plan, operation: &OperationRecord) -> Part<'a> {
    match &operation.target {
        Target::Cluster { .. } => plan.of_cluster(),
        Target::Services(targets) => plan.of_services(targets.iter().map(|target| &target.name)),
    }
}
