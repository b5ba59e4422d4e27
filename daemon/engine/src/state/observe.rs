//! What driver and handler saw.

use std::collections::{BTreeMap, BTreeSet};

use muster_protocol::model::event::EventKind;
use muster_protocol::{ErrorCode, Name, Timestamp};

use super::{ClusterState, retry};
use crate::failure::Failure;
use crate::ledger::{Facts, LedgerEntry, Present, ResourceKey, ResourceState};
use crate::observed::{ObservedMachine, OrchestratorView};

/// One look at a cluster. A part that was not looked at is none.
#[derive(Debug, Default)]
pub struct Observation {
    /// The machines at the infrastructure.
    pub machines: Option<Result<Vec<ObservedMachine>, Failure>>,
    /// The orchestrator's view.
    pub orchestrator: Option<Result<OrchestratorView, Failure>>,
}

/// A machine counts as lost when it was not listed so often in a row: one listing may be wrong.
const LOST_AFTER: u32 = 2;

impl ClusterState {
    /// Notes what was seen by a look that began at `began`. Conclusions are drawn by [`ClusterState::settle`].
    pub fn observe(&mut self, observation: Observation, began: Timestamp, now: Timestamp) {
        match observation.machines {
            Some(Ok(machines)) => self.observe_machines(machines, began, now),
            Some(Err(failure)) => {
                self.observed.machines_cause = Some(failure.into_cause("observe machines".to_owned(), now));
            }
            None => {}
        }
        match observation.orchestrator {
            Some(Ok(view)) => {
                self.adopt_dead_nodes(&view, began);
                self.clear_failures_of_ready_nodes(&view, began);
                self.pass_generations_seen(&view, began);
                self.observe_orchestrator(view, began);
            }
            Some(Err(failure)) => {
                let cause = failure.into_cause("observe orchestrator".to_owned(), now);
                // What does not answer is not known to be well any more.
                if self.observed.orchestrator.nodes.values().any(|node| node.ready) {
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
    }

    fn observe_machines(&mut self, machines: Vec<ObservedMachine>, began: Timestamp, now: Timestamp) {
        let ids: BTreeSet<&str> = machines.iter().map(|machine| machine.id.as_str()).collect();
        let lag = self.deadlines.listing_lag;
        let mut lost = Vec::new();
        for (key, entry) in self.ledger.iter() {
            let (ResourceKey::Machine(name), Some(present)) = (key, entry.present()) else { continue };
            if ids.contains(present.id.as_str()) {
                self.missing.remove(name);
            } else if began >= entry.since + lag && !self.in_flight.contains_key(&Some(key.clone())) {
                let times = self.missing.entry(name.clone()).or_default();
                *times += 1;
                if *times >= LOST_AFTER {
                    lost.push(name.clone());
                }
            }
        }
        // Of two machines with one name, the one that is ours to use counts.
        let known = |machine: &ObservedMachine| {
            let entry = self.ledger.get(&ResourceKey::Machine(machine.name.clone()));
            entry.and_then(|entry| entry.present()).is_some_and(|present| present.id == machine.id)
        };
        let (known, others): (Vec<_>, Vec<_>) = machines.into_iter().partition(known);
        let seen = others.into_iter().chain(known).map(|machine| (machine.name.clone(), machine));
        let seen: BTreeMap<Name, ObservedMachine> = seen.collect();
        if *self.observed.machines != seen {
            self.observed.machines = seen.into();
        }
        self.observed.machines_at = Some(began);
        self.observed.machines_cause = None;
        for name in lost {
            self.lose_machine(&name, now);
        }
    }

    /// A join whose answer was lost together with its machine has left a node that no machine stands for.
    /// It counts for the quorum, so it is taken out like that of any other lost machine.
    fn adopt_dead_nodes(&mut self, view: &OrchestratorView, began: Timestamp) {
        for (name, node) in view.nodes.iter().filter(|(_, node)| !node.ready) {
            let machine = self.ledger.get(&ResourceKey::Machine(name.clone()));
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
            let ResourceKey::Node(name) = key else { return false };
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

    /// A machine that was there is not there any more: it is wanted again, and its node has to go first.
    fn lose_machine(&mut self, name: &Name, now: Timestamp) {
        self.missing.remove(name);
        if self.observed.orchestrator.nodes.get(name).is_some_and(|node| node.ready)
            && let Some(node) = self.observed.orchestrator.nodes.get_mut(name)
        {
            node.ready = false;
        }
        if let Some(entry) = self.ledger.get_mut(&ResourceKey::Machine(name.clone())) {
            let attempt = entry.attempt.wrapping_add(1);
            *entry = LedgerEntry { attempt, machine: entry.machine, role: entry.role, ..LedgerEntry::wanted(now) };
        }
        let failure = Failure::not_applied(
            ErrorCode::NotFound,
            format!("machine {name} is not listed by its infrastructure any more"),
        );
        let cause = failure.into_cause("observe machines".to_owned(), now);
        self.announce(now, EventKind::Host, format!("machine {name} is lost"), Some(cause));
    }
}
