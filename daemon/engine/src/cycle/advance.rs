//! One turn of the loop, all of it but the write and the calls.

use std::time::Duration;

use muster_protocol::Timestamp;
use muster_protocol::model::operation::OperationInfo;

use crate::action::Action;
use crate::failure::Failure;
use crate::ledger::InfraKey;
use crate::looks::Looks;
use crate::observed::Power;
use crate::order::Order;
use crate::plan::Plan;
use crate::recipe::Performer;
use crate::state::{ClusterState, InFlight};

/// What follows from a change.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Advance {
    /// The state with all conclusions drawn and calls begun: to be on disk before anything else is done.
    pub next: ClusterState,
    /// What is done about it.
    pub plan: Plan,
    /// The calls to make then.
    pub begun: Vec<Begun>,
    /// The calls under way to break off then: the plan does not want them any more, or they can come to nothing.
    pub unwanted: Vec<Action>,
}

/// A call to make.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Begun {
    /// What for.
    pub action: Action,
    /// The call. If there is nothing to call, the action has failed like this.
    pub order: Result<Order, Failure>,
    /// How long it may take; then it is broken off.
    pub limit: Duration,
}

impl ClusterState {
    /// Draws the conclusions of what has changed since `before`, of which `plan` was made, and begins what may be done
    /// now, with at most so many calls under way.
    #[must_use]
    pub fn advance(mut self, before: &Self, plan: &Plan, calls: usize, now: Timestamp) -> Advance {
        let is_at_rest = self.is_at_rest_since(before, plan);
        let mut plan = if is_at_rest { Plan::default() } else { self.settle(now) };
        let is_unwanted = |call: &&InFlight| !plan.has_running(&call.action) || self.is_futile(call);
        let unwanted = self.in_flight.values().filter(is_unwanted).map(|call| call.action.clone()).collect();
        let room = calls.saturating_sub(self.in_flight.len());
        let ready: Vec<Action> = plan.ready().take(room).cloned().collect();
        for action in &ready {
            self.begin(action, now);
            plan.note_begun(action);
        }
        // Not before all are begun: an order shows the others as they are on disk by then.
        let begun = ready.into_iter().map(|action| self.begun(action)).collect();
        Advance { next: self, plan, begun, unwanted }
    }

    /// Whether a step is waited for on a machine that was seen since not to run, or not to be there. What the step has done
    /// is found by its number, should the machine come back.
    fn is_futile(&self, call: &InFlight) -> bool {
        let Action::Step(machine, step) = &call.action else { return false };
        let began = call.since + self.deadlines.listing_lag;
        let was_looked_at = self.observed.infrastructure_at.is_some_and(|at| at > began);
        let seen = self.observed.infrastructure.get(&InfraKey::for_machine(machine.clone()));
        let is_there = seen.is_some_and(|seen| seen.power != Some(Power::Stopped));
        step.performer() == Performer::Preparer && was_looked_at && !is_there
    }

    fn begun(&self, action: Action) -> Begun {
        Begun { order: self.order(&action), limit: self.deadlines.of_call(&action), action }
    }

    /// The state is on disk: its announcements and the operations that ended are history, and leave it.
    pub fn note_written(&mut self) -> Vec<OperationInfo> {
        self.outbox.clear();
        let ended = self.operations.values().filter(|operation| operation.info.phase.is_ended());
        let ended = ended.map(|operation| operation.info.clone()).collect();
        self.forget_ended_operations();
        ended
    }

    /// The next time at which something may follow without anything having happened.
    pub fn wakes_at(&self, plan: &Plan, looks: &Looks, now: Timestamp) -> Timestamp {
        let deadlines = self.operations.values().map(|operation| operation.info.deadline);
        let times = deadlines.chain(self.record.removal_deadline).chain(plan.next_try());
        times.filter(|time| *time > now).fold(looks.next(), Timestamp::min)
    }
}
