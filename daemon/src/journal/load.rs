//! Everything about the clusters, read at start or when a supervisor starts again.

use std::collections::BTreeMap;

use muster_engine::desired::{ClusterRecord, ServiceRecord};
use muster_engine::ledger::Ledger;
use muster_engine::operation::OperationRecord;
use muster_engine::session::KeptEntries;
use muster_protocol::{ClusterId, Name, OperationId};
use muster_store::{ReadError, Store};

use super::records::{StoredCluster, StoredEntry, StoredEvent, StoredKept, StoredOperation, StoredService};

/// What is stored of one cluster.
#[derive(Debug)]
pub struct StoredParts {
    /// The head.
    pub record: ClusterRecord,
    /// Outside resources.
    pub ledger: Ledger,
    /// Services.
    pub services: BTreeMap<Name, ServiceRecord>,
    /// What its handler's sessions keep.
    pub kept: KeptEntries,
    /// Operations that have not ended.
    pub operations: BTreeMap<OperationId, OperationRecord>,
}

impl StoredParts {
    /// A head alone.
    fn of(record: ClusterRecord) -> Self {
        let (services, operations) = (BTreeMap::new(), BTreeMap::new());
        Self { record, ledger: Ledger::new(), services, kept: KeptEntries::new(), operations }
    }
}

/// What is stored of all clusters.
#[derive(Debug)]
pub struct Stored {
    /// Each cluster.
    pub clusters: Vec<StoredParts>,
    /// Every operation, running or ended.
    pub operations: Vec<OperationRecord>,
}

/// Reads all clusters, in a handful of scans side by side rather than one a cluster.
pub async fn load_all(store: &Store) -> Result<Stored, ReadError> {
    let (records, entries, services, kept, all_operations) = tokio::try_join!(
        store.scan::<StoredCluster>(&[]),
        store.scan::<StoredEntry>(&[]),
        store.scan::<StoredService>(&[]),
        store.scan::<StoredKept>(&[]),
        store.scan::<StoredOperation>(&[]),
    )?;
    let mut parts: BTreeMap<ClusterId, StoredParts> = BTreeMap::new();
    for StoredCluster(record) in records {
        parts.insert(record.id, StoredParts::of(record));
    }
    for stored in entries {
        if let Some(cluster) = parts.get_mut(&stored.cluster) {
            cluster.ledger.insert(stored.key, stored.entry);
        }
    }
    for stored in services {
        if let Some(cluster) = parts.get_mut(&stored.cluster) {
            cluster.services.insert(stored.name, stored.service);
        }
    }
    for stored in kept {
        if let Some(cluster) = parts.get_mut(&stored.cluster) {
            cluster.kept.insert(stored.key, stored.entry);
        }
    }
    let mut operations = Vec::new();
    for StoredOperation(operation) in all_operations {
        if let Some(cluster) = parts.get_mut(&operation.info.cluster_id)
            && !operation.info.phase.is_ended()
        {
            cluster.operations.insert(operation.info.id, operation.clone());
        }
        operations.push(operation);
    }
    Ok(Stored { clusters: parts.into_values().collect(), operations })
}

/// The operations of clusters that have not ended.
pub type RunningOperations = BTreeMap<ClusterId, BTreeMap<OperationId, OperationRecord>>;

/// Looks for running operations among all that are stored: one that was just asked for may be on disk without anybody
/// having been told. The more clusters are read again, the more need it only once.
pub async fn running_operations(store: &Store) -> Result<RunningOperations, ReadError> {
    let mut running = RunningOperations::new();
    for StoredOperation(operation) in store.scan::<StoredOperation>(&[]).await? {
        if !operation.info.phase.is_ended() {
            running.entry(operation.info.cluster_id).or_default().insert(operation.info.id, operation);
        }
    }
    Ok(running)
}

/// Reads one cluster again, but for its operations.
pub async fn load_one(store: &Store, cluster: ClusterId) -> Result<Option<StoredParts>, ReadError> {
    let Some(StoredCluster(record)) = store.get::<StoredCluster>(cluster.as_bytes()).await? else { return Ok(None) };
    let entries = store.scan::<StoredEntry>(cluster.as_bytes()).await?;
    let services = store.scan::<StoredService>(cluster.as_bytes()).await?;
    let kept = store.scan::<StoredKept>(cluster.as_bytes()).await?;
    Ok(Some(StoredParts {
        ledger: entries.into_iter().map(|stored| (stored.key, stored.entry)).collect(),
        services: services.into_iter().map(|stored| (stored.name, stored.service)).collect(),
        kept: kept.into_iter().map(|stored| (stored.key, stored.entry)).collect(),
        ..StoredParts::of(record)
    }))
}

/// The last event that was written, if there is any.
pub async fn newest_event(store: &Store) -> Result<Option<StoredEvent>, ReadError> {
    let last = *store.last_event().borrow();
    let newest = store.read_events(last.saturating_sub(1), 1).await?;
    Ok(newest.first().map(|event| event.decode()).transpose()?)
}
