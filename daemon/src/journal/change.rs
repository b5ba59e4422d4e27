//! The changes of one cluster as one batch: all on disk, or none.

use std::collections::BTreeSet;

use muster_engine::session::KeptEntry;
use muster_engine::state::{Announcement, ClusterState, RecordChange, difference};
use muster_protocol::{ClusterId, Name, ServiceId};
use muster_store::{Batch, BatchError};

use super::records::{StoredCluster, StoredEntry, StoredEvent, StoredKept, StoredOperation, StoredService};
use super::vault;

/// Adds what changed between two states, and what is to be announced with it.
pub fn write_difference(batch: &mut Batch, before: &ClusterState, after: &ClusterState) -> Result<(), BatchError> {
    let cluster = after.id();
    for change in difference(before, after) {
        write_change(batch, cluster, change)?;
    }
    for key in sealed(before).filter(|key| after.kept.get(*key) != Some(&KeptEntry::Sealed)) {
        batch.delete_sealed(&vault::kept_key(cluster, key))?;
    }
    forget_secrets(batch, kept_secrets(before).difference(&kept_secrets(after)))?;
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

/// Adds a cluster that was recovered.
pub fn write_recovered(batch: &mut Batch, state: &ClusterState) -> Result<(), BatchError> {
    write_new(batch, state)?;
    for (key, entry) in state.ledger.iter() {
        batch.put(&StoredEntry { cluster: state.id(), key: key.clone(), entry: entry.clone() })?;
    }
    Ok(())
}

/// Adds the removal of everything that is stored of a cluster but its operations and events, which are history.
pub fn write_removal(batch: &mut Batch, state: &ClusterState) -> Result<(), BatchError> {
    let cluster = state.id();
    batch.delete::<StoredCluster>(cluster.as_bytes())?;
    batch.delete_sealed(&vault::material_key(cluster))?;
    for key in state.ledger.keys() {
        batch.delete::<StoredEntry>(&StoredEntry::key_of(cluster, key))?;
    }
    for name in state.services.keys() {
        batch.delete::<StoredService>(&StoredService::key_of(cluster, name))?;
    }
    for key in state.kept.keys() {
        batch.delete::<StoredKept>(&StoredKept::key_of(cluster, key))?;
    }
    for key in sealed(state) {
        batch.delete_sealed(&vault::kept_key(cluster, key))?;
    }
    forget_secrets(batch, &kept_secrets(state))
}

fn write_change(batch: &mut Batch, cluster: ClusterId, change: RecordChange) -> Result<(), BatchError> {
    match change {
        RecordChange::Cluster(record) => batch.put(&StoredCluster(*record))?,
        RecordChange::Ledger(key, Some(entry)) => batch.put(&StoredEntry { cluster, key, entry: *entry })?,
        RecordChange::Ledger(key, None) => batch.delete::<StoredEntry>(&StoredEntry::key_of(cluster, &key))?,
        RecordChange::Service(name, Some(service)) => batch.put(&StoredService { cluster, name, service: *service })?,
        RecordChange::Service(name, None) => batch.delete::<StoredService>(&StoredService::key_of(cluster, &name))?,
        RecordChange::Kept(key, Some(entry)) => batch.put(&StoredKept { cluster, key, entry })?,
        RecordChange::Kept(key, None) => batch.delete::<StoredKept>(&StoredKept::key_of(cluster, &key))?,
        RecordChange::Operation(_, operation) => batch.put(&StoredOperation(*operation))?,
    };
    Ok(())
}

/// The keys of values that a session keeps sealed.
fn sealed(state: &ClusterState) -> impl Iterator<Item = &String> {
    state.kept.iter().filter(|(_, entry)| **entry == KeptEntry::Sealed).map(|(key, _)| key)
}

/// Whose secrets in which version may still be asked for: of what is asked for now, of the last good version, to which a
/// change that fails returns, and of what was asked for before a change that may be cancelled.
fn kept_secrets(state: &ClusterState) -> BTreeSet<(ServiceId, u64)> {
    let mut kept = BTreeSet::new();
    for (name, service) in state.services.iter() {
        let running = state.operations.values().filter(|operation| !operation.info.phase.is_ended());
        let versions = [Some(&service.version), service.last_good.as_ref()].into_iter().flatten();
        let versions = versions.chain(running.filter_map(|operation| operation.before(name)));
        kept.extend(versions.map(|version| (service.id, version.secrets_version)).filter(|(_, version)| *version > 0));
    }
    kept
}

fn forget_secrets<'a>(
    batch: &mut Batch,
    secrets: impl IntoIterator<Item = &'a (ServiceId, u64)>,
) -> Result<(), BatchError> {
    for (service, version) in secrets {
        batch.delete_sealed(&vault::secrets_key(*service, *version))?;
    }
    Ok(())
}

fn write_announcements(batch: &mut Batch, state: &ClusterState) -> Result<(), BatchError> {
    let name = &state.desired().spec.name;
    for announcement in &state.outbox {
        batch.append_event(&stored_event(state, name, announcement))?;
    }
    Ok(())
}

fn stored_event(state: &ClusterState, name: &Name, announcement: &Announcement) -> StoredEvent {
    let operation = announcement.operation.and_then(|id| state.operations.get(&id));
    StoredEvent {
        at: announcement.at,
        kind: announcement.kind,
        cluster: Some((state.id(), name.clone())),
        operation: announcement.operation,
        service: announcement.service.clone(),
        who: operation.map(|operation| operation.info.requested_by.clone()),
        message: announcement.message.clone(),
        cause: announcement.cause.clone(),
    }
}
