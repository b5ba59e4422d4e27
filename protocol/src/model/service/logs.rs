//! A service's output.

use serde::{Deserialize, Serialize};

use crate::Timestamp;

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
