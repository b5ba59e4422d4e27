//! How a service shows that it is well.

use serde::{Deserialize, Serialize};

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
