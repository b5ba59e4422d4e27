//! Forms of earlier schema versions. They are read and never written.
//!
//! Version 1 of services and operations: services said nothing of how their processes run and end, and files nothing of
//! who may read them.

use std::collections::BTreeMap;

use muster_engine::desired::{ServiceRecord, ServiceVersion};
use muster_engine::operation::{OperationRecord, ServiceTarget, Target};
use muster_protocol::model::service::{
    ConfigFile, Constraint, FileContent, FileMode, Health, SecretFile, ServiceMode, ServicePhase, ServiceSpec,
};
use muster_protocol::{ClusterId, Name, ServiceId, Timestamp};
use serde::Deserialize;

use super::cause::CauseForm;
use super::cluster::DesiredForm;
use super::operation::InfoForm;
use super::service::{CheckForm, MountForm, PortForm, ResourcesForm, UpdateForm};
use super::{Readable, earlier_form};
use crate::journal::records::StoredService;

earlier_form!(EarlierService of StoredService {
    cluster: ClusterId,
    name: Name,
    service: EarlierRecord,
} then {});

earlier_form!(EarlierRecord of ServiceRecord {
    id: ServiceId,
    generation: u64,
    version: EarlierVersion,
    absent: bool,
    last_good: Option<EarlierVersion>,
    template: Option<String>,
    phase: ServicePhase,
    created_at: Timestamp,
    updated_at: Timestamp,
    withdrawn: Option<CauseForm>,
} then {});

earlier_form!(EarlierOperation of OperationRecord {
    info: InfoForm,
    target: EarlierTarget,
} then {});

/// What an operation changed.
#[derive(Clone, Debug, Deserialize)]
pub(in crate::journal) enum EarlierTarget {
    /// The cluster: what was asked for before.
    Cluster(Option<DesiredForm>),
    /// Services.
    Services(Vec<EarlierServiceTarget>),
}

impl Readable<Target> for EarlierTarget {
    fn value(self) -> Target {
        match self {
            Self::Cluster(before) => Target::Cluster { before: before.value() },
            Self::Services(targets) => Target::Services(targets.value()),
        }
    }
}

earlier_form!(EarlierServiceTarget of ServiceTarget {
    name: Name,
    generation: u64,
    before: Option<EarlierVersion>,
} then {});

earlier_form!(EarlierVersion of ServiceVersion {
    spec: EarlierSpec,
    secrets_version: u64,
} then {
    digest: None,
});

earlier_form!(EarlierSpec of ServiceSpec {
    name: Name,
    image: String,
    command: Vec<String>,
    args: Vec<String>,
    env: BTreeMap<String, String>,
    secrets: Vec<EarlierSecret>,
    files: Vec<EarlierFile>,
    mode: ServiceMode,
    replicas: u32,
    resources: ResourcesForm,
    ports: Vec<PortForm>,
    mounts: Vec<MountForm>,
    health: Option<EarlierHealth>,
    constraints: Vec<Constraint>,
    update: UpdateForm,
    labels: BTreeMap<String, String>,
} then {
    allow_empty_volume: false,
    user: None,
    init: false,
    stop_signal: None,
    stop_grace_ms: ServiceSpec::STOP_GRACE_MS,
});

earlier_form!(EarlierSecret of SecretFile {
    name: Name,
    path: Option<String>,
} then {
    value: None,
    mode: FileMode::default(),
    uid: 0,
    gid: 0,
});

earlier_form!(EarlierFile of ConfigFile {
    path: String,
    content: FileContent,
} then {
    mode: FileMode::default(),
    uid: 0,
    gid: 0,
});

/// There was a check or nothing.
#[derive(Clone, Debug, Deserialize)]
pub(in crate::journal) struct EarlierHealth(CheckForm);

impl Readable<Health> for EarlierHealth {
    fn value(self) -> Health {
        Health::Check(self.0.value())
    }
}
