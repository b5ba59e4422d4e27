//! Since when each step of a plan stands as it does, and until when it may.
//!
//! Until when, by what bounds it first:
//!
//! 1. the call that performs it, which is broken off then;
//! 2. the operation that waits for it, which has failed then: one on its service, or one on the cluster;
//! 3. nobody, where the cluster mends itself, or a released one is cleared away. Such work has no final deadline: the end
//!    of the current retry window is shown.
//!
//! What waits for somebody's help has no time of its own: only an operation ends it.

use std::collections::BTreeSet;

use muster_protocol::Timestamp;

use crate::action::Action;
use crate::operation::{OperationRecord, Target};
use crate::plan::{Gate, Plan};
use crate::state::ClusterState;

/// See the module.
pub(crate) struct StepTimes {
    pub since: Timestamp,
    pub until: Option<Timestamp>,
}

impl ClusterState {
    /// The times of each step of this state's plan.
    pub(crate) fn times_of(&self, plan: &Plan) -> Vec<StepTimes> {
        if plan.steps.is_empty() {
            // So it is of nearly every cluster, and every read asks.
            return Vec::new();
        }
        let turn = self.end_of_turn();
        let mut helpless: BTreeSet<&Action> = BTreeSet::new();
        let mut times = Vec::with_capacity(plan.steps.len());
        for step in &plan.steps {
            // Steps stand behind those that they wait for.
            let waits_for_help = match &step.gate {
                Gate::Blocked(_) => true,
                Gate::Waiting(_) => step.after.iter().any(|action| helpless.contains(action)),
                Gate::Ready | Gate::Running | Gate::Retrying(_) => false,
            };
            if waits_for_help {
                helpless.insert(&step.action);
            }
            times.push(self.times_of_step(&step.action, (!waits_for_help).then_some(turn)));
        }
        times
    }

    /// With the end of the present turn, unless it waits for help.
    fn times_of_step(&self, action: &Action, turn: Option<Timestamp>) -> StepTimes {
        let key = action.key();
        let call = self.in_flight.get(&key).filter(|call| call.action == *action);
        let entry = key.as_ref().map_or(self.sweep_retry.as_ref(), |key| self.ledger.get(key));
        let owner = self.owner_of(action);
        let asked_at = owner.map(|operation| operation.info.created_at);
        let since = call.map(|call| call.since).or_else(|| entry.map(|entry| entry.since)).or(asked_at);
        let until = call.map(|call| call.deadline).or_else(|| owner.map(|operation| operation.info.deadline));
        StepTimes { since: since.unwrap_or(self.record.phase_since), until: until.or(turn) }
    }

    /// The operation that waits for this step.
    fn owner_of(&self, action: &Action) -> Option<&OperationRecord> {
        self.running_operations().find(|operation| match (&operation.target, action.service()) {
            (Target::Cluster { .. }, service) => service.is_none(),
            (Target::Services(targets), Some(service)) => targets.iter().any(|target| target.name == *service),
            (Target::Services(_), None) => false,
        })
    }

    /// When the present turn ends of what nobody waits for.
    fn end_of_turn(&self) -> Timestamp {
        let (first_end, turn) = match self.record.removal_deadline {
            Some(deadline) => (deadline, self.deadlines.removal),
            None => (self.record.phase_since + self.deadlines.cluster, self.deadlines.cluster),
        };
        let now = self.latest_now();
        if now < first_end {
            return first_end;
        }
        let turns_over = now.since(first_end).as_millis() / turn.as_millis().max(1) + 1;
        first_end + turn.saturating_mul(u32::try_from(turns_over).unwrap_or(u32::MAX))
    }

    /// The latest time that it may be by what the state tells: reads have no clock. A call under way may last to its
    /// deadline without anything being heard, and a look is never that long.
    fn latest_now(&self) -> Timestamp {
        let looks = [self.observed.infrastructure_at, self.observed.orchestrator_at, self.awake_since];
        let failed_looks = [&self.observed.infrastructure_cause, &self.observed.orchestrator_cause];
        let failed_calls = self.ledger.values().chain(&self.sweep_retry).map(|entry| &entry.cause);
        let failures = failed_looks.into_iter().chain(failed_calls).flatten().map(|cause| cause.at);
        let calls = self.in_flight.values().map(|call| call.deadline);
        looks.into_iter().flatten().chain(failures).chain(calls).fold(self.record.phase_since, Timestamp::max)
    }
}
