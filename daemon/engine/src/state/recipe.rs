//! What machines are prepared with, and what they are to have next.

use muster_protocol::Name;
use muster_protocol::model::host::Role;

use super::ClusterState;
use crate::driver::Need;
use crate::ledger::{InfraKey, ResourceKey, ResourceState};
use crate::recipe::{MachineStep, Peer, Prepared};

/// The one address of a cluster's control planes, if its infrastructure gives them one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum KnownEndpoint<'a> {
    /// It gives none: each machine finds the control planes itself.
    None,
    /// It will give one.
    Missing,
    /// They are reached at this `host:port`.
    At(&'a str),
}

impl<'a> KnownEndpoint<'a> {
    /// The address, if there is one.
    pub(crate) const fn address(self) -> Option<&'a str> {
        match self {
            Self::At(address) => Some(address),
            Self::None | Self::Missing => None,
        }
    }
}

impl ClusterState {
    /// Whether a newer release of Muster has another recipe than the one that was asked for.
    pub fn is_recipe_offered(&self) -> bool {
        self.blueprint.recipes.offered(&self.desired().spec) != self.record.recipe
    }

    /// What the cluster needs under this key, if it needs it.
    pub(super) fn need(&self, key: &InfraKey) -> Option<Need> {
        let needs = self.blueprint.needs.needs(self.desired());
        needs.into_iter().find(|need| need.key == *key)
    }

    /// What a machine has once this step is done.
    pub(super) fn target_of(&self, machine: &Name, step: MachineStep) -> Option<Prepared> {
        let role = self.role_of(machine)?;
        let before = self.machine(machine)?.prepared.clone();
        let offered = self.blueprint.recipes.offered(&self.desired().spec);
        // Only the peers of a machine may have changed: the machine keeps the recipe that it has.
        let kept = before.as_ref().map(|before| before.recipe.clone()).filter(|recipe| *recipe == self.record.recipe);
        let recipe = if step.reaches_target() { kept.unwrap_or(offered) } else { before.as_ref()?.recipe.clone() };
        let known = before.map(|before| before.peers).unwrap_or_default();
        let peers = self.peers_of(role).unwrap_or(known);
        Some(Prepared { recipe, role, peers })
    }

    /// The digest of the peers that a machine of this role should name, if all control planes that should be there are.
    pub(crate) fn peers_of(&self, role: Role) -> Option<String> {
        let recipes = &self.blueprint.recipes;
        if !recipes.name_peers() {
            return Some(String::new());
        }
        let mut control_planes = self.desired().machines().filter(|(_, role)| *role == Role::ControlPlane);
        let all_there =
            control_planes.all(|(name, _)| self.machine(&name).is_some_and(|entry| entry.present().is_some()));
        let endpoint = self.endpoint();
        if !all_there || endpoint == KnownEndpoint::Missing {
            return None;
        }
        Some(recipes.peers(&self.desired().spec, role, &self.peers(), endpoint.address()))
    }

    /// Where the infrastructure lets all control planes be reached.
    pub(crate) fn endpoint(&self) -> KnownEndpoint<'_> {
        let Some(key) = self.blueprint.needs.endpoint(self.desired()) else { return KnownEndpoint::None };
        let known = match self.ledger.get(&ResourceKey::Infra(key)).map(|entry| &entry.state) {
            // One that is being brought up to date keeps its address.
            Some(ResourceState::Present(known) | ResourceState::Unknown(Some(known))) => known.endpoint(),
            Some(ResourceState::Unknown(None) | ResourceState::Wanted | ResourceState::Removing(_)) | None => None,
        };
        known.map_or(KnownEndpoint::Missing, KnownEndpoint::At)
    }

    /// The machines that are there and wanted, as others may name them.
    pub(super) fn peers(&self) -> Vec<Peer> {
        let there = self.desired().machines().filter_map(|(machine, role)| {
            let private_address = self.machine(&machine)?.access()?.private_address.clone();
            Some(Peer { machine, role, private_address })
        });
        there.collect()
    }

    /// The machine on which the orchestrator's cluster was or will be formed: that of the lowest number whose machine has
    /// not failed so far.
    pub(crate) fn founder(&self) -> Option<Name> {
        let orchestrator = self.ledger.get(&ResourceKey::Orchestrator);
        let begun = orchestrator.filter(|entry| entry.state != ResourceState::Wanted);
        if let Some(founder) = begun.and_then(|entry| entry.formed_on.clone()) {
            return Some(founder);
        }
        let control_planes = || self.desired().machines().filter(|(_, role)| *role == Role::ControlPlane);
        let has_failed = |name: &Name| self.machine(name).is_some_and(|machine| machine.cause.is_some());
        let sound = control_planes().find(|(name, _)| !has_failed(name));
        sound.or_else(|| control_planes().next()).map(|(name, _)| name)
    }

    /// The machines on which the orchestrator's cluster may have been formed. Nobody knows on which, if that was lost with
    /// the store: then it may be any control plane that may be there.
    pub(crate) fn possible_founders(&self) -> Vec<Name> {
        let is_forgotten = self
            .ledger
            .get(&ResourceKey::Orchestrator)
            .is_some_and(|entry| matches!(entry.state, ResourceState::Unknown(_)) && entry.formed_on.is_none());
        if !is_forgotten {
            return self.founder().into_iter().collect();
        }
        let machines = self.desired().machines().filter(|(_, role)| *role == Role::ControlPlane);
        let may_be_there = |name: &Name| self.machine(name).is_some_and(|entry| entry.state != ResourceState::Wanted);
        machines.map(|(name, _)| name).filter(may_be_there).collect()
    }
}
