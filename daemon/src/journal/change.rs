//! The changes of one cluster as one batch: all on disk, or none.

use std::collections::BTreeSet;

use muster_engine::state::{Announcement, ClusterState, RecordChange, difference};
use muster_protocol::{ClusterId, Name, ServiceId};
use muster_store::{Batch, BatchError};

use super::records::{StoredCluster, StoredEntry, StoredEvent, StoredOperation, StoredService};
use super::vault;

/// Adds what changed between two states, and what is to be announced with it.
pub fn write_difference(batch: &mut Batch, before: &ClusterState, after: &ClusterState) -> Result<(), BatchError> {
    let cluster = after.id();
    for change in difference(before, after) {
        write_change(batch, cluster, change)?;
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
    forget_secrets(batch, &kept_secrets(state))
}

fn write_change(batch: &mut Batch, cluster: ClusterId, change: RecordChange) -> Result<(), BatchError> {
    match change {
        RecordChange::Cluster(record) => batch.put(&StoredCluster(*record))?,
        RecordChange::Ledger(key, Some(entry)) => batch.put(&StoredEntry { cluster, key, entry: *entry })?,
        RecordChange::Ledger(key, None) => batch.delete::<StoredEntry>(&StoredEntry::key_of(cluster, &key))?,
        RecordChange::Service(name, Some(service)) => batch.put(&StoredService { cluster, name, service: *service })?,
        RecordChange::Service(name, None) => batch.delete::<StoredService>(&StoredService::key_of(cluster, &name))?,
        RecordChange::Operation(_, operation) => batch.put(&StoredOperation(*operation))?,
    };
    Ok(())
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
