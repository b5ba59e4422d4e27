//! Services.

use std::collections::BTreeMap;

use muster_engine::desired::{ServiceRecord, ServiceVersion};
use muster_protocol::model::service::{
    ConfigFile, Constraint, Exposure, FileContent, FileMode, Health, HealthCheck, Mount, MountKind, Port, Probe,
    Resources, SecretFile, ServiceMode, ServicePhase, ServiceSpec, Transport, UpdateOrder, UpdatePolicy,
};
use muster_protocol::quantity::{Bytes, CpuMillis};
use muster_protocol::{ClusterId, Name, ServiceId, Timestamp};
use serde::{Deserialize, Serialize};

use super::cause::CauseForm;
use super::{Form, Readable, form, lies_as_it_is};
use crate::journal::records::StoredService;

lies_as_it_is!(
    Constraint,
    Exposure,
    FileContent,
    FileMode,
    MountKind,
    ServiceMode,
    ServicePhase,
    Transport,
    UpdateOrder
);

form!(ServiceForm of StoredService {
    cluster: ClusterId,
    name: Name,
    service: RecordForm,
});

form!(RecordForm of ServiceRecord {
    id: ServiceId,
    generation: u64,
    version: VersionForm,
    absent: bool,
    last_good: Option<VersionForm>,
    template: Option<String>,
    phase: ServicePhase,
    created_at: Timestamp,
    updated_at: Timestamp,
    withdrawn: Option<CauseForm>,
});

form!(VersionForm of ServiceVersion {
    spec: SpecForm,
    secrets_version: u64,
    digest: Option<String>,
});

form!(SpecForm of ServiceSpec {
    name: Name,
    image: String,
    command: Vec<String>,
    args: Vec<String>,
    env: BTreeMap<String, String>,
    secrets: Vec<SecretForm>,
    files: Vec<FileForm>,
    mode: ServiceMode,
    replicas: u32,
    resources: ResourcesForm,
    ports: Vec<PortForm>,
    mounts: Vec<MountForm>,
    health: Option<HealthForm>,
    constraints: Vec<Constraint>,
    update: UpdateForm,
    labels: BTreeMap<String, String>,
    allow_empty_volume: bool,
    user: Option<String>,
    init: bool,
    stop_signal: Option<String>,
    stop_grace_ms: u64,
});

/// A secret without its value, which lies sealed in a place of its own, never here.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::journal) struct SecretForm {
    name: Name,
    path: Option<String>,
    mode: FileMode,
    uid: u32,
    gid: u32,
}

impl Form<SecretFile> for SecretForm {
    fn of(SecretFile { name, value: _, path, mode, uid, gid }: &SecretFile) -> Self {
        Self { name: name.clone(), path: path.clone(), mode: *mode, uid: *uid, gid: *gid }
    }
}

impl Readable<SecretFile> for SecretForm {
    fn value(self) -> SecretFile {
        let Self { name, path, mode, uid, gid } = self;
        SecretFile { name, value: None, path, mode, uid, gid }
    }
}

form!(FileForm of ConfigFile {
    path: String,
    content: FileContent,
    mode: FileMode,
    uid: u32,
    gid: u32,
});

form!(ResourcesForm of Resources {
    cpu_limit: Option<CpuMillis>,
    memory_limit: Option<Bytes>,
    cpu_reservation: Option<CpuMillis>,
    memory_reservation: Option<Bytes>,
});

form!(PortForm of Port {
    port: u16,
    protocol: Transport,
    exposure: Exposure,
    published: Option<u16>,
});

form!(MountForm of Mount {
    kind: MountKind,
    source: Option<String>,
    target: String,
    read_only: bool,
});

/// What is asked for of a service's health.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::journal) enum HealthForm {
    /// Nothing.
    None,
    /// A check.
    Check(CheckForm),
}

impl Form<Health> for HealthForm {
    fn of(value: &Health) -> Self {
        match value {
            Health::None => Self::None,
            Health::Check(check) => Self::Check(Form::of(check)),
        }
    }
}

impl Readable<Health> for HealthForm {
    fn value(self) -> Health {
        match self {
            Self::None => Health::None,
            Self::Check(check) => Health::Check(check.value()),
        }
    }
}

form!(CheckForm of HealthCheck {
    probe: ProbeForm,
    interval_ms: u64,
    timeout_ms: u64,
    retries: u32,
    start_period_ms: u64,
});

/// What a health check asks.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::journal) enum ProbeForm {
    /// A command in the container.
    Command(Vec<String>),
    /// A page of a port.
    Http(u16, String),
    /// A connection to a port.
    Tcp(u16),
}

impl Form<Probe> for ProbeForm {
    fn of(value: &Probe) -> Self {
        match value {
            Probe::Command(command) => Self::Command(command.clone()),
            Probe::Http { port, path } => Self::Http(*port, path.clone()),
            Probe::Tcp(port) => Self::Tcp(*port),
        }
    }
}

impl Readable<Probe> for ProbeForm {
    fn value(self) -> Probe {
        match self {
            Self::Command(command) => Probe::Command(command),
            Self::Http(port, path) => Probe::Http { port, path },
            Self::Tcp(port) => Probe::Tcp(port),
        }
    }
}

form!(UpdateForm of UpdatePolicy {
    parallelism: u32,
    delay_ms: u64,
    order: UpdateOrder,
    deadline_ms: u64,
});
