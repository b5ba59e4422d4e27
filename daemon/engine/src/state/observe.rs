//! What driver and handler saw.

use std::collections::BTreeMap;

use muster_protocol::model::event::EventKind;
use muster_protocol::{ErrorCode, Name, Timestamp};

use super::ClusterState;
use crate::failure::Failure;
use crate::ledger::{LedgerEntry, ResourceKey, ResourceState};
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
    /// Notes what was seen by a look that began at `began`.
    pub fn observe(&mut self, observation: Observation, began: Timestamp, now: Timestamp) {
        match observation.machines {
            Some(Ok(machines)) => self.observe_machines(machines, began, now),
            Some(Err(failure)) => {
                self.observed.machines_cause = Some(failure.into_cause("observe machines".to_owned(), now));
            }
            None => {}
        }
        match observation.orchestrator {
            Some(Ok(view)) => self.observe_orchestrator(view, began),
            Some(Err(failure)) => {
                let cause = failure.into_cause("observe orchestrator".to_owned(), now);
                // What does not answer is not known to be well any more.
                for node in self.observed.orchestrator.nodes.values_mut() {
                    node.ready = false;
                }
                self.observed.orchestrator_cause = Some(cause);
            }
            None => {}
        }
        self.tidy();
        self.settle(now);
    }

    fn observe_orchestrator(&mut self, view: OrchestratorView, began: Timestamp) {
        self.observed.orchestrator = view;
        self.observed.orchestrator_at = Some(began);
        self.observed.orchestrator_cause = None;
    }

    fn observe_machines(&mut self, machines: Vec<ObservedMachine>, began: Timestamp, now: Timestamp) {
        let seen: BTreeMap<Name, ObservedMachine> =
            machines.into_iter().map(|machine| (machine.name.clone(), machine)).collect();
        let lag = self.deadlines.listing_lag;
        let mut lost = Vec::new();
        for (key, entry) in &self.ledger {
            let (ResourceKey::Machine(name), Some(present)) = (key, entry.present()) else { continue };
            let listed = seen.get(name).is_some_and(|machine| machine.id == present.id);
            if listed {
                self.missing.remove(name);
            } else if began >= entry.since + lag && !self.in_flight.contains_key(&Some(key.clone())) {
                let times = self.missing.entry(name.clone()).or_default();
                *times += 1;
                if *times >= LOST_AFTER {
                    lost.push(name.clone());
                }
            }
        }
        self.observed.machines = seen;
        self.observed.machines_at = Some(began);
        self.observed.machines_cause = None;
        for name in lost {
            self.lose_machine(&name, now);
        }
    }

    /// A machine that was there is not there any more: it is wanted again, and its node has to go first.
    fn lose_machine(&mut self, name: &Name, now: Timestamp) {
        self.missing.remove(name);
        self.observed.orchestrator.nodes.remove(name);
        if let Some(entry) = self.ledger.get_mut(&ResourceKey::Machine(name.clone())) {
            let attempt = entry.attempt + 1;
            *entry = LedgerEntry { attempt, machine: entry.machine, role: entry.role, ..LedgerEntry::wanted(now) };
        }
        if let Some(node) = self.ledger.get_mut(&ResourceKey::Node(name.clone())) {
            node.state = match std::mem::replace(&mut node.state, ResourceState::Wanted) {
                ResourceState::Present(present) | ResourceState::Unknown(Some(present)) => {
                    ResourceState::Removing(present)
                }
                // A join that was under way is void: the machine is gone.
                ResourceState::Unknown(None) => ResourceState::Wanted,
                state @ (ResourceState::Wanted | ResourceState::Removing(_)) => state,
            };
            node.since = now;
        }
        let failure = Failure::not_applied(
            ErrorCode::NotFound,
            format!("machine {name} is not listed by its infrastructure any more"),
        );
        let cause = failure.into_cause("observe machines".to_owned(), now);
        self.announce(now, EventKind::Host, format!("machine {name} is lost"), Some(cause));
    }
}
