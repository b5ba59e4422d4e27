//! What has to be written so that the disk says what the state says.

use muster_protocol::{Name, OperationId};

use super::ClusterState;
use crate::desired::{ClusterRecord, ServiceRecord};
use crate::ledger::{LedgerEntry, ResourceKey};
use crate::operation::OperationRecord;

/// One stored record that is new, changed or gone. All changes of one step go into one batch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RecordChange {
    /// The head changed.
    Cluster(Box<ClusterRecord>),
    /// A resource came or changed; none if it is gone from the ledger.
    Ledger(ResourceKey, Option<Box<LedgerEntry>>),
    /// A service came or changed; none if it is gone.
    Service(Name, Option<Box<ServiceRecord>>),
    /// An operation came or changed.
    Operation(OperationId, Box<OperationRecord>),
}

/// What changed between two states of one cluster.
pub fn difference(before: &ClusterState, after: &ClusterState) -> Vec<RecordChange> {
    let mut changes = Vec::new();
    if before.record != after.record {
        changes.push(RecordChange::Cluster(Box::new(after.record.clone())));
    }
    for (key, entry) in &after.ledger {
        if before.ledger.get(key) != Some(entry) {
            changes.push(RecordChange::Ledger(key.clone(), Some(Box::new(entry.clone()))));
        }
    }
    let gone = before.ledger.keys().filter(|key| !after.ledger.contains_key(*key));
    changes.extend(gone.map(|key| RecordChange::Ledger(key.clone(), None)));
    for (name, service) in &after.services {
        if before.services.get(name) != Some(service) {
            changes.push(RecordChange::Service(name.clone(), Some(Box::new(service.clone()))));
        }
    }
    let gone = before.services.keys().filter(|name| !after.services.contains_key(*name));
    changes.extend(gone.map(|name| RecordChange::Service(name.clone(), None)));
    for (id, operation) in &after.operations {
        if before.operations.get(id) != Some(operation) {
            changes.push(RecordChange::Operation(*id, Box::new(operation.clone())));
        }
    }
    changes
}
