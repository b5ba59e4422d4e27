//! Forming the orchestrator's cluster on one control-plane machine, its founder, and joining the others.

use muster_protocol::Name;
use muster_protocol::model::host::Role;

use super::Planner;
use crate::action::Action;
use crate::ledger::{Present, ResourceKey, ResourceState};
use crate::observed::ObservedNode;

impl Planner<'_> {
    pub(super) fn bring_members(&mut self) {
        let formed = self.form();
        // Control planes join one at a time: each changes the quorum that the next one needs.
        let mut previous: Vec<Action> = formed.clone();
        let founder = self.state.founder();
        let mut machines = self.machines.clone();
        machines.sort_by_key(|(machine, role)| (*role, Some(machine) != founder.as_ref()));
        for (machine, role) in machines {
            match role {
                Role::ControlPlane => {
                    let joined = self.bring_node(&machine, &previous);
                    previous = formed.clone();
                    previous.extend(joined);
                }
                Role::Worker | Role::Unknown(_) => {
                    let mut after = formed.clone();
                    after.extend(self.until_anybody_is_member());
                    self.bring_node(&machine, &after);
                }
            }
        }
    }

    /// The steps until the orchestrator's cluster exists.
    fn form(&mut self) -> Vec<Action> {
        if self.state.founder().is_none() {
            return Vec::new();
        }
        let founders = self.state.possible_founders();
        let prepared: Vec<Action> = founders.iter().flat_map(|founder| self.until_prepared(founder)).collect();
        let formed = self.ensure(&ResourceKey::Orchestrator, &prepared);
        formed.into_iter().collect()
    }

    /// The steps until there is a control plane that others can join, and that takes services.
    pub(super) fn until_anybody_is_member(&self) -> Vec<Action> {
        let members = self.state.ledger.iter().filter(|(_, entry)| entry.present().is_some());
        let mut names = members.filter_map(|(key, _)| key.node());
        if names.any(|name| self.state.is_control_plane(name)) {
            return Vec::new();
        }
        let Some(founder) = self.state.founder().map(ResourceKey::Node) else { return Vec::new() };
        self.pending_of([Action::LookUp(founder.clone()), Action::Create(founder)])
    }

    fn bring_node(&mut self, machine: &Name, after: &[Action]) -> Option<Action> {
        let key = ResourceKey::Node(machine.clone());
        let mut first = self.until_prepared(machine);
        // A look-up is read-only, so it does not queue behind earlier joins; removing an earlier node may depend on
        // its result.
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
        let join = Action::Create(key.clone());
        let obstacle = self.lost_quorum(&join);
        match self.ensure_if(&key, &first, obstacle.clone()) {
            Some(joined) => Some(self.await_node(key, &[joined])),
            None if self.is_node_ready(machine) => None,
            // To join again is to be a member with the right role again.
            None if self.was_seen_out_of_place(machine) => {
                // A worker that was promoted is demoted by that.
                let obstacle =
                    if self.state.is_control_plane(machine) { obstacle } else { self.quorum_obstacle(machine) };
                let joined = self.step_if(join, &first, obstacle);
                Some(self.await_node(key, &[joined]))
            }
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
        let looked_since = self.state.observed.orchestrator_at.is_some_and(|at| at >= entry.since);
        let seen = self.sees_in_place(machine, present).filter(|node| looked_since && node.ready);
        seen.is_some_and(|node| self.runs_what_was_prepared(machine, node))
    }

    /// Whether the node shows the version that its machine was prepared with last: the orchestrator may go on for a while
    /// to show what the node said before its upgrade.
    fn runs_what_was_prepared(&self, machine: &Name, node: &ObservedNode) -> bool {
        let prepared = self.state.machine(machine).and_then(|machine| machine.prepared.as_ref());
        let wanted = prepared.and_then(|prepared| prepared.recipe.version.as_deref());
        match (wanted, &node.version) {
            // Kubernetes writes a `v` before it.
            (Some(wanted), Some(seen)) => seen.strip_prefix('v').unwrap_or(seen) == wanted,
            (None, _) | (_, None) => true,
        }
    }

    /// Whether this machine was seen not to be the node that joined, or with another role: it left, was struck off,
    /// promoted or demoted by somebody else's hand, or the answer to its removal got lost.
    pub(super) fn was_seen_out_of_place(&self, machine: &Name) -> bool {
        let Some(entry) = self.entry(&ResourceKey::Node(machine.clone())) else { return false };
        let joined = match &entry.state {
            ResourceState::Present(joined) | ResourceState::Removing(joined) => joined,
            ResourceState::Wanted | ResourceState::Unknown(_) => return false,
        };
        // One that began in the very millisecond in which it joined may have been too early.
        let looked_after = self.state.observed.orchestrator_at.is_some_and(|at| at > entry.since);
        looked_after && self.sees_in_place(machine, joined).is_none()
    }

    /// What the last look saw of the node that joined, if it has its machine's role.
    fn sees_in_place(&self, machine: &Name, joined: &Present) -> Option<&ObservedNode> {
        let seen = self.state.observed.orchestrator.nodes.get(machine);
        // A control plane that was demoted decides nothing.
        seen.filter(|node| node.id == joined.id && self.state.role_of(machine) == Some(node.role))
    }
}
