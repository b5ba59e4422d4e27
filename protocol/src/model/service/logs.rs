//! A service's output.

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::growing::growing_words;

growing_words! {
    /// From where in a service's output.
    pub enum LogSource {
        /// Standard output.
        Stdout = 0 => "stdout",
        /// Standard error.
        Stderr = 1 => "stderr",
    }
}

/// One line of a service's output.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
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
