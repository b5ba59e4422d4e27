//! Recipes: what machines are prepared with, and in which order a newer one reaches the machines of a cluster.

use muster_protocol::Name;
use muster_protocol::model::cluster::ClusterSpec;
use muster_protocol::model::host::Role;
use serde::{Deserialize, Serialize};

/// What a cluster's machines are to be prepared with. Stored with the cluster: a release of Muster that brings other
/// scripts only offers its recipe, and adopting it is a change like any other.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Recipe {
    /// The orchestrator's version that it installs; none if it installs what the machine's distribution has.
    pub version: Option<String>,
    /// A digest of its scripts and configuration.
    pub revision: String,
}

/// What one machine was prepared with, or is being prepared with.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Prepared {
    /// The recipe.
    pub recipe: Recipe,
    /// What the machine was prepared for.
    pub role: Role,
    /// A digest of the peers that its configuration names; empty if it names none.
    pub peers: String,
}

/// Another machine of the cluster, as the configuration of a machine may name it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Peer {
    /// Its name within the cluster.
    pub machine: Name,
    /// What it is for.
    pub role: Role,
    /// Its address, as the other machines of the cluster reach it.
    pub private_address: String,
}

/// Something that is done to a machine that is there. Begun once, looked up ever after: see [`crate::ledger::StepRun`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum MachineStep {
    /// Start it: it was stopped.
    Start,
    /// Install and configure what its recipe names.
    Prepare,
    /// Let the orchestrator place nothing new on it.
    Cordon,
    /// Move what runs on it to other machines.
    Drain,
    /// Bring a member to another version of its orchestrator.
    Upgrade,
    /// Give it new certificates.
    Renew,
    /// Let the orchestrator place services on it again.
    Uncordon,
}

/// Who performs a step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Performer {
    /// The infrastructure's driver.
    Driver,
    /// The preparer, on the machine itself.
    Preparer,
    /// The orchestrator's handler.
    Handler,
}

impl MachineStep {
    /// The word in plans, events and names of units.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Prepare => "prepare",
            Self::Cordon => "cordon",
            Self::Drain => "drain",
            Self::Upgrade => "upgrade",
            Self::Renew => "renew",
            Self::Uncordon => "uncordon",
        }
    }

    /// Who performs it.
    pub const fn performer(self) -> Performer {
        match self {
            Self::Start => Performer::Driver,
            Self::Prepare | Self::Upgrade | Self::Renew => Performer::Preparer,
            Self::Cordon | Self::Drain | Self::Uncordon => Performer::Handler,
        }
    }

    /// Whether a machine that went through it has what the target of the step names.
    pub const fn reaches_target(self) -> bool {
        match self {
            Self::Prepare | Self::Upgrade => true,
            Self::Start | Self::Cordon | Self::Drain | Self::Renew | Self::Uncordon => false,
        }
    }
}

/// The recipes of one orchestrator, as far as they are known without asking anybody. Pure.
pub trait Recipes: Send + Sync {
    /// The recipe that this release of Muster has for such a cluster.
    fn offered(&self, spec: &ClusterSpec) -> Recipe;

    /// A digest of what the configuration of a machine takes from its peers; empty if it takes nothing. A machine whose
    /// peers have changed is prepared again, and none is prepared before the control planes that it names are there.
    /// `endpoint` (`host:port`) is where the infrastructure lets all control planes be reached, if it does.
    fn peers(&self, spec: &ClusterSpec, role: Role, peers: &[Peer], endpoint: Option<&str>) -> String;

    /// Whether configurations name peers at all.
    fn name_peers(&self) -> bool;
}
