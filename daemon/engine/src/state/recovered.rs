//! A cluster whose records are lost, as its owner marks say that it was.
//!
//! Nothing here is special to the loop that goes on with it: what was found is in the ledger as *unknown*, as after any call
//! whose answer was lost, and so is what should be there and was not found. The loop looks everything up by its key, prepares
//! the machines again, which gives them the new keys, and finds by the orchestrator's word which of them are its members.

use std::collections::BTreeMap;

use muster_protocol::model::cluster::{ClusterPhase, ClusterSpec, Pool};
use muster_protocol::model::host::Role;
use muster_protocol::{Cause, ClusterId, ErrorCode, Name, Timestamp};

use super::{ClusterState, Deadlines};
use crate::blueprint::Blueprint;
use crate::desired::{ClusterRecord, Desired, pool_and_number, role_of_pool};
use crate::driver::{Need, Owned};
use crate::failure::Failure;
use crate::ledger::{LedgerEntry, Present, ResourceKey, ResourceState};

/// Whether the machines of a cluster whose keys are lost can be given new ones.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NewKeys {
    /// They can: the cluster becomes what it was.
    Possible,
    /// They cannot: the cluster can only be deleted.
    Impossible,
}

impl ClusterState {
    /// The cluster that was asked for with about this spec, and of which this was found.
    pub fn recovered(
        id: ClusterId,
        spec: &ClusterSpec,
        found: &[Owned],
        keys: NewKeys,
        blueprint: Blueprint,
        deadlines: Deadlines,
        now: Timestamp,
    ) -> Self {
        let spec = with_numbers_found(spec, found);
        let created_at = Timestamp::from_millis(id.made_at_millis()).min(now);
        let record = ClusterRecord {
            id,
            recipe: blueprint.recipes.offered(&spec),
            desired: Desired { generation: 1, spec, absent: false },
            phase: ClusterPhase::Degraded,
            phase_since: now,
            was_ready: false,
            created_at,
            removal_deadline: None,
            swept: false,
            renewal: 0,
        };
        let mut state = Self::loaded(record, blueprint, deadlines);
        let found = by_key(found);
        for need in state.blueprint.needs.needs(state.desired()) {
            let key = ResourceKey::Infra(need.key.clone());
            let entry = state.entry_of(&need, found.get(&key).copied(), keys, now);
            state.ledger.insert(key, entry);
        }
        if keys == NewKeys::Possible {
            state.doubt_members(&found, now);
        }
        state
    }

    fn entry_of(&self, need: &Need, found: Option<&Present>, keys: NewKeys, now: Timestamp) -> LedgerEntry {
        let entry = LedgerEntry {
            role: need.key.machine().and_then(|machine| self.desired().role_of(machine)),
            after: need.after.clone(),
            runs: unused_run(now),
            ..self.unused_entry(now)
        };
        match (keys, found) {
            (NewKeys::Possible, found) => LedgerEntry { state: ResourceState::Unknown(found.cloned()), ..entry },
            // To be brought up to date is not worth it any more, and the rest is found when it is deleted.
            (NewKeys::Impossible, Some(found)) => {
                let state = ResourceState::Present(found.clone());
                LedgerEntry { state, input: need.input, cause: Some(lost_keys(self, now)), ..entry }
            }
            (NewKeys::Impossible, None) => {
                let state = ResourceState::Unknown(None);
                LedgerEntry { state, input: need.input, cause: Some(lost_keys(self, now)), ..entry }
            }
        }
    }

    /// Any machine that is there may be a member, and the orchestrator's cluster may be formed on any of them.
    fn doubt_members(&mut self, found: &BTreeMap<ResourceKey, &Present>, now: Timestamp) {
        let machines: Vec<&Name> = found.keys().filter_map(ResourceKey::machine).collect();
        for machine in &machines {
            let role = self.desired().role_of(machine);
            let entry = LedgerEntry { state: ResourceState::Unknown(None), role, ..self.unused_entry(now) };
            self.ledger.insert(ResourceKey::Node((*machine).clone()), entry);
        }
        if !machines.is_empty() {
            let entry = LedgerEntry { state: ResourceState::Unknown(None), ..self.unused_entry(now) };
            self.ledger.insert(ResourceKey::Orchestrator, entry);
        }
    }

    /// A new line of the ledger whose attempts were not used before, whatever was in the ledger that is lost.
    fn unused_entry(&self, now: Timestamp) -> LedgerEntry {
        LedgerEntry { attempt: self.attempt_by_age(now), ..LedgerEntry::wanted(now) }
    }
}

/// Steps are found on machines by their numbers. One begins each few seconds at most, so counting on from the time never
/// comes back to a number that was used.
fn unused_run(now: Timestamp) -> u32 {
    let seconds = now.as_millis() / 1000;
    u32::try_from(seconds % (1 << 32)).unwrap_or(0)
}

/// The first of each key that can be read.
fn by_key(found: &[Owned]) -> BTreeMap<ResourceKey, &Present> {
    let mut first = BTreeMap::new();
    for owned in found {
        if let Some(key) = owned.key.as_ref().filter(|key| key.is_infrastructure()) {
            first.entry(key.clone()).or_insert(&owned.present);
        }
    }
    first
}

/// The spec with as many machines as there are: how many were asked for last, nobody knows any more. A machine that is
/// missing among others is made anew, and so is a control plane where the number of them would be even or none.
fn with_numbers_found(spec: &ClusterSpec, found: &[Owned]) -> ClusterSpec {
    let mut highest: BTreeMap<&str, u32> = BTreeMap::new();
    let machines = found.iter().filter_map(|owned| owned.key.as_ref()?.machine());
    for (pool, number) in machines.filter_map(pool_and_number) {
        let seen = highest.entry(pool).or_default();
        *seen = number.max(*seen);
    }
    let mut counted = spec.clone();
    counted.control_planes =
        highest.remove(ClusterSpec::CONTROL_PLANE_POOL).unwrap_or(0).max(spec.control_planes.min(1));
    counted.workers = highest.remove(ClusterSpec::WORKER_POOL).unwrap_or(0);
    for pool in &mut counted.pools {
        pool.count = highest.remove(pool.name.as_str()).unwrap_or(0);
    }
    // Marks of a spec that did not fit may not have all pools.
    let others = highest.into_iter().filter_map(|(pool, count)| Some((pool.parse().ok()?, pool, count)));
    counted.pools.extend(others.map(|(name, pool, count)| Pool::new(name, role_of_pool(pool), count)));
    if counted.count(Role::ControlPlane).is_multiple_of(2) {
        counted.control_planes += 1;
    }
    counted
}

/// The step of the cause that keeps a cluster as it is whose keys are lost.
const RECOVER: &str = "recover";

/// Whether this is why nothing is made or prepared for the cluster any more.
pub(super) fn is_lost_keys(cause: &Cause) -> bool {
    cause.code == ErrorCode::Credentials && cause.step == RECOVER
}

fn lost_keys(state: &ClusterState, at: Timestamp) -> Cause {
    let spec = &state.desired().spec;
    let message = format!(
        "the keys of the cluster were lost with the database, and {} on {} cannot be given new ones",
        spec.orchestrator, spec.infrastructure
    );
    let remedy = format!(
        "save what you need from its machines, delete it with `muster cluster delete {}`, and create it anew",
        spec.name
    );
    let failure = Failure::not_applied(ErrorCode::Credentials, message).with_remedy(remedy).permanent();
    failure.into_cause(RECOVER.to_owned(), at)
}
