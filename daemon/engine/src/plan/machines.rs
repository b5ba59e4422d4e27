//! The network, and the machines that should be there: made, running, prepared.

use std::time::Duration;

use muster_protocol::Name;
use muster_protocol::model::host::Role;

use super::{Gate, Planner};
use crate::action::Action;
use crate::desired::machine_name;
use crate::ledger::{ResourceKey, ResourceState};
use crate::observed::Power;

/// How long a member that was prepared again may take to be ready before the next one's turn comes all the same: one
/// that is broken for good must not keep the others from being prepared, for that may be what mends it. A preparation
/// that fails does keep them, and says why: what broke one member would break the next.
const COMES_BACK_IN: Duration = Duration::from_secs(300);

impl Planner<'_> {
    pub(super) fn bring_machines(&mut self) {
        let network = self.ensure(&ResourceKey::Network, &[]);
        // Preparing a member again may interrupt it, so members take turns: the next begins when the one before is back.
        let not_back = self.waits_for_prepared_members();
        let mut turn: Vec<Action> = Vec::new();
        for (machine, _) in self.machines.clone() {
            let key = ResourceKey::Machine(machine.clone());
            let mut first: Vec<Action> = network.iter().cloned().collect();
            first.extend(self.remove_lost_node(&machine));
            let made = self.ensure_if(&key, &first, self.call_about_lost_member(&machine));
            let mut after: Vec<Action> = made.into_iter().collect();
            if after.is_empty() && self.is_stopped(&machine) {
                after.push(self.step(Action::Start(machine.clone()), &[]));
            }
            let there = self.entry(&key).filter(|entry| entry.present().is_some());
            match there.and_then(|entry| entry.prepared.as_ref()) {
                None => {
                    self.step(Action::Prepare(machine), &after);
                }
                Some(recipe) if *recipe != self.state.recipe => {
                    after.extend(turn);
                    turn = vec![self.step_if(Action::Prepare(machine), &after, not_back.clone())];
                }
                Some(_) => {}
            }
        }
    }

    /// Whether a member that was prepared has not been seen ready since.
    fn waits_for_prepared_members(&self) -> Option<Gate> {
        let mut machines = self.machines.iter().map(|(machine, _)| machine);
        let machine = machines.find(|machine| self.is_coming_back(machine))?;
        Some(Gate::Waiting(Some(format!("{machine} has to be ready again first"))))
    }

    fn is_coming_back(&self, machine: &Name) -> bool {
        let prepared = self.entry(&ResourceKey::Machine(machine.clone())).and_then(|entry| entry.prepared.as_ref());
        let node = self.entry(&ResourceKey::Node(machine.clone())).filter(|node| node.present().is_some());
        let is_new = node.is_some_and(|node| self.now.since(node.since) < COMES_BACK_IN);
        is_new && prepared == Some(&self.state.recipe) && !self.is_node_ready(machine)
    }

    /// Whether it was seen to be stopped since it was last made or started.
    fn is_stopped(&self, machine: &Name) -> bool {
        let Some(entry) = self.entry(&ResourceKey::Machine(machine.clone())) else { return false };
        let observed = &self.state.observed;
        let seen = observed.machines.get(machine);
        seen.is_some_and(|seen| seen.power == Power::Stopped)
            && observed.machines_at.is_some_and(|at| at >= entry.since)
    }

    /// The node of a machine that was lost goes before the machine's successor is made: so a node that is to go
    /// and whose machine is there is known to be alive.
    fn remove_lost_node(&mut self, machine: &Name) -> Option<Action> {
        let there = self.entry(&ResourceKey::Machine(machine.clone())).is_some_and(|entry| entry.present().is_some());
        let key = ResourceKey::Node(machine.clone());
        let Some(ResourceState::Removing(_)) = self.entry(&key).map(|entry| &entry.state) else { return None };
        if there {
            return None;
        }
        let obstacle = self.quorum_obstacle(machine);
        Some(self.step_if(Action::Remove(key), &[], obstacle))
    }

    /// A machine that was lost is not replaced before the call about its membership has ended: else the late answer,
    /// or the lack of one, would be taken for one about the successor.
    fn call_about_lost_member(&self, machine: &Name) -> Option<Gate> {
        let mut memberships = vec![ResourceKey::Node(machine.clone())];
        if *machine == machine_name(Role::ControlPlane, 1) {
            memberships.push(ResourceKey::Orchestrator);
        }
        let call = memberships.iter().find_map(|key| self.state.in_flight_for(key))?;
        Some(Gate::Waiting(Some(format!("`{call}` has to end first"))))
    }

    /// The steps that must be done before this machine can take part in the orchestrator's cluster.
    pub(super) fn until_prepared(&self, machine: &Name) -> Vec<Action> {
        let key = ResourceKey::Machine(machine.clone());
        self.pending_of([
            Action::LookUp(key.clone()),
            Action::Create(key),
            Action::Start(machine.clone()),
            Action::Prepare(machine.clone()),
        ])
    }
}
