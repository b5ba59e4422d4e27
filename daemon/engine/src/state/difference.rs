//! What has to be written so that the disk says what the state says.

use std::collections::BTreeMap;

use muster_protocol::{Name, OperationId};

use super::ClusterState;
use crate::desired::{ClusterRecord, ServiceRecord};
use crate::ledger::{LedgerEntry, ResourceKey};
use crate::operation::OperationRecord;
use crate::session::KeptEntry;
use crate::shared::Shared;

/// One stored record that is new, changed or gone. All changes of one step go into one batch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RecordChange {
    /// The head changed.
    Cluster(Box<ClusterRecord>),
    /// A resource came or changed; none if it is gone from the ledger.
    Ledger(ResourceKey, Option<Box<LedgerEntry>>),
    /// A service came or changed; none if it is gone.
    Service(Name, Option<Box<ServiceRecord>>),
    /// A value is kept, or no longer.
    Kept(String, Option<KeptEntry>),
    /// An operation came or changed.
    Operation(OperationId, Box<OperationRecord>),
}

/// What changed between two states of one cluster.
pub fn difference(before: &ClusterState, after: &ClusterState) -> Vec<RecordChange> {
    let mut changes = Vec::new();
    if before.record != after.record {
        changes.push(RecordChange::Cluster(Box::new((*after.record).clone())));
    }
    let entry_changed = |key: ResourceKey, entry: Option<LedgerEntry>| RecordChange::Ledger(key, entry.map(Box::new));
    changes.extend(map_difference(&before.ledger, &after.ledger, entry_changed));
    let service_changed =
        |name: Name, service: Option<ServiceRecord>| RecordChange::Service(name, service.map(Box::new));
    changes.extend(map_difference(&before.services, &after.services, service_changed));
    changes.extend(map_difference(&before.kept, &after.kept, RecordChange::Kept));
    for (id, operation) in &after.operations {
        if before.operations.get(id) != Some(operation) {
            changes.push(RecordChange::Operation(*id, Box::new(operation.clone())));
        }
    }
    changes
}

/// What came, changed or is gone. Maps that still share one value are not even looked at.
fn map_difference<K: Ord + Clone, V: Eq + Clone>(
    before: &Shared<BTreeMap<K, V>>,
    after: &Shared<BTreeMap<K, V>>,
    change: impl Fn(K, Option<V>) -> RecordChange,
) -> Vec<RecordChange> {
    if before == after {
        return Vec::new();
    }
    let came = after.iter().filter(|(key, value)| before.get(*key) != Some(*value));
    let gone = before.keys().filter(|key| !after.contains_key(*key));
    let came = came.map(|(key, value)| change(key.clone(), Some(value.clone())));
    came.chain(gone.map(|key| change(key.clone(), None))).collect()
}
