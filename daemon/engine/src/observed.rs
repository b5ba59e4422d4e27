//! What driver and handler last saw. Never stored: it is learnt again after a start.

use std::collections::BTreeMap;

use muster_protocol::model::container::ContainerPhase;
use muster_protocol::model::host::Role;
use muster_protocol::model::service::Endpoint;
use muster_protocol::quantity::{Bytes, CpuMillis};
use muster_protocol::{Cause, Name, Timestamp};

use crate::ledger::InfraKey;
use crate::shared::Shared;

/// Everything that was seen of one cluster.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Observed {
    /// What the infrastructure lists of the cluster.
    pub infrastructure: Shared<BTreeMap<InfraKey, ObservedResource>>,
    /// When the infrastructure was last looked at with success.
    pub infrastructure_at: Option<Timestamp>,
    /// Why it could not be looked at since.
    pub infrastructure_cause: Option<Cause>,
    /// What the orchestrator says.
    pub orchestrator: Shared<OrchestratorView>,
    /// When the orchestrator was last looked at with success.
    pub orchestrator_at: Option<Timestamp>,
    /// Why it could not be looked at since.
    pub orchestrator_cause: Option<Cause>,
    /// How often in a row it could not be looked at.
    pub orchestrator_unanswered: u32,
}

/// One resource as the infrastructure sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ObservedResource {
    /// Which.
    pub key: InfraKey,
    /// The provider's id.
    pub id: String,
    /// Whether it runs, for machines.
    pub power: Option<Power>,
    /// Its present addresses, for machines; none if the infrastructure does not say them.
    pub addresses: Option<Addresses>,
}

/// The addresses of a machine, which may change while it lives.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Addresses {
    /// As [`crate::ledger::MachineAccess::address`].
    pub address: String,
    /// As [`crate::ledger::MachineAccess::private_address`].
    pub private_address: String,
}

/// Whether a machine runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Power {
    /// It runs, or is on its way to.
    Running,
    /// It is stopped and can be started.
    Stopped,
}

/// A cluster as its orchestrator's control plane sees it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct OrchestratorView {
    /// The orchestrator's version.
    pub version: Option<String>,
    /// Where its API answers.
    pub endpoints: Vec<String>,
    /// Its nodes, by the machine's name within the cluster. A node of no machine of ours is left out.
    pub nodes: BTreeMap<Name, ObservedNode>,
    /// Who decides in the control plane, where the orchestrator says it apart from its nodes.
    pub voters: Option<Vec<Voter>>,
    /// Services with our marks, by name.
    pub services: BTreeMap<Name, ObservedService>,
    /// The containers of those services.
    pub containers: Vec<ObservedContainer>,
}

/// A member of the control plane's own consensus: a Swarm manager, a member of etcd or ZooKeeper.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Voter {
    /// Its id among the voters.
    pub id: String,
    /// The machine that it is on; none if that is none of ours.
    pub machine: Option<Name>,
    /// Whether it takes part now.
    pub healthy: bool,
    /// Whether it only learns: it has no vote yet.
    pub learner: bool,
}

/// One node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ObservedNode {
    /// The orchestrator's id of it.
    pub id: String,
    /// What it is for.
    pub role: Role,
    /// Whether it is up and takes part; a manager must be reachable too.
    pub ready: bool,
    /// The orchestrator's version on it.
    pub version: Option<String>,
    /// Processor time that it has.
    pub cpu: Option<CpuMillis>,
    /// Memory that it has.
    pub memory: Option<Bytes>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// The orchestrator's words, if it is not ready, or if somebody keeps copies off it.
    pub message: Option<String>,
}

/// One service.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ObservedService {
    /// The orchestrator's id of it.
    pub id: String,
    /// For which generation it was last submitted.
    pub generation: u64,
    /// Copies wanted now.
    pub wanted: u32,
    /// Copies of this generation that run (and are healthy), or have completed, for a job.
    pub ready: u32,
    /// Whether copies of earlier generations still run: a change is under way.
    pub updating: bool,
    /// The digest that its image's tag was resolved to when it was submitted.
    pub digest: Option<String>,
    /// How the image checks its own health, in the orchestrator's words; what the orchestrator heeds where the service says
    /// nothing of health.
    pub image_health: Option<String>,
    /// Where it is reached from outside.
    pub endpoints: Vec<Endpoint>,
    /// Why copies do not run, as far as that is known.
    pub trouble: Option<Trouble>,
    /// What copies that are not ready are at, in the orchestrator's words: `2 preparing`. No trouble in itself.
    pub under_way: Option<String>,
}

/// Why copies of a service do not run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Trouble {
    /// In the orchestrator's words.
    pub words: String,
    /// What the words are about.
    pub obstacle: Obstacle,
    /// Whether it stays so until somebody changes the service or mends its image: waiting is of no use.
    pub hopeless: bool,
}

impl Trouble {
    /// Trouble that may pass.
    pub fn new(obstacle: Obstacle, words: String) -> Self {
        Self { words, obstacle, hopeless: false }
    }
}

/// What keeps copies of a service from running. It decides what helps.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Obstacle {
    /// Their image cannot be had, or is for another processor.
    Image,
    /// No machine takes them.
    Room,
    /// Their network has no address left for them.
    Addresses,
    /// Their containers cannot be made as they were asked for.
    Container,
    /// Their health check fails.
    Health,
    /// Their program ends, or something that has no name here.
    Program,
}

impl ObservedService {
    /// Why copies do not run, in the orchestrator's words.
    pub fn message(&self) -> Option<&str> {
        self.trouble.as_ref().map(|trouble| trouble.words.as_str())
    }

    /// How far it is: `1 of 3 copies are ready, the others: 2 preparing`.
    pub fn progress(&self) -> String {
        let others = self.under_way.as_ref().map_or_else(String::new, |others| format!(", the others: {others}"));
        format!("{} of {} copies are ready{others}", self.ready, self.wanted)
    }
}

/// One container.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ObservedContainer {
    /// The orchestrator's id of it.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The service it belongs to.
    pub service: Name,
    /// The machine it is on.
    pub machine: Option<Name>,
    /// How it is.
    pub phase: ContainerPhase,
    /// Whether its health check passes.
    pub healthy: Option<bool>,
    /// Its own address.
    pub address: Option<String>,
    /// The image.
    pub image: String,
    /// Since when.
    pub since: Option<Timestamp>,
    /// With which code it ended.
    pub exit_code: Option<i64>,
    /// The orchestrator's words.
    pub message: Option<String>,
}
