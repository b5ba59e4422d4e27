//! What is done now and then: exports of the store, forgetting old history, adopting newer recipes, and looking for what clusters
//! that are gone left behind.

pub mod actor;
pub mod adopt;
pub mod export;
pub mod forget;
pub mod leftovers;
pub mod look;

use std::time::Duration;

use crate::config::{Adopt, Config};

/// How often what is done, and how much history is kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Schedule {
    /// Between two exports; none are made if this is none.
    pub export: Option<Duration>,
    /// Between two times of forgetting.
    pub forget: Duration,
    /// Between two looks at the infrastructures.
    pub look: Duration,
    /// Between two looks whether a cluster may adopt a newer recipe.
    pub adopt: Duration,
    /// How many clusters may adopt one at once by themselves; none do if this is none.
    pub adopt_at_once: Option<usize>,
    /// After the start, before the first look and the first forgetting.
    pub first: Duration,
    /// What is kept.
    pub history: History,
}

/// How much history is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct History {
    /// Events at most.
    pub events: u64,
    /// Events at most so old.
    pub events_age: Duration,
    /// Ended operations at most.
    pub operations: usize,
    /// Audit records at most.
    pub audit: u64,
}

impl From<&Config> for Schedule {
    fn from(config: &Config) -> Self {
        let minutes = config.store.export_interval_minutes;
        let history = &config.history;
        Self {
            export: (minutes > 0).then(|| Duration::from_secs(minutes.saturating_mul(60))),
            forget: Duration::from_secs(10 * 60),
            look: Duration::from_secs(5 * 60),
            adopt: Duration::from_secs(30),
            adopt_at_once: (config.upgrade.adopt == Adopt::Auto).then_some(config.upgrade.clusters_at_once),
            first: Duration::from_secs(60),
            history: History {
                events: history.events_kept,
                events_age: Duration::from_secs(history.events_days.saturating_mul(24 * 60 * 60)),
                operations: history.operations_kept,
                audit: config.audit.records_kept,
            },
        }
    }
}
