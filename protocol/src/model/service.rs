//! Services, in orchestrator-neutral form.
//!
//! A field that an orchestrator cannot honour is refused with code
//! `unsupported` and the field's name; nothing is dropped silently.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::quantity::{Bytes, CpuMillis};
use crate::{Cause, ClusterId, Name, SecretString, ServiceId, Timestamp};

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

/// A secret, as a file in the container.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SecretFile {
    /// Its name, unique in the service.
    pub name: Name,
    /// The value. Needed when the service is created; left out of an update it stays as it was. Never shown.
    #[serde(default)]
    pub value: Option<SecretString>,
    /// The file's absolute path; `/run/secrets/NAME` if left out.
    #[serde(default)]
    pub path: Option<String>,
}

impl SecretFile {
    /// Where the container finds it.
    pub fn target(&self) -> String {
        self.path.clone().unwrap_or_else(|| format!("/run/secrets/{}", self.name))
    }
}

/// A configuration file in the container.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConfigFile {
    /// The file's absolute path.
    pub path: String,
    /// Its text.
    pub content: String,
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

/// A port that a service listens on.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Port {
    /// The port in the container.
    pub port: u16,
    /// Its transport.
    #[serde(default)]
    pub protocol: Transport,
    /// Who can reach it.
    #[serde(default)]
    pub exposure: Exposure,
    /// Under which number it is published; chosen by the orchestrator if left out. Only with an exposure outside the cluster.
    #[serde(default)]
    pub published: Option<u16>,
}

/// A port's transport.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Transport {
    /// TCP.
    #[default]
    Tcp,
    /// UDP.
    Udp,
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        })
    }
}

/// Who can reach a port.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Exposure {
    /// Only services of the same cluster, by the service's name.
    #[default]
    Cluster,
    /// Everyone who reaches the machine on which a copy runs.
    Host,
    /// Everyone who reaches any machine of the cluster.
    Ingress,
}

/// What is mounted into each copy of a service.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Mount {
    /// The kind.
    pub kind: MountKind,
    /// `volume`: the volume's name (kept when copies go; made anew where it is not). `bind`: a path on the machine. `tmpfs`: nothing.
    #[serde(default)]
    pub source: Option<String>,
    /// The absolute path in the container.
    pub target: String,
    /// Whether it can only be read.
    #[serde(default)]
    pub read_only: bool,
}

/// The kind of a mount.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MountKind {
    /// Storage that outlives the copy.
    Volume,
    /// A path of the machine.
    Bind,
    /// Memory; gone with the copy.
    Tmpfs,
}

/// How a service shows that it is well.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HealthCheck {
    /// What is asked.
    pub probe: Probe,
    /// Milliseconds between two probes.
    #[serde(default = "ten_seconds")]
    pub interval_ms: u64,
    /// Milliseconds after which a probe counts as failed.
    #[serde(default = "five_seconds")]
    pub timeout_ms: u64,
    /// How many failures in a row make it unhealthy.
    #[serde(default = "three")]
    pub retries: u32,
    /// Milliseconds after its start in which failures do not count.
    #[serde(default)]
    pub start_period_ms: u64,
}

fn ten_seconds() -> u64 {
    10_000
}

fn five_seconds() -> u64 {
    5_000
}

fn three() -> u32 {
    3
}

/// What a health check asks.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Probe {
    /// A command in the container; exit code 0 is well.
    Command(Vec<String>),
    /// An HTTP GET; a status from 200 to 399 is well.
    Http {
        /// The port in the container.
        port: u16,
        /// The path, from `/`.
        path: String,
    },
    /// A connection can be made to this port in the container.
    Tcp(u16),
}

/// A condition on the machine that runs a copy, written `role==worker`, `host!=worker-2` or `label.disk==ssd`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Constraint {
    /// What is compared.
    pub attribute: Attribute,
    /// Whether it must be equal, or must not be.
    pub equal: bool,
    /// With what.
    pub value: String,
}

/// What of a machine a constraint compares.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Attribute {
    /// `control-plane` or `worker`.
    Role,
    /// The machine's name within the cluster.
    Host,
    /// One of the orchestrator's labels on the machine.
    Label(String),
}

impl fmt::Display for Constraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.attribute {
            Attribute::Role => f.write_str("role")?,
            Attribute::Host => f.write_str("host")?,
            Attribute::Label(label) => write!(f, "label.{label}")?,
        }
        write!(f, "{}{}", if self.equal { "==" } else { "!=" }, self.value)
    }
}

impl FromStr for Constraint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let form = || {
            format!(
                "`{text}` is not a constraint; write for example `role==worker`, `host!=worker-2` or `label.disk==ssd`"
            )
        };
        let (attribute, equal, value) = match (text.split_once("=="), text.split_once("!=")) {
            (Some((attribute, value)), None) => (attribute, true, value),
            (None, Some((attribute, value))) => (attribute, false, value),
            (Some(_), Some(_)) | (None, None) => return Err(form()),
        };
        let (attribute, value) = (attribute.trim(), value.trim());
        if value.is_empty() {
            return Err(form());
        }
        let attribute = match attribute {
            "role" if value == "control-plane" || value == "worker" => Attribute::Role,
            "role" => return Err(format!("`{text}`: a role is `control-plane` or `worker`")),
            "host" => Attribute::Host,
            other => match other.strip_prefix("label.") {
                Some(label) if !label.is_empty() => Attribute::Label(label.to_owned()),
                Some(_) | None => return Err(form()),
            },
        };
        Ok(Self { attribute, equal, value: value.to_owned() })
    }
}

impl TryFrom<String> for Constraint {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Constraint> for String {
    fn from(constraint: Constraint) -> Self {
        constraint.to_string()
    }
}

/// How a change is rolled out.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpdatePolicy {
    /// How many copies are changed at once; 0 is all.
    #[serde(default = "one")]
    pub parallelism: u32,
    /// Milliseconds between one group of copies and the next.
    #[serde(default)]
    pub delay_ms: u64,
    /// Which goes first.
    #[serde(default)]
    pub order: UpdateOrder,
    /// Milliseconds until the change must be seen to be well; then the last good version returns.
    #[serde(default = "five_minutes")]
    pub deadline_ms: u64,
}

fn five_minutes() -> u64 {
    300_000
}

impl Default for UpdatePolicy {
    fn default() -> Self {
        Self { parallelism: 1, delay_ms: 0, order: UpdateOrder::default(), deadline_ms: five_minutes() }
    }
}

/// Which goes first in a change.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UpdateOrder {
    /// The old copy is stopped, then the new one starts.
    #[default]
    StopFirst,
    /// The new copy is started, then the old one stops.
    StartFirst,
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

/// Where a service is reached from outside its cluster.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Endpoint {
    /// The address of a machine.
    pub address: String,
    /// The published port.
    pub published: u16,
    /// The port in the container.
    pub port: u16,
    /// Its transport.
    pub protocol: Transport,
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

/// From where in a service's output.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogSource {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// One line of a service's output.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LogLine {
    /// The container's id.
    pub container: String,
    /// The container's name, where known.
    pub name: String,
    /// From where.
    pub source: LogSource,
    /// When, where the orchestrator says so.
    pub at: Option<Timestamp>,
    /// The line, without its end. Bytes that are no UTF-8 are replaced.
    pub text: String,
}
