//! What should not be there any more: surplus machines, or everything.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use muster_protocol::Name;
use muster_protocol::model::host::Role;

use super::Planner;
use crate::action::Action;
use crate::desired::number_of;
use crate::ledger::{InfraKey, Ledger, ResourceKey, ResourceState};

impl Planner<'_> {
    /// Takes the cluster away from below: with the machines goes all that runs on them. The orchestrator is
    /// not asked, for it may be the very thing that does not answer.
    pub(super) fn remove_everything(&mut self) {
        let all: Vec<InfraKey> = self.state.ledger.keys().filter_map(ResourceKey::infra).cloned().collect();
        let mut before_sweep = Vec::new();
        let dependents = dependents(&self.state.ledger);
        for key in removal_order(&self.state.ledger, all) {
            let removed = self.remove_resource(&key, &dependents);
            let entry = self.state.ledger.get(&ResourceKey::Infra(key.clone()));
            // What cannot be removed may be in use by something that only a sweep finds. A machine is in use by nothing.
            if key.machine().is_some() || entry.is_none_or(|entry| entry.failures == 0) {
                before_sweep.extend(removed);
            }
        }
        if !self.state.record.swept {
            self.step(Action::Sweep, &before_sweep);
        }
    }

    /// Takes out what the cluster needs no more of its infrastructure, machines apart.
    pub(super) fn remove_surplus_infrastructure(&mut self) {
        let is_needed = |key: &InfraKey| self.needs.iter().any(|need| need.key == *key);
        let keys = self.state.ledger.keys().filter_map(ResourceKey::infra);
        let surplus: Vec<InfraKey> = keys.filter(|key| key.machine().is_none() && !is_needed(key)).cloned().collect();
        if surplus.is_empty() {
            return;
        }
        let dependents = dependents(&self.state.ledger);
        for key in removal_order(&self.state.ledger, surplus) {
            self.remove_resource(&key, &dependents);
        }
    }

    /// Removes one resource, after everything that stands on it.
    fn remove_resource(&mut self, key: &InfraKey, dependents: &Dependents<'_>) -> Option<Action> {
        let dependents = dependents.get(key).into_iter().flatten().copied().cloned();
        let before: Vec<Action> =
            dependents.flat_map(|dependent| [Action::LookUp(dependent.clone()), Action::Remove(dependent)]).collect();
        self.remove(&ResourceKey::Infra(key.clone()), &before, None)
    }

    /// Takes surplus machines out, the highest number first: from the orchestrator, then from the infrastructure.
    pub(super) fn remove_surplus_machines(&mut self) {
        let mut surplus: Vec<(Role, u32, Name)> = self
            .state
            .ledger
            .keys()
            .filter_map(|key| key.machine().or(key.node()))
            .filter(|name| self.state.desired().role_of(name).is_none())
            .filter_map(|name| Some((self.state.role_of(name)?, number_of(name), name.clone())))
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
                Role::Worker | Role::Unknown(_) => {
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
        // A cluster that was formed on it, and whose node nobody has seen yet, would go with it: the others join first.
        let before = if left.is_none() && self.is_formed_on(machine) { after } else { left.as_slice() };
        let before = [before, &self.until_taken_off_endpoint()].concat();
        let removed = self.remove(&ResourceKey::for_machine(machine.clone()), &before, None);
        left.into_iter().chain(removed).collect()
    }

    /// The address of the control planes leads to none that is going. An update that itself has to wait for others is not
    /// waited for: they may need the room that the machine takes.
    fn until_taken_off_endpoint(&self) -> Vec<Action> {
        let Some(endpoint) = self.state.blueprint.needs.endpoint(self.state.desired()) else { return Vec::new() };
        let updated = Action::Create(ResourceKey::Infra(endpoint));
        let can_be_done = self.steps.iter().any(|step| step.action == updated && step.after.is_empty());
        if can_be_done { vec![updated] } else { Vec::new() }
    }

    /// Whether the orchestrator's cluster was or may have been formed on this machine.
    fn is_formed_on(&self, machine: &Name) -> bool {
        let orchestrator = self.state.ledger.get(&ResourceKey::Orchestrator);
        orchestrator
            .is_some_and(|entry| entry.state != ResourceState::Wanted && entry.formed_on.as_ref() == Some(machine))
    }

    fn until_control_planes_are_ready(&self) -> Vec<Action> {
        self.pending_of(self.control_plane_machines().map(|name| Action::Await(ResourceKey::Node(name))))
    }
}

/// By resource, what stands on it.
type Dependents<'a> = BTreeMap<&'a InfraKey, Vec<&'a ResourceKey>>;

fn dependents(ledger: &Ledger) -> Dependents<'_> {
    let mut dependents: Dependents<'_> = BTreeMap::new();
    for (key, entry) in ledger {
        for carrier in &entry.after {
            dependents.entry(carrier).or_default().push(key);
        }
    }
    dependents
}

/// These resources, each before what it stands on; machines come first where nothing says otherwise.
fn removal_order(ledger: &Ledger, keys: Vec<InfraKey>) -> Vec<InfraKey> {
    let (machines, others): (Vec<_>, Vec<_>) = keys.into_iter().partition(|key| key.machine().is_some());
    let mut waiting: Vec<InfraKey> = machines.into_iter().chain(others).collect();
    let mut ordered = Vec::with_capacity(waiting.len());
    while !waiting.is_empty() {
        let entries = waiting.iter().filter_map(|key| ledger.get(&ResourceKey::Infra(key.clone())));
        let carrying: BTreeSet<&InfraKey> = entries.flat_map(|entry| &entry.after).collect();
        let (free, rest): (Vec<_>, Vec<_>) = waiting.iter().cloned().partition(|key| !carrying.contains(key));
        if free.is_empty() {
            // No driver makes a circle; a broken record of one must not keep anything from being removed.
            ordered.extend(rest);
            break;
        }
        ordered.extend(free);
        waiting = rest;
    }
    ordered
}
