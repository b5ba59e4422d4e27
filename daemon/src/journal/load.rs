//! Everything about the clusters, read at start or when a supervisor starts again.
//!
//! At a start only the heads and the operations of all clusters are decoded. The rest of a cluster is most of what is stored,
//! and is decoded when somebody first looks at that cluster: so a daemon answers soon, however many it has.

use std::collections::BTreeMap;

use muster_engine::blueprint::Blueprint;
use muster_engine::desired::{ClusterRecord, ServiceRecord};
use muster_engine::ledger::Ledger;
use muster_engine::operation::OperationRecord;
use muster_engine::session::KeptEntries;
use muster_engine::state::{ClusterState, Deadlines};
use muster_protocol::model::operation::OperationInfo;
use muster_protocol::{ClusterId, Name, OperationId};
use muster_store::{Found, ReadError, Store};

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

    /// The same with everything else but the operations.
    fn with(self, entries: Vec<StoredEntry>, services: Vec<StoredService>, kept: Vec<StoredKept>) -> Self {
        Self {
            ledger: entries.into_iter().map(|stored| (stored.key, stored.entry)).collect(),
            services: services.into_iter().map(|stored| (stored.name, stored.service)).collect(),
            kept: kept.into_iter().map(|stored| (stored.key, stored.entry)).collect(),
            ..self
        }
    }

    /// The state that they make.
    pub fn state(self, blueprint: Blueprint, deadlines: Deadlines) -> ClusterState {
        let mut state = ClusterState::loaded(self.record, blueprint, deadlines);
        state.ledger = self.ledger.into();
        state.services = self.services.into();
        state.kept = self.kept.into();
        state.operations = self.operations;
        state
    }
}

/// What a start needs of all clusters.
#[derive(Debug)]
pub struct Heads {
    /// The head of each cluster.
    pub clusters: Vec<ClusterRecord>,
    /// Every operation, running or ended.
    pub operations: Vec<OperationInfo>,
    /// Those of them that have not ended.
    pub running: RunningOperations,
}

/// Decodes the heads and operations of all clusters.
pub fn load_heads(found: &Found) -> Result<Heads, ReadError> {
    let clusters = found.scan::<StoredCluster>(&[])?.into_iter().map(|StoredCluster(record)| record).collect();
    let (mut operations, mut running) = (Vec::new(), RunningOperations::new());
    for StoredOperation(operation) in found.scan::<StoredOperation>(&[])? {
        if operation.info.phase.is_ended() {
            operations.push(operation.info);
        } else {
            operations.push(operation.info.clone());
            running.entry(operation.info.cluster_id).or_default().insert(operation.info.id, operation);
        }
    }
    Ok(Heads { clusters, operations, running })
}

/// Decodes the rest of one cluster.
pub fn load_rest(
    found: &Found,
    record: ClusterRecord,
    operations: BTreeMap<OperationId, OperationRecord>,
) -> Result<StoredParts, ReadError> {
    let cluster = record.id;
    let entries = found.scan::<StoredEntry>(cluster.as_bytes())?;
    let services = found.scan::<StoredService>(cluster.as_bytes())?;
    let kept = found.scan::<StoredKept>(cluster.as_bytes())?;
    Ok(StoredParts { operations, ..StoredParts::of(record).with(entries, services, kept) })
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
    Ok(Some(StoredParts::of(record).with(entries, services, kept)))
}

/// The last event that was written, if there is any.
pub async fn newest_event(store: &Store) -> Result<Option<StoredEvent>, ReadError> {
    let last = *store.last_event().borrow();
    let newest = store.read_events(last.saturating_sub(1), 1).await?;
    Ok(newest.first().map(|event| event.decode()).transpose()?)
}
