//! A disk that knows only what was written to it.

use std::collections::BTreeMap;

use muster_engine::blueprint::Blueprint;
use muster_engine::desired::{ClusterRecord, ServiceRecord};
use muster_engine::ledger::Ledger;
use muster_engine::operation::OperationRecord;
use muster_engine::session::KeptEntries;
use muster_engine::state::{ClusterState, Deadlines, RecordChange};
use muster_protocol::{Name, OperationId};

/// See the module.
#[derive(Clone)]
pub struct Disk {
    record: ClusterRecord,
    ledger: Ledger,
    services: BTreeMap<Name, ServiceRecord>,
    kept: KeptEntries,
    operations: BTreeMap<OperationId, OperationRecord>,
}

impl Disk {
    /// A cluster's first write.
    pub fn of_new(state: &ClusterState) -> Self {
        Self {
            record: (*state.record).clone(),
            ledger: (*state.ledger).clone(),
            services: (*state.services).clone(),
            kept: (*state.kept).clone(),
            operations: state.operations.clone(),
        }
    }

    pub fn write(&mut self, changes: Vec<RecordChange>) {
        for change in changes {
            match change {
                RecordChange::Cluster(record) => self.record = *record,
                RecordChange::Ledger(key, Some(entry)) => {
                    self.ledger.insert(key, *entry);
                }
                RecordChange::Ledger(key, None) => {
                    self.ledger.remove(&key);
                }
                RecordChange::Service(name, Some(service)) => {
                    self.services.insert(name, *service);
                }
                RecordChange::Service(name, None) => {
                    self.services.remove(&name);
                }
                RecordChange::Kept(key, Some(entry)) => {
                    self.kept.insert(key, entry);
                }
                RecordChange::Kept(key, None) => {
                    self.kept.remove(&key);
                }
                RecordChange::Operation(id, operation) => {
                    self.operations.insert(id, *operation);
                }
            }
        }
    }

    /// What a daemon that starts reads.
    pub fn load(&self, blueprint: Blueprint, deadlines: Deadlines) -> ClusterState {
        let mut state = ClusterState::loaded(self.record.clone(), blueprint, deadlines);
        state.ledger = self.ledger.clone().into();
        state.services = self.services.clone().into();
        state.kept = self.kept.clone().into();
        state.operations = self.operations.clone();
        state.forget_ended_operations();
        state
    }

    pub fn assert_says(&self, state: &ClusterState) {
        assert_eq!(self.record, *state.record);
        assert_eq!(self.ledger, *state.ledger);
        assert_eq!(self.services, *state.services);
        assert_eq!(self.kept, *state.kept);
        let running = self.operations.iter().filter(|(_, operation)| !operation.info.phase.is_ended());
        assert!(running.eq(state.operations.iter()), "operations on disk differ from those in memory");
    }
}
