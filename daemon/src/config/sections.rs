//! The sections of the configuration. What each key means stands in [`super::reference`], from which the page for users is made.
#![expect(missing_docs, reason = "said once, in config/reference.rs, and a test sees that no key is left out there")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Socket {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
}

#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AccessConfig {
    pub viewer: Role,
    pub operator: Role,
    pub admin: Role,
    pub trusted: BTreeSet<String>,
}

#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Role {
    pub users: BTreeSet<String>,
    pub groups: BTreeSet<String>,
}

#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PolicyConfig {
    pub bind: Vec<String>,
    pub images: Vec<String>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Store {
    pub export_interval_minutes: u64,
    pub exports_kept: usize,
    pub cache_mib: u64,
    pub accept_older_export: bool,
    pub accept_unwitnessed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_file: Option<PathBuf>,
}

impl Default for Store {
    fn default() -> Self {
        Self {
            export_interval_minutes: 60,
            exports_kept: 3,
            cache_mib: 32,
            accept_older_export: false,
            accept_unwitnessed: false,
            key_file: None,
        }
    }
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct History {
    pub events_kept: u64,
    pub events_days: u64,
    pub operations_kept: usize,
}

impl Default for History {
    fn default() -> Self {
        Self { events_kept: 100_000, events_days: 90, operations_kept: 10_000 }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Upgrade {
    pub adopt: Adopt,
    pub clusters_at_once: usize,
}

impl Default for Upgrade {
    fn default() -> Self {
        Self { adopt: Adopt::Asked, clusters_at_once: 1 }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Adopt {
    Asked,
    Auto,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Audit {
    pub records_kept: u64,
}

impl Default for Audit {
    fn default() -> Self {
        Self { records_kept: 50_000 }
    }
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    pub level: String,
    pub format: Format,
}

impl Default for Log {
    fn default() -> Self {
        Self { level: "info".to_owned(), format: Format::Text }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    Text,
    Json,
    Journal,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    pub sessions: usize,
    pub sessions_per_user: usize,
    pub requests_per_session: usize,
    pub changes_per_user: usize,
    pub changes_per_cluster: usize,
    pub calls_per_cluster: usize,
    pub calls_per_account: usize,
    pub handshake_ms: u64,
    pub frame_ms: u64,
    pub idle_ms: u64,
    pub read_ms: u64,
    pub change_ms: u64,
    pub look_when_busy_ms: u64,
    pub look_when_idle_ms: u64,
    pub drain_ms: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            sessions: 2048,
            sessions_per_user: 1024,
            requests_per_session: 64,
            changes_per_user: 1024,
            changes_per_cluster: 32,
            calls_per_cluster: 64,
            calls_per_account: 64,
            handshake_ms: 5_000,
            frame_ms: 30_000,
            idle_ms: 600_000,
            read_ms: 30_000,
            change_ms: 60_000,
            look_when_busy_ms: 500,
            look_when_idle_ms: 30_000,
            drain_ms: 10_000,
        }
    }
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Deadlines {
    pub cluster_minutes: u64,
    pub removal_minutes: u64,
    pub first_service_minutes: u64,
    pub infrastructure_call_minutes: u64,
    pub preparation_minutes: u64,
    pub orchestrator_call_minutes: u64,
    pub service_hold_ms: u64,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            cluster_minutes: 30,
            removal_minutes: 15,
            first_service_minutes: 30,
            infrastructure_call_minutes: 10,
            preparation_minutes: 15,
            orchestrator_call_minutes: 3,
            service_hold_ms: 5_000,
        }
    }
}

#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Catalog {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dir: Option<PathBuf>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Local {
    pub docker_socket: PathBuf,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    pub plain: bool,
    pub request_limit_ms: u64,
}

impl Default for Local {
    fn default() -> Self {
        Self { docker_socket: "/var/run/docker.sock".into(), image: None, plain: false, request_limit_ms: 120_000 }
    }
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Preparation {
    pub registry_mirrors: Vec<String>,
    pub insecure_registries: Vec<String>,
    pub boot_limit_ms: u64,
}

impl Default for Preparation {
    fn default() -> Self {
        Self { registry_mirrors: Vec::new(), insecure_registries: Vec::new(), boot_limit_ms: 300_000 }
    }
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoginConfig {
    pub user: String,
    pub password_file: PathBuf,
}

#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Kubernetes {
    pub options: BTreeMap<String, String>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sim {
    pub persistent: bool,
    pub rollout_ms: u64,
    pub step_ms: u64,
}

impl Default for Sim {
    fn default() -> Self {
        Self { persistent: true, rollout_ms: 200, step_ms: 0 }
    }
}
