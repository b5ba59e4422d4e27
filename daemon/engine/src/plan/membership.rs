//! Forming the orchestrator's cluster on the first control-plane machine, and joining the others.

use muster_protocol::model::host::Role;
use muster_protocol::{ErrorCode, Name};

use super::{Gate, Planner};
use crate::action::Action;
use crate::desired::machine_name;
use crate::ledger::{ResourceKey, ResourceState};

impl Planner<'_> {
    pub(super) fn bring_members(&mut self) {
        let formed = self.form();
        let machines: Vec<(Name, Role)> = self.state.desired().machines().collect();
        // Control planes join one at a time: each changes the quorum that the next one needs.
        let mut previous: Vec<Action> = formed.clone();
        for (machine, role) in machines {
            match role {
                Role::ControlPlane => {
                    let joined = self.bring_node(&machine, &previous);
                    previous = formed.clone();
                    previous.extend(joined);
                }
                Role::Worker => {
                    self.bring_node(&machine, &formed);
                }
            }
        }
    }

    /// The steps until the orchestrator's cluster exists.
    fn form(&mut self) -> Vec<Action> {
        let first = machine_name(Role::ControlPlane, 1);
        let prepared = self.until_prepared(&first);
        let formed = self.ensure(&ResourceKey::Orchestrator, &prepared);
        formed.into_iter().collect()
    }

    fn bring_node(&mut self, machine: &Name, after: &[Action]) -> Option<Action> {
        let key = ResourceKey::Node(machine.clone());
        let mut first = self.until_prepared(machine);
        first.extend_from_slice(after);
        if let Some(ResourceState::Removing(_)) = self.entry(&key).map(|entry| &entry.state) {
            // The node of a machine that was lost goes before its successor joins.
            let obstacle = self.quorum_obstacle(machine);
            let removed = self.step_if(Action::Remove(key.clone()), &[], obstacle);
            first.push(removed);
            let joined = self.step(Action::Create(key.clone()), &first);
            return Some(self.step(Action::Await(key), &[joined]));
        }
        let obstacle = self.lost_control_plane(machine);
        match self.ensure_if(&key, &first, obstacle) {
            Some(joined) => Some(self.step(Action::Await(key), &[joined])),
            None if self.is_node_ready(machine) => None,
            None => Some(self.step(Action::Await(key), &first)),
        }
    }

    /// Whether this machine's node was seen ready since it joined.
    pub(super) fn is_node_ready(&self, machine: &Name) -> bool {
        let Some(entry) = self.entry(&ResourceKey::Node(machine.clone())) else { return false };
        let Some(present) = entry.present() else { return false };
        let observed = &self.state.observed;
        let seen = observed.orchestrator.nodes.get(machine);
        seen.is_some_and(|node| node.ready && node.id == present.id)
            && observed.orchestrator_at.is_some_and(|at| at >= entry.since)
    }

    /// The control-plane machines that are members, and how many of them are ready.
    fn control_planes(&self) -> (usize, usize) {
        let members = self.state.ledger.iter().filter_map(|(key, entry)| match key {
            ResourceKey::Node(name) if entry.role == Some(Role::ControlPlane) => match entry.state {
                ResourceState::Present(_) | ResourceState::Removing(_) | ResourceState::Unknown(_) => Some(name),
                ResourceState::Wanted => None,
            },
            ResourceKey::Network
            | ResourceKey::Machine(_)
            | ResourceKey::Orchestrator
            | ResourceKey::Node(_)
            | ResourceKey::Service(_) => None,
        });
        let members: Vec<&Name> = members.collect();
        let ready = members.iter().filter(|name| self.sees_ready(name)).count();
        (members.len(), ready)
    }

    fn sees_ready(&self, machine: &Name) -> bool {
        self.state.observed.orchestrator.nodes.get(machine).is_some_and(|node| node.ready)
    }

    /// Why this node may not be taken out now: the control plane must be able to decide it, and to decide things afterwards.
    /// Workers may always go.
    pub(super) fn quorum_obstacle(&self, machine: &Name) -> Option<Gate> {
        let entry = self.entry(&ResourceKey::Node(machine.clone()))?;
        if entry.role != Some(Role::ControlPlane) {
            return None;
        }
        let (members, ready) = self.control_planes();
        let majority_of = |count: usize| count / 2 + 1;
        let ready_after = ready - usize::from(self.sees_ready(machine));
        if members > 1 && ready >= majority_of(members) && ready_after >= majority_of(members - 1) {
            return None;
        }
        Some(Gate::Waiting(Some(format!(
            "only {ready} of {members} control planes are ready; taking one out would leave no majority"
        ))))
    }

    /// Nothing can join a cluster that has no control plane left, and forming another one would be another cluster.
    fn lost_control_plane(&self, machine: &Name) -> Option<Gate> {
        let any_member = self.state.ledger.iter().any(|(key, entry)| match key {
            ResourceKey::Node(_) => entry.role == Some(Role::ControlPlane) && entry.present().is_some(),
            ResourceKey::Network | ResourceKey::Machine(_) | ResourceKey::Orchestrator | ResourceKey::Service(_) => {
                false
            }
        });
        // The one that formed it joins its own cluster.
        let forms = *machine == machine_name(Role::ControlPlane, 1) && !self.state.record.was_ready;
        if !self.state.is_formed() || any_member || forms {
            return None;
        }
        let step = Action::Create(ResourceKey::Node(machine.clone()));
        Some(self.blocked(
            ErrorCode::QuorumLost,
            &step,
            "every control-plane machine of this cluster was lost",
            "delete the cluster and create it again",
        ))
    }
}
