//! Plans: what would be done, what is being done, and what it waits for.

use serde::{Deserialize, Serialize};

use super::cluster::ClusterSpec;
use crate::growing::growing_words;
use crate::{Cause, Name, Timestamp};

/// The change that a plan is asked for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum PlanChange {
    /// Create this cluster.
    Create(ClusterSpec),
    /// Give an existing cluster other numbers of machines.
    Scale {
        /// The cluster.
        cluster: Name,
        /// Control-plane machines; as they are if none.
        control_planes: Option<u32>,
        /// Worker machines; as they are if none.
        workers: Option<u32>,
    },
    /// Delete it.
    Delete {
        /// The cluster.
        cluster: Name,
    },
    /// Nothing new: what is still to be done.
    Current {
        /// The cluster.
        cluster: Name,
    },
    /// Bring its machines to another version, or to the recipe that this release offers.
    Upgrade {
        /// The cluster.
        cluster: Name,
        /// The orchestrator's version; as it is if none.
        version: Option<String>,
    },
    /// Give its machines new certificates.
    Renew {
        /// The cluster.
        cluster: Name,
    },
}

/// The steps that lead from what is to what was asked for: the same list that is performed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// The cluster.
    pub cluster: Name,
    /// The steps, each after those that it waits for.
    pub steps: Vec<Step>,
}

/// One step of a plan.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// What is done to what, for example `create machine/worker-1`. Unique in the plan.
    pub name: String,
    /// The names of the steps that must be done first.
    pub after: Vec<String>,
    /// How it stands.
    pub status: StepStatus,
    /// In words, what it waits for, if it waits.
    pub waits_for: Option<String>,
    /// Since when it stands so.
    pub since: Option<Timestamp>,
    /// Until when it may stand so: then its call is broken off, or the operation that waits for it has failed. What nobody
    /// waits for (a cluster mends itself, leftovers are collected) is never given up: it is given the same time anew.
    /// None if it is, or follows, a blocked step that no operation waits for: that has to wait for somebody.
    pub deadline: Option<Timestamp>,
    /// How often it was tried.
    pub attempts: u32,
    /// When it is tried again.
    pub next_try: Option<Timestamp>,
    /// Why the last try failed.
    pub cause: Option<Cause>,
}

growing_words! {
    /// How a step stands.
    pub enum StepStatus {
        /// May be done now.
        Ready = 0 => "ready",
        /// Is being done.
        Running = 1 => "running",
        /// Waits for other steps.
        Waiting = 2 => "waiting",
        /// Failed and waits for its next try.
        Retrying = 3 => "retrying",
        /// Cannot be done without a change by somebody.
        Blocked = 4 => "blocked",
    }
}
