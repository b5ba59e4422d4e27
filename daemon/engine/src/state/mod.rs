//! The state of one cluster, and every way in which it changes.
//!
//! The supervisor works on a copy: change the copy, write the difference ([`difference()`]) in one store
//! batch, and only then take the copy for the state. So memory never runs ahead of the disk.

mod admit;
mod begin;
mod causes;
mod copies;
mod deadlines;
mod difference;
mod finish;
mod kept;
mod observe;
mod operations;
mod order;
mod outdated;
mod recipe;
mod recovered;
mod retry;
mod service;
mod tidy;
mod unready;

pub(crate) use recipe::KnownEndpoint;

use std::collections::BTreeMap;

use muster_protocol::model::event::EventKind;
use muster_protocol::model::host::Role;
use muster_protocol::{Cause, ClusterId, Name, OperationId, Timestamp};

use crate::action::Action;
use crate::blueprint::Blueprint;
use crate::desired::{ClusterRecord, Desired, ServiceRecord, role_and_number};
use crate::driver::Owned;
use crate::ledger::{Ledger, LedgerEntry, ResourceKey, ResourceState};
use crate::observed::Observed;
use crate::operation::OperationRecord;
use crate::session::KeptEntries;
use crate::shared::Shared;

pub use admit::{Requested, ServiceChange};
pub use deadlines::Deadlines;
pub use difference::{RecordChange, difference};
pub use observe::Observation;
pub use recovered::NewKeys;
pub use unready::Unready;

/// Everything known about one cluster.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClusterState {
    /// The head: stored.
    pub record: Shared<ClusterRecord>,
    /// Outside resources: stored.
    pub ledger: Shared<Ledger>,
    /// Services: stored.
    pub services: Shared<BTreeMap<Name, ServiceRecord>>,
    /// What the handler's sessions keep: stored.
    pub kept: Shared<KeptEntries>,
    /// Operations that have not ended: stored. Ended ones are stored too, but leave the state.
    pub operations: BTreeMap<OperationId, OperationRecord>,
    /// What was last seen: not stored.
    pub observed: Observed,
    /// Calls under way, by the resource that they work on; [`None`] is a sweep. Not stored: after a start none is.
    pub in_flight: BTreeMap<Option<ResourceKey>, InFlight>,
    /// How often in a row a machine that should be there was not listed. Not stored.
    pub missing: BTreeMap<ResourceKey, u32>,
    /// Nodes that are not ready although their machines run. Not stored.
    pub unready: BTreeMap<Name, Unready>,
    /// How the last sweep failed, if it did. Not stored.
    pub sweep_retry: Option<LedgerEntry>,
    /// What the last sweep found and the ledger has no place for: its mark does not say what it is, or another of the same
    /// key goes first. Not stored: the next sweep finds it again.
    pub strays: Vec<Owned>,
    /// What is to be announced with the next write. Not stored by itself.
    pub outbox: Vec<Announcement>,
    /// What its kinds say about it. Not stored.
    pub blueprint: Blueprint,
    /// Limits in time. Not stored.
    pub deadlines: Deadlines,
    /// Since when this state is worked on. Not stored: a call of an earlier life may have had its effect until then.
    pub awake_since: Option<Timestamp>,
}

/// A call that is under way.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InFlight {
    /// What is being done.
    pub action: Action,
    /// Since when.
    pub since: Timestamp,
    /// Until when; then it is broken off and counts as maybe applied.
    pub deadline: Timestamp,
    /// The generation that was asked for when it was made, if it is about a service.
    pub generation: Option<u64>,
}

/// Something to write to the event log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Announcement {
    /// What happened.
    pub kind: EventKind,
    /// When.
    pub at: Timestamp,
    /// The operation it belongs to.
    pub operation: Option<OperationId>,
    /// The service it is about.
    pub service: Option<Name>,
    /// In words.
    pub message: String,
    /// Why, if something failed.
    pub cause: Option<Cause>,
}

impl ClusterState {
    /// The state as it was stored: nothing observed yet, nothing under way.
    pub fn loaded(record: ClusterRecord, blueprint: Blueprint, deadlines: Deadlines) -> Self {
        Self {
            record: record.into(),
            ledger: Shared::default(),
            services: Shared::default(),
            kept: Shared::default(),
            operations: BTreeMap::new(),
            observed: Observed::default(),
            in_flight: BTreeMap::new(),
            missing: BTreeMap::new(),
            unready: BTreeMap::new(),
            sweep_retry: None,
            strays: Vec::new(),
            outbox: Vec::new(),
            blueprint,
            deadlines,
            awake_since: None,
        }
    }

    /// The cluster's id.
    pub fn id(&self) -> ClusterId {
        self.record.id
    }

    /// What is asked for of the cluster.
    pub fn desired(&self) -> &Desired {
        &self.record.desired
    }

    /// The renewal of the cluster's certificates that was asked for last.
    pub fn renewal(&self) -> u64 {
        self.record.renewal
    }

    /// Whether this resource should be there.
    pub fn is_desired(&self, key: &ResourceKey) -> bool {
        let desired = self.desired();
        match key {
            ResourceKey::Infra(key) => match key.machine() {
                Some(machine) => desired.role_of(machine).is_some(),
                None => self.blueprint.needs.needs(desired).iter().any(|need| need.key == *key),
            },
            ResourceKey::Orchestrator => !desired.absent,
            ResourceKey::Node(name) => desired.role_of(name).is_some(),
            ResourceKey::Service(name) => {
                !desired.absent && self.services.get(name).is_some_and(|service| !service.absent)
            }
        }
    }

    /// What the machine of this name is, was or is to be for.
    pub fn role_of(&self, machine: &Name) -> Option<Role> {
        let keys = [ResourceKey::for_machine(machine.clone()), ResourceKey::Node(machine.clone())];
        let noted = keys.iter().find_map(|key| self.ledger.get(key)?.role);
        noted.or_else(|| self.desired().role_of(machine)).or_else(|| role_and_number(machine).map(|(role, _)| role))
    }

    /// Whether this machine is, was or is to be a control plane.
    pub fn is_control_plane(&self, machine: &Name) -> bool {
        self.role_of(machine) == Some(Role::ControlPlane)
    }

    /// The ledger's line of this machine.
    pub fn machine(&self, name: &Name) -> Option<&LedgerEntry> {
        self.ledger.get(&ResourceKey::for_machine(name.clone()))
    }

    /// How many machines are wanted that were not made yet.
    pub fn machines_to_be_made(&self) -> usize {
        let is_made =
            |name: &Name| self.machine(name).is_some_and(|entry| matches!(entry.state, ResourceState::Present(_)));
        self.desired().machines().filter(|(name, _)| !is_made(name)).count()
    }

    /// The action under way for this resource.
    pub fn in_flight_for(&self, key: &ResourceKey) -> Option<&Action> {
        self.in_flight.get(&Some(key.clone())).map(|call| &call.action)
    }

    pub(crate) fn announce(&mut self, now: Timestamp, kind: EventKind, message: String, cause: Option<Cause>) {
        self.outbox.push(Announcement { kind, at: now, operation: None, service: None, message, cause });
    }

    pub(crate) fn entry_mut(&mut self, key: &ResourceKey, now: Timestamp) -> &mut LedgerEntry {
        let attempt = self.attempt_by_age(now);
        self.ledger.entry(key.clone()).or_insert_with(|| LedgerEntry { attempt, ..LedgerEntry::wanted(now) })
    }

    /// The first attempt of a new entry. An earlier entry of its key may have been dropped when it was not wanted, or lost
    /// with the store, and its tokens stay used. Counting on from the cluster's age never comes back to them: an attempt
    /// takes longer than a millisecond.
    fn attempt_by_age(&self, now: Timestamp) -> u32 {
        let age = now.since(self.record.created_at).as_millis();
        u32::try_from(age % (1 << 32)).unwrap_or(0)
    }
}
