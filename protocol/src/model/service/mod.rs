//! Services, in orchestrator-neutral form.
//!
//! A field that an orchestrator cannot honour is refused with code
//! `unsupported` and the field's name; nothing is dropped silently.

mod constraint;
mod files;
mod health;
mod logs;
mod ports;
mod update;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

pub use constraint::{Attribute, Constraint};
pub use files::{ConfigFile, Mount, MountKind, SecretFile};
pub use health::{HealthCheck, Probe};
pub use logs::{LogLine, LogSource};
pub use ports::{Endpoint, Exposure, Port, Transport};
pub use update::{UpdateOrder, UpdatePolicy};

use crate::quantity::{Bytes, CpuMillis};
use crate::{Cause, ClusterId, Name, ServiceId, Timestamp};

/// What a user asks for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ServiceSpec {
    /// Unique in its cluster; also the name under which other services of the cluster reach it.
    pub name: Name,
    /// The image, as the orchestrator pulls it.
    pub image: String,
    /// Replaces the image's entry point.
    #[serde(default)]
    pub command: Vec<String>,
    /// Arguments to the entry point.
    #[serde(default)]
    pub args: Vec<String>,
    /// Environment variables. Not for secrets.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Secrets, as files in the container.
    #[serde(default)]
    pub secrets: Vec<SecretFile>,
    /// Configuration files in the container. Not for secrets.
    #[serde(default)]
    pub files: Vec<ConfigFile>,
    /// How its copies are spread.
    #[serde(default)]
    pub mode: ServiceMode,
    /// How many copies, for `replicated`; how many must complete, for `job`; must be 1 for `global`.
    #[serde(default = "one")]
    pub replicas: u32,
    /// What each copy may use and what is kept for it.
    #[serde(default)]
    pub resources: Resources,
    /// Ports it listens on.
    #[serde(default)]
    pub ports: Vec<Port>,
    /// What is mounted into each copy.
    #[serde(default)]
    pub mounts: Vec<Mount>,
    /// How it shows that it is well.
    #[serde(default)]
    pub health: Option<HealthCheck>,
    /// On which machines it may run: all must hold.
    #[serde(default)]
    pub constraints: Vec<Constraint>,
    /// How a change is rolled out.
    #[serde(default)]
    pub update: UpdatePolicy,
    /// The user's own labels.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

fn one() -> u32 {
    1
}

/// How copies of a service are spread.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ServiceMode {
    /// A number of copies, wherever there is room.
    #[default]
    Replicated,
    /// One copy on every machine that the constraints allow.
    Global,
    /// Runs to completion and is not started again.
    Job,
}

impl fmt::Display for ServiceMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Replicated => "replicated",
            Self::Global => "global",
            Self::Job => "job",
        })
    }
}

/// What each copy of a service may use, and what is kept for it.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Resources {
    /// Processor time that it may not exceed.
    #[serde(default)]
    pub cpu_limit: Option<CpuMillis>,
    /// Memory that it may not exceed.
    #[serde(default)]
    pub memory_limit: Option<Bytes>,
    /// Processor time that is kept for it.
    #[serde(default)]
    pub cpu_reservation: Option<CpuMillis>,
    /// Memory that is kept for it.
    #[serde(default)]
    pub memory_reservation: Option<Bytes>,
}

/// How a service is, in one word.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ServicePhase {
    /// It never ran as asked and is being deployed.
    Deploying,
    /// All its copies were seen to run, and to be healthy where it has a health check.
    Running,
    /// It ran and is being changed.
    Updating,
    /// Not all its copies run or are healthy; the cause says why.
    Degraded,
    /// A job that ended with success.
    Complete,
    /// It is being removed.
    Removing,
}

impl ServicePhase {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Deploying => "deploying",
            Self::Running => "running",
            Self::Updating => "updating",
            Self::Degraded => "degraded",
            Self::Complete => "complete",
            Self::Removing => "removing",
        }
    }
}

impl fmt::Display for ServicePhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One service of a cluster.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceInfo {
    /// Its id.
    pub id: ServiceId,
    /// The cluster's id.
    pub cluster_id: ClusterId,
    /// The cluster's name.
    pub cluster: Name,
    /// What was asked for; secret values are not in it.
    pub spec: ServiceSpec,
    /// The template it came from, as `name@version`.
    pub template: Option<String>,
    /// Counts the changes of what is asked for, from 1.
    pub generation: u64,
    /// How it is.
    pub phase: ServicePhase,
    /// Copies seen to run (and healthy), or completed, for a job.
    pub ready: u32,
    /// Copies wanted; for `global`, as many as machines that the constraints allow.
    pub wanted: u32,
    /// Where it is reached from outside.
    pub endpoints: Vec<Endpoint>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When what is asked for last changed.
    pub updated_at: Timestamp,
    /// What is wrong with it.
    pub cause: Option<Cause>,
}
