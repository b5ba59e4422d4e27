//! The planner: what is to be done, what may be done now, and what the rest waits for.
//!
//! A pure function of the cluster's state and the time. The supervisor performs what is
//! [`Gate::Ready`], notes the results and asks again, until nothing is left. `muster plan`
//! prints the same list, so what is shown is what is done.
//!
//! - `infrastructure`: what machines stand on, and the machines that should be there
//! - `turns`: the steps of machines that are members already, one machine after the other
//! - `membership`: forming the orchestrator's cluster and joining it
//! - `quorum`: whether its control plane can decide anything, and spare a node
//! - `services`: what runs on it
//! - `removal`: what should not be there any more

mod infrastructure;
mod membership;
mod quorum;
mod removal;
mod services;
mod turns;

use std::cell::OnceCell;
use std::collections::BTreeSet;

use muster_protocol::model::host::Role;
use muster_protocol::{Cause, ErrorCode, Name, Retry, Timestamp};

use crate::action::Action;
use crate::driver::Need;
use crate::failure::Failure;
use crate::ledger::{LedgerEntry, ResourceKey, ResourceState};
use crate::state::ClusterState;
use quorum::ControlPlanes;

/// What is to be done, in an order in which it can be done.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Plan {
    /// The steps; each stands behind those that it waits for.
    pub steps: Vec<PlannedStep>,
}

/// One step of a plan.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PlannedStep {
    /// What is done.
    pub action: Action,
    /// The steps of this plan that must be done first.
    pub after: Vec<Action>,
    /// Whether it may be done now.
    pub gate: Gate,
}

/// Whether a step may be done now, and if not, why.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Gate {
    /// It may.
    Ready,
    /// It is being done; for [`Action::Await`]: it is being watched.
    Running,
    /// It waits for other steps, or for what is said here.
    Waiting(Option<String>),
    /// It failed, and is tried again at this time.
    Retrying(Timestamp),
    /// It cannot be done until somebody changes something.
    Blocked(Cause),
}

impl Plan {
    /// The actions that may be begun now.
    pub fn ready(&self) -> impl Iterator<Item = &Action> {
        self.steps.iter().filter(|step| step.gate == Gate::Ready).map(|step| &step.action)
    }

    /// The next time at which the plan may look different without anything having happened.
    pub fn next_try(&self) -> Option<Timestamp> {
        let times = self.steps.iter().filter_map(|step| match &step.gate {
            Gate::Retrying(at) => Some(*at),
            Gate::Ready | Gate::Running | Gate::Waiting(_) | Gate::Blocked(_) => None,
        });
        times.min()
    }

    /// Whether something is being watched until it is seen to be well.
    pub fn awaits(&self) -> bool {
        self.steps.iter().any(|step| !step.action.is_call() && step.gate == Gate::Running)
    }

    /// Notes that an action which was ready is being done.
    pub(crate) fn note_begun(&mut self, action: &Action) {
        for step in self.steps.iter_mut().filter(|step| step.action == *action) {
            step.gate = Gate::Running;
        }
    }

    /// Whether this action is being done, and should be.
    pub(crate) fn has_running(&self, action: &Action) -> bool {
        self.steps.iter().any(|step| step.gate == Gate::Running && step.action == *action)
    }

    /// The part of the plan that is about the cluster itself, without its services.
    pub fn of_cluster(&self) -> Part<'_> {
        Part(self.steps.iter().filter(|step| step.action.service().is_none()).collect())
    }

    /// The part of the plan that is about these services.
    pub fn of_services<'a>(&self, services: impl IntoIterator<Item = &'a Name>) -> Part<'_> {
        let services: BTreeSet<&Name> = services.into_iter().collect();
        let about_them = |step: &&PlannedStep| step.action.service().is_some_and(|service| services.contains(service));
        Part(self.steps.iter().filter(about_them).collect())
    }
}

/// Some steps of a plan.
pub struct Part<'a>(Vec<&'a PlannedStep>);

impl<'a> Part<'a> {
    /// Whether there is nothing to be done.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many steps there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The steps, in the plan's order.
    pub fn iter(&self) -> impl Iterator<Item = &'a PlannedStep> {
        self.0.iter().copied()
    }

    /// The cause why nothing at all can go on without somebody's help, if that is so.
    pub fn stuck(&self) -> Option<&'a Cause> {
        let mut cause = None;
        for step in self.iter() {
            match &step.gate {
                Gate::Ready | Gate::Running | Gate::Retrying(_) => return None,
                Gate::Waiting(_) => {}
                Gate::Blocked(blocked) => cause = cause.or(Some(blocked)),
            }
        }
        cause
    }
}

/// Plans what leads from what is to what was asked for.
pub fn plan(state: &ClusterState, now: Timestamp) -> Plan {
    let mut planner = Planner {
        state,
        now,
        machines: state.desired().machines().collect(),
        needs: state.blueprint.needs.needs(state.desired()),
        control_planes: OnceCell::new(),
        steps: Vec::new(),
        pending: BTreeSet::new(),
    };
    if state.desired().absent {
        planner.remove_everything();
    } else {
        planner.bring_infrastructure();
        planner.bring_members();
        planner.bring_services();
        planner.remove_surplus_services();
        planner.remove_surplus_machines();
        planner.remove_surplus_infrastructure();
    }
    Plan { steps: planner.steps }
}

/// Collects steps.
struct Planner<'a> {
    state: &'a ClusterState,
    now: Timestamp,
    /// The machines that should be there, control planes first.
    machines: Vec<(Name, Role)>,
    /// What should be there at the infrastructure, each behind what it stands on.
    needs: Vec<Need>,
    /// Counted once, for every member depends on it.
    control_planes: OnceCell<ControlPlanes>,
    steps: Vec<PlannedStep>,
    pending: BTreeSet<Action>,
}

impl Planner<'_> {
    fn entry(&self, key: &ResourceKey) -> Option<&LedgerEntry> {
        self.state.ledger.get(key)
    }

    fn is_pending(&self, action: &Action) -> bool {
        self.pending.contains(action)
    }

    /// Those of these actions that are still to be done.
    fn pending_of(&self, actions: impl IntoIterator<Item = Action>) -> Vec<Action> {
        actions.into_iter().filter(|action| self.is_pending(action)).collect()
    }

    /// Adds a step behind those of `after` that are still to be done.
    fn step(&mut self, action: Action, after: &[Action]) -> Action {
        self.step_if(action, after, None)
    }

    /// As [`Planner::step`], but not before what `obstacle` says has changed.
    fn step_if(&mut self, action: Action, after: &[Action], obstacle: Option<Gate>) -> Action {
        let after = self.pending_of(after.iter().cloned());
        let gate = self.gate(&action, &after, obstacle);
        self.pending.insert(action.clone());
        self.steps.push(PlannedStep { action: action.clone(), after, gate });
        action
    }

    fn gate(&self, action: &Action, after: &[Action], obstacle: Option<Gate>) -> Gate {
        if let Some(call) = self.state.in_flight.get(&action.key()) {
            if call.action == *action {
                return Gate::Running;
            }
            // If the step is ordered after that call, `after` already says so.
            if action.is_call() && !after.contains(&call.action) {
                return Gate::Waiting(Some(format!("`{}` has to end first", call.action)));
            }
        }
        if !after.is_empty() {
            return Gate::Waiting(None);
        }
        if let Some(obstacle) = obstacle {
            return obstacle;
        }
        if !action.is_call() {
            return Gate::Running;
        }
        let failed = match action.key() {
            Some(key) => self.entry(&key),
            None => self.state.sweep_retry.as_ref(),
        };
        let Some(entry) = failed else { return Gate::Ready };
        let gives_up = matches!(action, Action::Create(_) | Action::Update(_) | Action::Step(..));
        match (&entry.cause, entry.next_try) {
            (Some(cause), _) if gives_up && cause.retry == Retry::Never => Gate::Blocked(cause.clone()),
            (_, Some(at)) if at > self.now => Gate::Retrying(at),
            (_, _) => Gate::Ready,
        }
    }

    /// Plans the way to a resource being there: the last step of that way, or none if it is there.
    fn ensure(&mut self, key: &ResourceKey, after: &[Action]) -> Option<Action> {
        self.ensure_if(key, after, None)
    }

    /// As [`Planner::ensure`], but it is not made before what `obstacle` says has changed.
    fn ensure_if(&mut self, key: &ResourceKey, after: &[Action], obstacle: Option<Gate>) -> Option<Action> {
        let create = Action::Create(key.clone());
        match self.entry(key).map(|entry| &entry.state) {
            None | Some(ResourceState::Wanted) => Some(self.step_if(create, after, obstacle)),
            Some(ResourceState::Unknown(_)) => match self.state.in_flight_for(key) {
                // The call that made it unknown is still under way.
                Some(action) if *action == create => Some(self.step(create, after)),
                Some(_) | None => Some(self.look_up(key, after)),
            },
            Some(ResourceState::Present(_)) => None,
            Some(ResourceState::Removing(_)) => {
                let removed = self.step(Action::Remove(key.clone()), &[]);
                let mut after = after.to_vec();
                after.push(removed);
                Some(self.step_if(create, &after, obstacle))
            }
        }
    }

    /// Finding out whether something is there; a control plane that is lost for good will never say.
    fn look_up(&mut self, key: &ResourceKey, after: &[Action]) -> Action {
        let look_up = Action::LookUp(key.clone());
        let obstacle = match key {
            ResourceKey::Node(_) | ResourceKey::Service(_) if !self.state.desired().absent => {
                self.lost_quorum(&look_up)
            }
            ResourceKey::Infra(_) | ResourceKey::Orchestrator | ResourceKey::Node(_) | ResourceKey::Service(_) => None,
        };
        self.step_if(look_up, after, obstacle)
    }

    /// A gate that only somebody's help opens.
    fn blocked(&self, code: ErrorCode, step: &Action, message: &str, remedy: &str) -> Gate {
        let failure = Failure::not_applied(code, message).with_remedy(remedy).permanent();
        Gate::Blocked(failure.into_cause(step.to_string(), self.now))
    }
}
