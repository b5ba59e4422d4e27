//! Whether the control plane can decide anything, and can spare one of its nodes.

use muster_protocol::model::host::Role;
use muster_protocol::{ErrorCode, Name};

use super::{Gate, Planner};
use crate::action::Action;
use crate::ledger::{ResourceKey, ResourceState};
use crate::observed::Voter;

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
            let Some(name) = key.node() else { continue };
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
        for voter in self.foreign_voters() {
            counted.members += 1;
            counted.ready += usize::from(voter.healthy);
        }
        counted
    }

    fn has_machine(&self, name: &Name) -> bool {
        self.state.machine(name).is_some_and(|machine| machine.present().is_some())
    }

    /// Whether the removal of a machine was begun and came to nothing: what was seen since says how the machine is.
    fn outlived_its_removal(&self, name: &Name) -> bool {
        let Some(machine) = self.state.machine(name) else { return false };
        let is_removed = self.state.in_flight_for(&ResourceKey::for_machine(name.clone())).is_some();
        let seen_since = self.state.observed.orchestrator_at.is_some_and(|at| at >= machine.since);
        matches!(machine.state, ResourceState::Removing(_)) && !is_removed && seen_since
    }

    /// The voter on this machine, if the orchestrator tells voters from nodes.
    fn voter(&self, machine: &Name) -> Option<&Voter> {
        let mut voters = self.state.observed.orchestrator.voters.iter().flatten();
        voters.find(|voter| voter.machine.as_ref() == Some(machine) && !voter.learner)
    }

    /// Whether the majority is one of this node too: a control plane, unless it was seen to be none any more, or a worker
    /// that somebody promoted.
    fn counts_for_majority(&self, machine: &Name) -> bool {
        if self.state.is_control_plane(machine) {
            // One that left by itself has its vote until it is struck off.
            return !self.was_seen_out_of_place(machine) || self.voter(machine).is_some();
        }
        if self.state.observed.orchestrator.voters.is_some() {
            return self.voter(machine).is_some();
        }
        let seen = self.state.observed.orchestrator.nodes.get(machine);
        seen.is_some_and(|node| node.role == Role::ControlPlane)
    }

    /// Whether the last look saw it take part in decisions; what was seen of a machine that is gone since says nothing.
    /// Votes are the evidence where the orchestrator shows them: a control plane that takes no services still votes.
    pub(super) fn sees_deciding(&self, machine: &Name) -> bool {
        if !self.has_machine(machine) && !self.outlived_its_removal(machine) {
            return false;
        }
        if self.state.observed.orchestrator.voters.is_some() {
            return self.voter(machine).is_some_and(|voter| voter.healthy);
        }
        let seen = self.state.observed.orchestrator.nodes.get(machine);
        seen.is_some_and(|node| node.ready && node.role == Role::ControlPlane)
    }

    /// Voters that are on no machine of ours and in no line of the ledger: they count, and nobody here can bring them back.
    fn foreign_voters(&self) -> impl Iterator<Item = &Voter> {
        let is_known = |voter: &Voter| {
            let mut nodes = self.state.ledger.iter().filter(|(key, _)| key.node().is_some());
            nodes.any(|(_, entry)| entry.id() == Some(&voter.id))
        };
        let voters = self.state.observed.orchestrator.voters.iter().flatten();
        voters.filter(move |voter| !voter.learner && voter.machine.is_none() && !is_known(voter))
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
        // An uncertain member counts only once some member is seen to decide.
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

fn majority_of(count: usize) -> usize {
    count / 2 + 1
}
