//! How a change of a service is rolled out.

use serde::{Deserialize, Serialize};

use super::one;

/// How a change is rolled out.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
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
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum UpdateOrder {
    /// The old copy is stopped, then the new one starts.
    #[default]
    StopFirst,
    /// The new copy is started, then the old one stops.
    StartFirst,
}
