//! Before a call: what must be on disk first.

use muster_protocol::model::event::EventKind;
use muster_protocol::{Name, Timestamp};

use super::{ClusterState, InFlight};
use crate::action::Action;
use crate::ledger::{LedgerEntry, ResourceKey, ResourceState, StepRun};
use crate::recipe::MachineStep;

impl ClusterState {
    /// Notes that this action is about to be performed. The result must be on disk before the call is made:
    /// that is what makes a crash at any point harmless.
    pub fn begin(&mut self, action: &Action, now: Timestamp) {
        let key = action.key();
        match action {
            Action::Create(key) => {
                let role = key.machine().or(key.node()).and_then(|name| self.role_of(name));
                let need = key.infra().and_then(|key| self.need(key));
                let founder = if *key == ResourceKey::Orchestrator { self.founder() } else { None };
                let entry = self.entry_mut(key, now);
                entry.role = role;
                if let Some(need) = need {
                    entry.after = need.after;
                    entry.input = need.input;
                }
                if founder.is_some() {
                    entry.formed_on = founder;
                }
                // A node that joins again was there before.
                entry.state = ResourceState::Unknown(entry.present().cloned());
                entry.since = now;
            }
            Action::Update(name) => {
                let entry = self.entry_mut(&ResourceKey::Service(name.clone()), now);
                let known = entry.present().cloned();
                entry.state = ResourceState::Unknown(known);
                entry.since = now;
            }
            Action::Remove(key) => {
                let entry = self.entry_mut(key, now);
                if let Some(present) = entry.present().cloned() {
                    entry.state = ResourceState::Removing(present);
                    entry.since = now;
                }
            }
            Action::Step(name, step) => self.begin_step(name, *step, now),
            // These change nothing that could be made twice or left behind.
            Action::LookUp(_) | Action::Sweep | Action::Await(_) => {}
        }
        if !action.is_call() {
            return;
        }
        let deadline = now + self.deadlines.of_call(action);
        let generation = key.as_ref().and_then(|key| self.generation_wanted(key));
        self.in_flight.insert(key, InFlight { action: action.clone(), since: now, deadline, generation });
        self.announce(now, EventKind::StepStarted, action.to_string(), None);
    }

    /// A step whose end is not known keeps its number: by that it is found on the machine, and never begun twice.
    fn begin_step(&mut self, machine: &Name, step: MachineStep, now: Timestamp) {
        // A start is the infrastructure's: it changes nothing on the machine, and a step that was begun there may go on.
        if step == MachineStep::Start {
            return;
        }
        let Some(target) = self.target_of(machine, step) else { return };
        let renewal = self.record.renewal;
        let entry = self.entry_mut(&ResourceKey::for_machine(machine.clone()), now);
        if entry.step.as_ref().is_some_and(|begun| begun.step == step) {
            return;
        }
        if brings_certificates(step, entry) {
            // A renewal that is asked for from now on comes after this step.
            entry.renewed = renewal;
        }
        entry.runs = entry.runs.wrapping_add(1);
        entry.step = Some(StepRun { step, target, run: entry.runs });
    }
}

/// Whether this step gives the machine the certificates of the present renewal. A member that is prepared again keeps
/// those that it has.
pub(super) fn brings_certificates(step: MachineStep, entry: &LedgerEntry) -> bool {
    match step {
        MachineStep::Prepare => entry.prepared.is_none(),
        MachineStep::Upgrade | MachineStep::Renew => true,
        MachineStep::Start | MachineStep::Cordon | MachineStep::Drain | MachineStep::Uncordon => false,
    }
}
