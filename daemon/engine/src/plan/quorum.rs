//! Whether the control plane can decide anything, and can spare one of its nodes.

use muster_protocol::model::host::Role;
use muster_protocol::{ErrorCode, Name};

use super::{Gate, Planner};
use crate::action::Action;
use crate::desired::role_and_number;
use crate::ledger::{ResourceKey, ResourceState};

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

impl Planner<'_> {
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
            if !is_member || !self.counts_for_majority(name) {
                continue;
            }
            counted.members += 1;
            counted.ready += usize::from(self.sees_deciding(name));
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

    /// Whether the majority is one of this node too: a control plane, unless it was seen to be none any more, or a worker
    /// that somebody promoted.
    fn counts_for_majority(&self, machine: &Name) -> bool {
        if is_control_plane(machine) {
            return !self.was_seen_out_of_place(machine);
        }
        let seen = self.state.observed.orchestrator.nodes.get(machine);
        seen.is_some_and(|node| node.role == Role::ControlPlane)
    }

    /// Whether the last look saw it as a control plane that is ready; what was seen of a machine that is gone since says nothing.
    pub(super) fn sees_deciding(&self, machine: &Name) -> bool {
        let seen = self.state.observed.orchestrator.nodes.get(machine);
        seen.is_some_and(|node| node.ready && node.role == Role::ControlPlane) && self.has_machine(machine)
    }

    /// Why this node may not be taken out or demoted now: the control plane must be able to decide it, and to decide things afterwards.
    pub(super) fn quorum_obstacle(&self, machine: &Name) -> Option<Gate> {
        let lost = self.lost_quorum(&Action::Remove(ResourceKey::Node(machine.clone())));
        if lost.is_some() || !self.counts_for_majority(machine) {
            return lost;
        }
        let ControlPlanes { members, ready, .. } = self.control_planes();
        let ready_after = ready - usize::from(self.sees_deciding(machine)).min(ready);
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

pub(super) fn is_control_plane(machine: &Name) -> bool {
    role_and_number(machine).is_some_and(|(role, _)| role == Role::ControlPlane)
}

fn majority_of(count: usize) -> usize {
    count / 2 + 1
}
