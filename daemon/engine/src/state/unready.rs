//! Nodes that stay unready although their machines run: a container engine was stopped, a file of it is broken. Preparing
//! the machine again mends what preparing it has made.

use std::collections::BTreeSet;
use std::time::Duration;

use muster_protocol::model::event::EventKind;
use muster_protocol::{Name, Timestamp};

use super::ClusterState;
use crate::ledger::{Duty, ResourceKey};
use crate::observed::{OrchestratorView, Power};
use crate::operation::{OperationRecord, Target};

/// How long a node may be unready before its machine is prepared again. Twice as long after each time.
const PATIENCE: Duration = Duration::from_secs(60);
/// The same while the cluster is being changed.
const PATIENCE_IN_CHANGE: Duration = Duration::from_secs(300);
/// In so many looks in a row: one may be wrong.
const LOOKS: u32 = 5;
/// After so many times the waits grow no longer: about an hour.
const MOST_DOUBLINGS: u32 = 6;

/// A node that is seen not to be ready.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Unready {
    /// Since when, or since its machine was prepared again for it.
    since: Timestamp,
    /// In how many looks since then.
    looks: u32,
    /// How often its machine was prepared again for it.
    times: u32,
}

impl ClusterState {
    /// Has machines prepared again whose nodes were ready once and are not any more.
    pub(super) fn note_unready_nodes(&mut self, view: &OrchestratorView, now: Timestamp) {
        let before = &self.observed.orchestrator.nodes;
        // What is on its way to its first readiness is waited for.
        let is_ours_to_mend = |name: &Name| {
            let was_ready = before.get(name).is_some_and(|node| node.ready);
            was_ready || self.unready.contains_key(name) || !self.is_changing()
        };
        let unready = view.nodes.iter().filter(|(_, node)| !node.ready).map(|(name, _)| name.clone());
        let unready = unready.filter(is_ours_to_mend).collect();
        self.prepare_again(&unready, now);
    }

    /// Whether the cluster itself is being changed by somebody's wish.
    fn is_changing(&self) -> bool {
        let of_cluster = |operation: &OperationRecord| matches!(operation.target, Target::Cluster { .. });
        self.running_operations().any(of_cluster)
    }

    /// Has those of the machines prepared again that have been on this list for long enough.
    fn prepare_again(&mut self, unready: &BTreeSet<Name>, now: Timestamp) {
        self.unready.retain(|name, _| unready.contains(name));
        if self.desired().absent {
            return;
        }
        // A change has nodes go and come.
        let first = if self.is_changing() { PATIENCE_IN_CHANGE } else { PATIENCE };
        for name in unready {
            let seen = self.unready.entry(name.clone()).or_insert(Unready { since: now, looks: 0, times: 0 });
            seen.looks = seen.looks.saturating_add(1);
            let seen = *seen;
            let patience = first * (1 << seen.times.min(MOST_DOUBLINGS));
            if now.since(seen.since) < patience || seen.looks < LOOKS || !self.runs_and_is_idle(name, seen.since) {
                continue;
            }
            if let Some(entry) = self.ledger.get_mut(&ResourceKey::for_machine(name.clone())) {
                entry.prepared = None;
            }
            self.unready.insert(name.clone(), Unready { since: now, looks: 0, times: seen.times.saturating_add(1) });
            let waited = patience.as_secs();
            let message = format!("machine {name} is prepared again: its node has not been ready for {waited} s");
            self.announce(now, EventKind::Host, message, None);
        }
    }

    /// Whether the machine was seen to run since then, and nothing is done with it.
    fn runs_and_is_idle(&self, machine: &Name, since: Timestamp) -> bool {
        let key = ResourceKey::for_machine(machine.clone());
        let Some(entry) = self.machine(machine).filter(|entry| entry.present().is_some()) else { return false };
        let is_idle = entry.step.is_none() && entry.duty == Duty::On && self.in_flight_for(&key).is_none();
        let seen = key.infra().and_then(|key| self.observed.infrastructure.get(key));
        let runs = seen.is_some_and(|seen| seen.power == Some(Power::Running))
            && self.observed.infrastructure_at.is_some_and(|at| at > since.max(entry.since));
        entry.prepared.is_some() && is_idle && runs
    }
}
