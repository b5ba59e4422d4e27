//! What there is in the world, here and on disk, behind the world's one lock.

use std::collections::BTreeMap;
use std::time::Duration;

use muster_protocol::{ClusterId, ErrorCode};
use tokio::time::Instant;

use super::audit::Violation;
use super::journal::Journal;
use super::state::{Change, ClusterThings, Node, SimState};
use crate::failure::Failure;

/// What there is.
pub(super) struct Things {
    pub(super) state: SimState,
    journal: Option<Journal>,
    /// Why the journal could not be written, if so.
    broken: Option<String>,
}

impl Things {
    pub(super) fn new(state: SimState, journal: Option<Journal>) -> Self {
        Self { state, journal, broken: None }
    }

    pub(super) fn bucket(&self, cluster: ClusterId) -> Option<&ClusterThings> {
        self.state.clusters.get(&cluster)
    }

    /// Changes the world, here and on disk.
    pub(super) fn apply(&mut self, change: Change) {
        if let Some(journal) = &mut self.journal
            && let Err(error) = journal.append(&change)
        {
            self.broken = Some(error.to_string());
        }
        self.state.apply(change);
    }

    /// An id that was never used.
    pub(super) fn next_id(&self) -> u64 {
        self.state.next_id
    }

    pub(super) fn note(&mut self, violation: Violation) {
        self.state.violations.push(violation);
    }

    /// Takes a resource away. A formed cluster whose last machine goes is no more.
    pub(super) fn take_away(&mut self, cluster: ClusterId, id: u64) {
        self.apply(Change::Resource { cluster, id, now: None });
        let Some(bucket) = self.bucket(cluster) else { return };
        let dead =
            |nodes: &BTreeMap<u64, Node>| nodes.values().all(|node| !bucket.resources.contains_key(&node.machine));
        let dissolved: Vec<u64> =
            bucket.orchestrators.iter().filter(|(_, formed)| dead(&formed.nodes)).map(|(id, _)| *id).collect();
        for id in dissolved {
            self.apply(Change::Dissolved { cluster, id });
        }
    }

    pub(super) fn carry_out<T>(&mut self, effect: impl FnOnce(&mut Self) -> Result<T, Failure>) -> Result<T, Failure> {
        let result = effect(self);
        match self.broken.take() {
            Some(error) => Err(Failure::maybe_applied(ErrorCode::Internal, format!("sim journal: {error}"))),
            None => result,
        }
    }

    pub(super) fn listing_late_by<T>(
        &mut self,
        lag: Duration,
        effect: impl FnOnce(&mut Self) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let first_new = self.state.next_id;
        let result = self.carry_out(effect);
        let visible_from = Instant::now() + lag;
        for bucket in self.state.clusters.values_mut() {
            for (_, resource) in bucket.resources.range_mut(first_new..) {
                resource.visible_from = visible_from;
            }
        }
        result
    }

    /// Lets everything of a cluster be listed from then on, and not before.
    pub(super) fn listed_from(&mut self, cluster: ClusterId, visible_from: Instant) {
        let resources =
            self.state.clusters.get_mut(&cluster).into_iter().flat_map(|bucket| bucket.resources.values_mut());
        resources.for_each(|resource| resource.visible_from = visible_from);
    }
}
