//! What driver and handler saw.

use std::collections::{BTreeMap, BTreeSet};

use muster_protocol::model::event::EventKind;
use muster_protocol::{ErrorCode, Name, Timestamp};

use super::recovered::is_lost_keys;
use super::{Announcement, ClusterState, retry};
use crate::failure::Failure;
use crate::ledger::{Facts, InfraKey, LedgerEntry, Present, ResourceKey, ResourceState};
use crate::observed::{ObservedResource, OrchestratorView};

/// One look at a cluster. A part that was not looked at is none.
#[derive(Debug, Default)]
pub struct Observation {
    /// What the infrastructure lists.
    pub infrastructure: Option<Result<Vec<ObservedResource>, Failure>>,
    /// The orchestrator's view.
    pub orchestrator: Option<Result<OrchestratorView, Failure>>,
}

/// A machine or service that was not listed so often in a row is looked up by its key: listings may be wrong, and only what
/// is not found by its key is lost. And an orchestrator that gave no answer so often in a row may not be well.
const IN_DOUBT_AFTER: u32 = 2;

impl ClusterState {
    /// Notes what was seen by a look that began at `began`. Conclusions are drawn by [`ClusterState::settle`].
    pub fn observe(&mut self, observation: Observation, began: Timestamp, now: Timestamp) {
        match observation.infrastructure {
            Some(Ok(resources)) => self.observe_infrastructure(resources, began, now),
            Some(Err(failure)) => {
                self.observed.infrastructure_cause = Some(failure.into_cause("observe machines".to_owned(), now));
            }
            None => {}
        }
        match observation.orchestrator {
            Some(Ok(view)) => {
                self.adopt_dead_nodes(&view, began);
                self.clear_failures_of_ready_nodes(&view, began);
                self.pass_generations_seen(&view, began);
                self.doubt_missing_services(&view, began);
                self.keep_digests(&view);
                self.announce_killed(&view, now);
                self.note_unready_nodes(&view, now);
                self.observe_orchestrator(view, began);
            }
            Some(Err(failure)) => {
                let cause = failure.into_cause("observe orchestrator".to_owned(), now);
                self.observed.orchestrator_unanswered = self.observed.orchestrator_unanswered.saturating_add(1);
                // What does not answer again is not known to be well any more.
                if self.observed.orchestrator_unanswered >= IN_DOUBT_AFTER
                    && self.observed.orchestrator.nodes.values().any(|node| node.ready)
                {
                    self.observed.orchestrator.nodes.values_mut().for_each(|node| node.ready = false);
                }
                self.observed.orchestrator_cause = Some(cause);
            }
            None => {}
        }
        self.tidy();
    }

    fn observe_orchestrator(&mut self, view: OrchestratorView, began: Timestamp) {
        if *self.observed.orchestrator != view {
            self.observed.orchestrator = view.into();
        }
        self.observed.orchestrator_at = Some(began);
        self.observed.orchestrator_cause = None;
        self.observed.orchestrator_unanswered = 0;
    }

    fn observe_infrastructure(&mut self, resources: Vec<ObservedResource>, began: Timestamp, now: Timestamp) {
        let ids: BTreeSet<&str> = resources.iter().map(|resource| resource.id.as_str()).collect();
        let lag = self.deadlines.listing_lag;
        let mut in_doubt = Vec::new();
        for (key, entry) in self.ledger.iter() {
            let (Some(_), Some(present)) = (key.machine(), entry.present()) else { continue };
            if ids.contains(present.id.as_str()) {
                self.missing.remove(key);
            } else if began >= entry.since + lag && !self.in_flight.contains_key(&Some(key.clone())) {
                in_doubt.extend(is_missed_again(&mut self.missing, key).then(|| key.clone()));
            }
        }
        self.welcome_back(&ids);
        // Of two resources with one key, the one that is ours to use counts.
        let known = |resource: &ObservedResource| {
            let entry = self.ledger.get(&ResourceKey::Infra(resource.key.clone()));
            entry.and_then(|entry| entry.present()).is_some_and(|present| present.id == resource.id)
        };
        let (known, others): (Vec<_>, Vec<_>) = resources.into_iter().partition(known);
        self.follow_addresses(&known, began, now);
        let seen = others.into_iter().chain(known).map(|resource| (resource.key.clone(), resource));
        let seen: BTreeMap<InfraKey, ObservedResource> = seen.collect();
        if *self.observed.infrastructure != seen {
            self.observed.infrastructure = seen.into();
        }
        self.observed.infrastructure_at = Some(began);
        self.observed.infrastructure_cause = None;
        for key in in_doubt {
            self.doubt(&key);
        }
    }

    /// What was not found by its key and is listed again is looked up at once.
    fn welcome_back(&mut self, listed: &BTreeSet<&str>) {
        let was_not_found = |entry: &LedgerEntry| {
            matches!(entry.state, ResourceState::Unknown(Some(_)))
                && entry.cause.as_ref().is_some_and(|cause| cause.code == ErrorCode::NotFound)
        };
        let is_back = |entry: &LedgerEntry| entry.id().is_some_and(|id| listed.contains(id.as_str()));
        let back = self.ledger.iter().filter(|(_, entry)| was_not_found(entry) && is_back(entry));
        let back: Vec<ResourceKey> = back.map(|(key, _)| key.clone()).collect();
        for key in back {
            self.forget_failure(&key);
        }
    }

    /// A service that was submitted and is not listed any more is looked up: somebody may have removed it.
    fn doubt_missing_services(&mut self, view: &OrchestratorView, began: Timestamp) {
        let mut in_doubt = Vec::new();
        for (key, entry) in self.ledger.iter() {
            let Some(name) = key.service() else { continue };
            if view.services.contains_key(name) || !matches!(entry.state, ResourceState::Present(_)) {
                self.missing.remove(key);
            } else if began >= entry.since && !self.in_flight.contains_key(&Some(key.clone())) {
                in_doubt.extend(is_missed_again(&mut self.missing, key).then(|| key.clone()));
            }
        }
        for key in in_doubt {
            self.missing.remove(&key);
            self.doubt(&key);
        }
    }

    /// A machine may get other addresses while it lives, as when it was stopped and started. Its certificates name the
    /// addresses, so it is prepared again.
    fn follow_addresses(&mut self, seen: &[ObservedResource], began: Timestamp, now: Timestamp) {
        for resource in seen {
            let (Some(machine), Some(addresses)) = (resource.key.machine(), &resource.addresses) else { continue };
            let key = ResourceKey::Infra(resource.key.clone());
            let differs = |entry: &LedgerEntry| {
                let access = entry.present().and_then(|_| entry.access());
                began >= entry.since
                    && access.is_some_and(|access| {
                        access.address != addresses.address || access.private_address != addresses.private_address
                    })
            };
            if !self.ledger.get(&key).is_some_and(differs) || self.in_flight_for(&key).is_some() {
                continue;
            }
            if let Some(LedgerEntry { state: ResourceState::Present(present), prepared, .. }) =
                self.ledger.get_mut(&key)
                && let Facts::Machine(access) = &mut present.facts
            {
                access.address.clone_from(&addresses.address);
                access.private_address.clone_from(&addresses.private_address);
                *prepared = None;
            }
            self.outdate_dependents(machine);
            let message = format!("machine {machine} has another address: {}", addresses.address);
            self.announce(now, EventKind::Host, message, None);
        }
    }

    /// What is not listed any more is looked up by its key. Until then it counts as it did.
    fn doubt(&mut self, key: &ResourceKey) {
        let Some(entry) = self.ledger.get_mut(key) else { return };
        if let ResourceState::Present(present) = &entry.state {
            entry.state = ResourceState::Unknown(Some(present.clone()));
            // What failed on it before is no reason to wait.
            entry.next_try = None;
        }
    }

    /// A join whose answer was lost together with its machine has left a node that no machine stands for.
    /// It counts for the quorum, so it is taken out like that of any other lost machine.
    fn adopt_dead_nodes(&mut self, view: &OrchestratorView, began: Timestamp) {
        for (name, node) in view.nodes.iter().filter(|(_, node)| !node.ready) {
            let machine = self.machine(name);
            if machine.is_some_and(|machine| machine.present().is_some()) {
                continue;
            }
            let key = ResourceKey::Node(name.clone());
            let is_idle = self.in_flight_for(&key).is_none();
            let has_no_node = |entry: &LedgerEntry| entry.state == ResourceState::Wanted && began >= entry.since;
            if is_idle
                && self.ledger.get(&key).is_some_and(has_no_node)
                && let Some(entry) = self.ledger.get_mut(&key)
            {
                entry.state = ResourceState::Removing(Present { id: node.id.clone(), facts: Facts::None });
            }
        }
    }

    /// A member that is seen ready in its role is as it should be, whatever was heard of the last call about it.
    fn clear_failures_of_ready_nodes(&mut self, view: &OrchestratorView, began: Timestamp) {
        let is_well = |key: &ResourceKey, entry: &LedgerEntry| {
            let Some(name) = key.node() else { return false };
            let Some(present) = entry.present() else { return false };
            let seen = view.nodes.get(name).filter(|node| node.id == present.id && node.ready);
            began >= entry.since && seen.is_some_and(|node| Some(node.role) == entry.role)
        };
        let well = self.ledger.iter().filter(|(key, entry)| retry::has_failed(entry) && is_well(key, entry));
        let well: Vec<ResourceKey> = well.map(|(key, _)| key.clone()).collect();
        for key in well {
            self.forget_failure(&key);
        }
    }

    /// A machine that no listing has any more, and that is there all the same. It is told once for as long as it is missing.
    pub(super) fn tell_unlisted(&mut self, key: &ResourceKey, now: Timestamp) {
        let Some(machine) = key.machine() else { return };
        if self.missing.get(key) != Some(&IN_DOUBT_AFTER) {
            return;
        }
        let message = format!("machine {machine} is there, but its infrastructure does not list it among ours");
        let failure = Failure::not_applied(ErrorCode::Conflict, message.clone()).with_remedy(
            "if this does not pass, see that the machine still carries Muster's marks: without them it is not removed",
        );
        self.announce(now, EventKind::Host, message, Some(failure.into_cause("observe machines".to_owned(), now)));
    }

    /// What is said of a machine that is not found if no machine of a cluster that has members is listed. Somebody may have
    /// removed all of them, and nothing could be mended then; or the account reaches another place since it was changed, and
    /// all of them live. So none counts as lost until another one is seen.
    pub(super) fn out_of_sight(&self, key: &ResourceKey) -> Option<Failure> {
        let has_members = self.ledger.iter().any(|(key, entry)| key.node().is_some() && entry.id().is_some());
        let mut seen = self.observed.infrastructure.values().filter(|resource| resource.key.machine().is_some());
        let is_ours = |resource: &ObservedResource| {
            let entry = self.ledger.get(&ResourceKey::Infra(resource.key.clone()));
            entry.and_then(LedgerEntry::id).is_some_and(|id| *id == resource.id)
        };
        if !has_members || self.desired().absent || seen.any(is_ours) {
            return None;
        }
        let spec = &self.desired().spec;
        let place = match &spec.account {
            Some(account) => format!("the account `{account}` reaches"),
            None => "the daemon reaches".to_owned(),
        };
        let message = format!("{key} is not found, and no machine of the cluster is listed");
        Some(Failure::not_applied(ErrorCode::NotFound, message).with_remedy(format!(
            "see that {place} the place where the cluster was made: its machines count again as soon as one is seen. If \
             they were removed, delete the cluster with `muster cluster delete {}`",
            spec.name
        )))
    }

    /// A machine that was there was not found by its key: it is wanted again, and its node has to go first.
    pub(super) fn lose_machine(&mut self, name: &Name, now: Timestamp) {
        self.missing.remove(&ResourceKey::for_machine(name.clone()));
        if self.observed.orchestrator.nodes.get(name).is_some_and(|node| node.ready)
            && let Some(node) = self.observed.orchestrator.nodes.get_mut(name)
        {
            node.ready = false;
        }
        if let Some(entry) = self.ledger.get_mut(&ResourceKey::for_machine(name.clone())) {
            let attempt = entry.attempt.wrapping_add(1);
            let cause = entry.cause.take().filter(is_lost_keys);
            *entry = LedgerEntry { attempt, role: entry.role, cause, ..LedgerEntry::wanted(now) };
        }
        let failure =
            Failure::not_applied(ErrorCode::NotFound, format!("machine {name} is not at its infrastructure any more"));
        let cause = failure.into_cause("observe machines".to_owned(), now);
        self.announce(now, EventKind::Host, format!("machine {name} is lost"), Some(cause));
    }

    /// A service that was submitted was not found by its name: somebody else removed it, and it is submitted again.
    pub(super) fn lose_service(&mut self, name: &Name, now: Timestamp) {
        let message = format!("service {name} was removed by somebody else and is made again");
        self.outbox.push(Announcement {
            kind: EventKind::Service,
            at: now,
            operation: None,
            service: Some(name.clone()),
            message,
            cause: None,
        });
    }
}

/// Notes that something is missing in one more listing, and says whether that is enough to look it up.
fn is_missed_again(missing: &mut BTreeMap<ResourceKey, u32>, key: &ResourceKey) -> bool {
    let times = missing.entry(key.clone()).or_default();
    *times += 1;
    *times >= IN_DOUBT_AFTER
}
