//! The changes of one cluster as one batch: all on disk, or none.

use muster_engine::state::{Announcement, ClusterState, RecordChange, difference};
use muster_protocol::{ClusterId, Name};
use muster_store::{Batch, BatchError};

use super::records::{StoredCluster, StoredEntry, StoredEvent, StoredOperation, StoredService};
use super::vault;

/// Adds what changed between two states, and what is to be announced with it.
pub fn write_difference(batch: &mut Batch, before: &ClusterState, after: &ClusterState) -> Result<(), BatchError> {
    let cluster = after.id();
    for change in difference(before, after) {
        write_change(batch, cluster, before, change)?;
    }
    write_announcements(batch, after)
}

/// Adds a cluster that was just asked for.
pub fn write_new(batch: &mut Batch, state: &ClusterState) -> Result<(), BatchError> {
    batch.put(&StoredCluster((*state.record).clone()))?;
    for operation in state.operations.values() {
        batch.put(&StoredOperation(operation.clone()))?;
    }
    write_announcements(batch, state)
}

/// Adds the removal of everything that is stored of a cluster but its operations and events, which are history.
pub fn write_removal(batch: &mut Batch, state: &ClusterState) -> Result<(), BatchError> {
    let cluster = state.id();
    batch.delete::<StoredCluster>(cluster.as_bytes())?;
    batch.delete_sealed(&vault::material_key(cluster))?;
    for key in state.ledger.keys() {
        batch.delete::<StoredEntry>(&StoredEntry::key_of(cluster, key))?;
    }
    for (name, service) in state.services.iter() {
        batch.delete::<StoredService>(&StoredService::key_of(cluster, name))?;
        forget_secrets(batch, service)?;
    }
    Ok(())
}

fn write_change(
    batch: &mut Batch,
    cluster: ClusterId,
    before: &ClusterState,
    change: RecordChange,
) -> Result<(), BatchError> {
    match change {
        RecordChange::Cluster(record) => batch.put(&StoredCluster(*record))?,
        RecordChange::Ledger(key, Some(entry)) => batch.put(&StoredEntry { cluster, key, entry: *entry })?,
        RecordChange::Ledger(key, None) => batch.delete::<StoredEntry>(&StoredEntry::key_of(cluster, &key))?,
        RecordChange::Service(name, Some(service)) => {
            if let Some(old) = before.services.get(&name) {
                forget_unused_secrets(batch, old, &service)?;
            }
            batch.put(&StoredService { cluster, name, service: *service })?
        }
        RecordChange::Service(name, None) => {
            if let Some(old) = before.services.get(&name) {
                forget_secrets(batch, old)?;
            }
            batch.delete::<StoredService>(&StoredService::key_of(cluster, &name))?
        }
        RecordChange::Operation(_, operation) => batch.put(&StoredOperation(*operation))?,
    };
    Ok(())
}

/// Secrets are kept for the version that is asked for and for the last good one, which may return.
fn forget_unused_secrets(
    batch: &mut Batch,
    old: &muster_engine::desired::ServiceRecord,
    new: &muster_engine::desired::ServiceRecord,
) -> Result<(), BatchError> {
    let kept = secret_versions(new);
    for version in secret_versions(old) {
        if !kept.contains(&version) {
            batch.delete_sealed(&vault::secrets_key(old.id, version))?;
        }
    }
    Ok(())
}

fn forget_secrets(batch: &mut Batch, service: &muster_engine::desired::ServiceRecord) -> Result<(), BatchError> {
    for version in secret_versions(service) {
        batch.delete_sealed(&vault::secrets_key(service.id, version))?;
    }
    Ok(())
}

fn secret_versions(service: &muster_engine::desired::ServiceRecord) -> Vec<u64> {
    let present = [Some(&service.version), service.last_good.as_ref()];
    let versions = present.into_iter().flatten().map(|version| version.secrets_version);
    versions.filter(|version| *version > 0).collect()
}

fn write_announcements(batch: &mut Batch, state: &ClusterState) -> Result<(), BatchError> {
    let name = &state.desired().spec.name;
    for announcement in &state.outbox {
        batch.append_event(&stored_event(state.id(), name, announcement))?;
    }
    Ok(())
}

fn stored_event(cluster: ClusterId, name: &Name, announcement: &Announcement) -> StoredEvent {
    StoredEvent {
        at: announcement.at,
        kind: announcement.kind,
        cluster: Some((cluster, name.clone())),
        operation: announcement.operation,
        service: announcement.service.clone(),
        message: announcement.message.clone(),
        cause: announcement.cause.clone(),
    }
}
