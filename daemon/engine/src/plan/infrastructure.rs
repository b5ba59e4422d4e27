//! What the infrastructure has to make: machines, and what machines stand on. Along the graph that the driver says.

use muster_protocol::Name;

use super::{Gate, Planner};
use crate::action::Action;
use crate::driver::Need;
use crate::ledger::{InfraKey, ResourceKey, ResourceState};
use crate::observed::Power;
use crate::recipe::MachineStep;
use crate::state::KnownEndpoint;

impl Planner<'_> {
    pub(super) fn bring_infrastructure(&mut self) {
        for need in self.needs.clone() {
            match need.key.machine() {
                Some(machine) => self.bring_machine(machine, &need),
                None => self.bring_resource(&need),
            }
        }
        self.take_turns();
    }

    /// The steps that must be done before what stands on these may be made.
    fn until_made(&self, keys: &[InfraKey]) -> Vec<Action> {
        let keys = keys.iter().cloned().map(ResourceKey::Infra);
        self.pending_of(keys.flat_map(|key| [Action::LookUp(key.clone()), Action::Create(key)]))
    }

    fn bring_resource(&mut self, need: &Need) {
        let key = ResourceKey::Infra(need.key.clone());
        let after = self.until_made(&need.after);
        if self.ensure(&key, &after).is_some() {
            return;
        }
        // To make it again is to bring it up to date.
        if self.entry(&key).is_some_and(|entry| entry.input != need.input) {
            self.step(Action::Create(key), &after);
        }
    }

    fn bring_machine(&mut self, machine: &Name, need: &Need) {
        let key = ResourceKey::Infra(need.key.clone());
        let mut first = self.until_made(&need.after);
        first.extend(self.remove_lost_node(machine));
        let made = self.ensure_if(&key, &first, self.call_about_lost_member(machine));
        let mut after: Vec<Action> = made.into_iter().collect();
        if after.is_empty() && self.is_stopped(machine) {
            after.push(self.step(Action::Step(machine.clone(), MachineStep::Start), &[]));
        }
        // A machine that is only in doubt is still prepared if it is found.
        let is_prepared = self.entry(&key).is_some_and(|entry| match &entry.state {
            ResourceState::Present(_) | ResourceState::Unknown(Some(_)) => entry.prepared.is_some(),
            ResourceState::Unknown(None) | ResourceState::Wanted | ResourceState::Removing(_) => false,
        });
        if !is_prepared {
            after.extend(self.until_peers_are_there());
            let obstacle = self.lack_of_endpoint();
            self.step_if(Action::Step(machine.clone(), MachineStep::Prepare), &after, obstacle);
        }
    }

    /// A machine whose configuration names the control planes is prepared when all of them have addresses.
    fn until_peers_are_there(&self) -> Vec<Action> {
        if !self.state.blueprint.recipes.name_peers() {
            return Vec::new();
        }
        let control_planes = self.control_plane_machines().map(InfraKey::for_machine).collect::<Vec<_>>();
        self.until_made(&control_planes)
    }

    /// A machine's configuration names the address of the control planes, where the infrastructure gives them one.
    fn lack_of_endpoint(&self) -> Option<Gate> {
        let is_missing = self.state.endpoint() == KnownEndpoint::Missing;
        is_missing.then(|| Gate::Waiting(Some("the control planes have no address yet".to_owned())))
    }

    /// Whether it was seen to be stopped since it was last made or started.
    fn is_stopped(&self, machine: &Name) -> bool {
        let Some(entry) = self.state.machine(machine) else { return false };
        let observed = &self.state.observed;
        let seen = observed.infrastructure.get(&InfraKey::for_machine(machine.clone()));
        seen.is_some_and(|seen| seen.power == Some(Power::Stopped))
            && observed.infrastructure_at.is_some_and(|at| at >= entry.since)
    }

    /// The node of a machine that was lost goes before the machine's successor is made: so a node that is to go
    /// and whose machine is there is known to be alive.
    fn remove_lost_node(&mut self, machine: &Name) -> Option<Action> {
        let there = self.state.machine(machine).is_some_and(|entry| entry.present().is_some());
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
        if self.state.founder().as_ref() == Some(machine) {
            memberships.push(ResourceKey::Orchestrator);
        }
        let call = memberships.iter().find_map(|key| self.state.in_flight_for(key))?;
        Some(Gate::Waiting(Some(format!("`{call}` has to end first"))))
    }

    /// The steps that must be done before this machine can take part in the orchestrator's cluster.
    pub(super) fn until_prepared(&self, machine: &Name) -> Vec<Action> {
        let key = ResourceKey::for_machine(machine.clone());
        self.pending_of([
            Action::LookUp(key.clone()),
            Action::Create(key),
            Action::Step(machine.clone(), MachineStep::Start),
            Action::Step(machine.clone(), MachineStep::Prepare),
        ])
    }
}
