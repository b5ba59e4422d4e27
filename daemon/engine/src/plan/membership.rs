//! Forming the orchestrator's cluster on the first control-plane machine, and joining the others.

use muster_protocol::model::host::Role;
use muster_protocol::{ErrorCode, Name};

use super::{Gate, Planner};
use crate::action::Action;
use crate::desired::{machine_name, role_and_number};
use crate::ledger::{ResourceKey, ResourceState};

impl Planner<'_> {
    pub(super) fn bring_members(&mut self) {
        let formed = self.form();
        // Control planes join one at a time: each changes the quorum that the next one needs.
        let mut previous: Vec<Action> = formed.clone();
        for (machine, role) in self.machines.clone() {
            match role {
                Role::ControlPlane => {
                    let joined = self.bring_node(&machine, &previous);
                    previous = formed.clone();
                    previous.extend(joined);
                }
                Role::Worker => {
                    let mut after = formed.clone();
                    after.extend(self.until_anybody_is_member());
                    self.bring_node(&machine, &after);
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

    /// The steps until there is a control plane that others can join.
    fn until_anybody_is_member(&self) -> Vec<Action> {
        let members = self.state.ledger.iter().filter(|(_, entry)| entry.present().is_some());
        let mut names = members.filter_map(|(key, _)| match key {
            ResourceKey::Node(name) => Some(name),
            ResourceKey::Network | ResourceKey::Machine(_) | ResourceKey::Orchestrator | ResourceKey::Service(_) => {
                None
            }
        });
        if names.any(is_control_plane) {
            return Vec::new();
        }
        let first = ResourceKey::Node(machine_name(Role::ControlPlane, 1));
        self.pending_of([Action::LookUp(first.clone()), Action::Create(first)])
    }

    fn bring_node(&mut self, machine: &Name, after: &[Action]) -> Option<Action> {
        let key = ResourceKey::Node(machine.clone());
        let mut first = self.until_prepared(machine);
        // Looking up changes nothing, so it takes no turn: whether an earlier node may be taken out can depend on
        // what it finds.
        let in_doubt = self.entry(&key).is_some_and(|entry| matches!(entry.state, ResourceState::Unknown(_)));
        if !in_doubt {
            first.extend_from_slice(after);
        }
        if let Some(ResourceState::Removing(_)) = self.entry(&key).map(|entry| &entry.state) {
            let removal = Action::Remove(key.clone());
            if !self.is_pending(&removal) {
                let obstacle = self.quorum_obstacle(machine);
                self.step_if(removal.clone(), &[], obstacle);
            }
            first.push(removal);
            let joined = self.step(Action::Create(key.clone()), &first);
            return Some(self.await_node(key, &[joined]));
        }
        let obstacle = self.lost_quorum(&Action::Create(key.clone()));
        match self.ensure_if(&key, &first, obstacle) {
            Some(joined) => Some(self.await_node(key, &[joined])),
            None if self.is_node_ready(machine) => None,
            None => Some(self.await_node(key, &first)),
        }
    }

    /// No node is ever seen ready by a control plane that is lost for good: waiting for it would only hide that.
    fn await_node(&mut self, node: ResourceKey, after: &[Action]) -> Action {
        let seen_ready = Action::Await(node);
        let obstacle = self.lost_quorum(&seen_ready);
        self.step_if(seen_ready, after, obstacle)
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

    /// How the control plane stands, as the ledger and the last look say.
    fn control_planes(&self) -> ControlPlanes {
        *self.control_planes.get_or_init(|| self.count_control_planes())
    }

    fn count_control_planes(&self) -> ControlPlanes {
        let mut counted = ControlPlanes::default();
        for (key, entry) in self.state.ledger.iter() {
            let ResourceKey::Node(name) = key else { continue };
            let is_member = match entry.state {
                ResourceState::Present(_) | ResourceState::Removing(_) | ResourceState::Unknown(_) => true,
                ResourceState::Wanted => false,
            };
            if !is_control_plane(name) || !is_member || self.was_seen_gone(name) {
                continue;
            }
            counted.members += 1;
            counted.ready += usize::from(self.sees_ready(name));
            if !matches!(entry.state, ResourceState::Unknown(_)) {
                counted.certain += 1;
                counted.living += usize::from(self.has_machine(name));
            }
        }
        counted
    }

    fn has_machine(&self, name: &Name) -> bool {
        self.entry(&ResourceKey::Machine(name.clone())).is_some_and(|machine| machine.present().is_some())
    }

    /// Whether the last look saw it ready; what was seen of a machine that is gone since says nothing.
    pub(super) fn sees_ready(&self, machine: &Name) -> bool {
        let seen = self.state.observed.orchestrator.nodes.get(machine);
        seen.is_some_and(|node| node.ready) && self.has_machine(machine)
    }

    /// Whether a node that is to go was missing in a look that began after it was to go: only the answer to its
    /// removal got lost.
    fn was_seen_gone(&self, machine: &Name) -> bool {
        let Some(entry) = self.entry(&ResourceKey::Node(machine.clone())) else { return false };
        let ResourceState::Removing(present) = &entry.state else { return false };
        let observed = &self.state.observed;
        let listed = observed.orchestrator.nodes.get(machine).is_some_and(|node| node.id == present.id);
        !listed && observed.orchestrator_at.is_some_and(|at| at > entry.since)
    }

    /// Why this node may not be taken out now: the control plane must be able to decide it, and to decide things afterwards.
    pub(super) fn quorum_obstacle(&self, machine: &Name) -> Option<Gate> {
        let lost = self.lost_quorum(&Action::Remove(ResourceKey::Node(machine.clone())));
        if lost.is_some() || !is_control_plane(machine) || self.was_seen_gone(machine) {
            return lost;
        }
        let ControlPlanes { members, ready, .. } = self.control_planes();
        let ready_after = ready - usize::from(self.sees_ready(machine)).min(ready);
        if members > 1 && ready >= majority_of(members) && ready_after >= majority_of(members - 1) {
            return None;
        }
        Some(Gate::Waiting(Some(format!(
            "only {ready} of {members} control planes are ready; taking one out would leave no majority"
        ))))
    }

    /// Nothing can be decided by a control plane that has lost its majority for good, and forming another
    /// cluster beside it would lose what ran on it.
    pub(super) fn lost_quorum(&self, step: &Action) -> Option<Gate> {
        let ControlPlanes { certain, ready, living, .. } = self.control_planes();
        // Whether one that may have joined would save the majority shows by somebody being ready.
        if certain == 0 || ready > 0 || living >= majority_of(certain) {
            return None;
        }
        let gone = certain - living;
        Some(self.blocked(
            ErrorCode::QuorumLost,
            step,
            &format!("{gone} of {certain} control-plane machines of this cluster were lost"),
            "delete the cluster and create it again",
        ))
    }
}

/// How a control plane stands.
#[derive(Clone, Copy, Default)]
pub(super) struct ControlPlanes {
    /// Those that count for the majority.
    members: usize,
    /// Those that were seen ready.
    ready: usize,
    /// Those of which it is known that they are members.
    certain: usize,
    /// Those of the certain ones whose machine is there, so that they may become ready again.
    living: usize,
}

fn is_control_plane(machine: &Name) -> bool {
    role_and_number(machine).is_some_and(|(role, _)| role == Role::ControlPlane)
}

fn majority_of(count: usize) -> usize {
    count / 2 + 1
}
