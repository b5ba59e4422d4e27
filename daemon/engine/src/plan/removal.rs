//! What should not be there any more: surplus machines, or everything.

use std::cmp::Reverse;

use muster_protocol::Name;
use muster_protocol::model::host::Role;

use super::Planner;
use crate::action::Action;
use crate::desired::role_and_number;
use crate::ledger::ResourceKey;

impl Planner<'_> {
    /// Takes the cluster away from below: with the machines goes all that runs on them. The orchestrator is
    /// not asked, for it may be the very thing that does not answer.
    pub(super) fn remove_everything(&mut self) {
        let machines: Vec<ResourceKey> =
            self.state.ledger.keys().filter(|key| matches!(key, ResourceKey::Machine(_))).cloned().collect();
        let removed: Vec<Action> = machines.iter().filter_map(|key| self.remove(key, &[], None)).collect();
        let network = self.remove(&ResourceKey::Network, &removed, None);
        if !self.state.record.swept {
            let mut before = removed;
            // A network that cannot be removed may be in use by something that only a sweep finds.
            if self.entry(&ResourceKey::Network).is_none_or(|entry| entry.failures == 0) {
                before.extend(network);
            }
            self.step(Action::Sweep, &before);
        }
    }

    /// Takes surplus machines out, the highest number first: from the orchestrator, then from the infrastructure.
    pub(super) fn remove_surplus_machines(&mut self) {
        let mut surplus: Vec<(Role, u32, Name)> = self
            .state
            .ledger
            .keys()
            .filter_map(|key| match key {
                ResourceKey::Machine(name) | ResourceKey::Node(name) => Some(name),
                ResourceKey::Network | ResourceKey::Orchestrator | ResourceKey::Service(_) => None,
            })
            .filter(|name| self.state.desired().role_of(name).is_none())
            .filter_map(|name| role_and_number(name).map(|(role, number)| (role, number, name.clone())))
            .collect();
        // Control planes that are down go first: without them the others are a larger majority.
        surplus.sort_by_key(|(role, number, name)| {
            let is_up = *role == Role::ControlPlane && self.sees_deciding(name);
            (Reverse(*role), is_up, Reverse(*number))
        });
        surplus.dedup();
        let mut previous_control_plane: Vec<Action> = Vec::new();
        for (role, _, machine) in surplus {
            match role {
                Role::Worker => {
                    self.remove_machine(&machine, &[]);
                }
                // One at a time, and only once those that stay are well: each changes the quorum.
                Role::ControlPlane => {
                    let mut after = self.until_control_planes_are_ready();
                    after.extend(previous_control_plane);
                    previous_control_plane = self.remove_machine(&machine, &after);
                }
            }
        }
    }

    fn remove_machine(&mut self, machine: &Name, after: &[Action]) -> Vec<Action> {
        let obstacle = self.quorum_obstacle(machine);
        let left = self.remove(&ResourceKey::Node(machine.clone()), after, obstacle);
        let removed = self.remove(&ResourceKey::Machine(machine.clone()), left.as_slice(), None);
        left.into_iter().chain(removed).collect()
    }

    fn until_control_planes_are_ready(&self) -> Vec<Action> {
        let staying = self.machines.iter().filter(|(_, role)| *role == Role::ControlPlane);
        self.pending_of(staying.map(|(name, _)| Action::Await(ResourceKey::Node(name.clone()))))
    }
}
