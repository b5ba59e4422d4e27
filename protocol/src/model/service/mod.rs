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
pub use files::{ConfigFile, FileContent, FileMode, Mount, MountKind, SecretFile};
pub use health::{Health, HealthCheck, Probe};
pub use logs::{LogLine, LogSource};
pub use ports::{Endpoint, Exposure, Port, Transport};
pub use update::{UpdateOrder, UpdatePolicy};

use crate::growing::growing_words;
use crate::quantity::{Bytes, CpuMillis};
use crate::{Cause, ClusterId, Name, ServiceId, Timestamp};

/// What a user asks for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
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
    /// Whether a volume that is on one machine may be made anew, and empty, on another one. If not, the service goes where
    /// its volumes are.
    #[serde(default)]
    pub allow_empty_volume: bool,
    /// As whom its processes run: `UID`, `UID:GID`, or names that the image knows, `USER` or `USER:GROUP`. As the image says
    /// if left out.
    #[serde(default)]
    pub user: Option<String>,
    /// Whether a small process 1 of the orchestrator's own reaps what the service's processes leave, and hands signals on.
    #[serde(default)]
    pub init: bool,
    /// The signal that asks a copy to end, such as `SIGTERM` or `SIGRTMIN+3`. As the image says if left out.
    #[serde(default)]
    pub stop_signal: Option<String>,
    /// Milliseconds that a copy may take to end after it was asked to; then it is killed.
    #[serde(default = "stop_grace")]
    pub stop_grace_ms: u64,
    /// How it shows that it is well: a check, or `none` for no check at all. The check of the image if left out, where the
    /// orchestrator runs such.
    #[serde(default)]
    pub health: Option<Health>,
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

fn stop_grace() -> u64 {
    ServiceSpec::STOP_GRACE_MS
}

impl ServiceSpec {
    /// What [`ServiceSpec::stop_grace_ms`] is if nothing is said: 10 seconds, on every orchestrator.
    pub const STOP_GRACE_MS: u64 = 10_000;

    /// A service of one copy, with nothing but a name and an image.
    pub fn new(name: Name, image: &str) -> Self {
        Self {
            name,
            image: image.to_owned(),
            command: Vec::new(),
            args: Vec::new(),
            env: BTreeMap::new(),
            secrets: Vec::new(),
            files: Vec::new(),
            mode: ServiceMode::default(),
            replicas: 1,
            resources: Resources::default(),
            ports: Vec::new(),
            mounts: Vec::new(),
            allow_empty_volume: false,
            user: None,
            init: false,
            stop_signal: None,
            stop_grace_ms: Self::STOP_GRACE_MS,
            health: None,
            constraints: Vec::new(),
            update: UpdatePolicy::default(),
            labels: BTreeMap::new(),
        }
    }

    /// Its own health check, if it has one.
    pub fn health_check(&self) -> Option<&HealthCheck> {
        self.health.as_ref().and_then(Health::check)
    }
}

/// How copies of a service are spread.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
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
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
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

growing_words! {
    /// How a service is, in one word.
    pub enum ServicePhase {
        /// It never ran as asked and is being deployed.
        Deploying = 0 => "deploying",
        /// All its copies were seen to run, and to be healthy where it has a health check.
        Running = 1 => "running",
        /// It ran and is being changed.
        Updating = 2 => "updating",
        /// Not all its copies run or are healthy; the cause says why.
        Degraded = 3 => "degraded",
        /// A job that ended with success.
        Complete = 4 => "complete",
        /// It is being removed.
        Removing = 5 => "removing",
    }
}

/// One service of a cluster.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
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
    /// The digest to which the image's tag was resolved when it was submitted, and which every copy runs. None if the
    /// orchestrator's machines resolve the tag themselves.
    pub digest: Option<String>,
    /// How the image checks its own health, if the spec says nothing of health and the orchestrator heeds the image's check:
    /// `CMD-SHELL curl -f http://localhost/`. Seen where a copy runs.
    pub image_health: Option<String>,
    /// Where it is reached from outside.
    pub endpoints: Vec<Endpoint>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When what is asked for last changed.
    pub updated_at: Timestamp,
    /// What is wrong with it.
    pub cause: Option<Cause>,
}
