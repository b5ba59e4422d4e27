//! The network, and the machines that should be there: made, running, prepared.

use muster_protocol::Name;
use muster_protocol::model::host::Role;

use super::Planner;
use crate::action::Action;
use crate::ledger::ResourceKey;
use crate::observed::Power;

impl Planner<'_> {
    pub(super) fn bring_machines(&mut self) {
        let network = self.ensure(&ResourceKey::Network, &[]);
        let machines: Vec<(Name, Role)> = self.state.desired().machines().collect();
        // Preparing a member again may interrupt it, so members take turns.
        let mut turn: Vec<Action> = Vec::new();
        for (machine, _) in machines {
            let key = ResourceKey::Machine(machine.clone());
            let made = self.ensure(&key, network.as_slice());
            let mut after: Vec<Action> = made.into_iter().collect();
            if after.is_empty() && self.is_stopped(&machine) {
                after.push(self.step(Action::Start(machine.clone()), &[]));
            }
            match self.entry(&key).and_then(|entry| entry.prepared.as_ref()) {
                None => {
                    self.step(Action::Prepare(machine), &after);
                }
                Some(recipe) if *recipe != self.state.recipe => {
                    after.extend(turn);
                    turn = vec![self.step(Action::Prepare(machine), &after)];
                }
                Some(_) => {}
            }
        }
    }

    fn is_stopped(&self, machine: &Name) -> bool {
        self.state.observed.machines.get(machine).is_some_and(|seen| seen.power == Power::Stopped)
    }

    /// The steps that must be done before this machine can take part in the orchestrator's cluster.
    pub(super) fn until_prepared(&self, machine: &Name) -> Vec<Action> {
        let key = ResourceKey::Machine(machine.clone());
        let steps = [
            Action::LookUp(key.clone()),
            Action::Create(key),
            Action::Start(machine.clone()),
            Action::Prepare(machine.clone()),
        ];
        steps.into_iter().filter(|step| self.is_pending(step)).collect()
    }
}
