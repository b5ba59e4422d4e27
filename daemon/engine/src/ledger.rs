//! The ledger: every outside resource that a cluster owns or may own.
//!
//! ```text
//!            begin create          answer
//!   wanted ───────────────▶ unknown ──────▶ present ──┐
//!     ▲  ▲                   │   ▲             │      │ begin remove
//!     │  └── certainly not ──┘   └─ look up ───┘      ▼
//!     │                                            removing ──▶ gone
//!     └────────────────── wanted again ───────────────────────────┘
//! ```
//!
//! An entry goes to `unknown` on disk *before* the provider is called, so after a crash
//! we look it up by its key and never create it a second time. Entries that are gone and
//! not wanted are dropped.

use std::collections::BTreeMap;

use muster_protocol::model::host::Role;
use muster_protocol::{Cause, Name, Timestamp};
use serde::{Deserialize, Serialize};

pub use crate::key::{InfraKey, InfraKind, ResourceKey};
use crate::recipe::{MachineStep, Prepared};

/// What is known of a resource.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum ResourceState {
    /// It should be there; no call was made that could have made it.
    Wanted,
    /// A call was made that may have made or changed it: look it up before anything else.
    /// What was known before that call.
    Unknown(Option<Present>),
    /// It was seen, with this id.
    Present(Present),
    /// It is to go; a removal may have been called already.
    Removing(Present),
}

/// A resource that was seen.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Present {
    /// The provider's or orchestrator's id of it.
    pub id: String,
    /// What else is needed to work with it.
    pub facts: Facts,
}

/// Among [`Facts::Other`]: where clients reach what the resource stands before, as `host:port`.
pub const ENDPOINT: &str = "endpoint";

impl Present {
    /// A resource at which clients reach what it stands before: `address` is `host:port`.
    pub fn at_endpoint(id: String, address: String) -> Self {
        Self { id, facts: Facts::Other(BTreeMap::from([(ENDPOINT.to_owned(), address)])) }
    }

    /// Where clients reach what the resource stands before, as `host:port`.
    pub fn endpoint(&self) -> Option<&str> {
        match &self.facts {
            Facts::Other(facts) => facts.get(ENDPOINT).map(String::as_str),
            Facts::None | Facts::Machine(_) | Facts::Service { .. } => None,
        }
    }
}

/// What is needed to work with a resource that was seen.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Facts {
    /// Nothing but its id.
    None,
    /// How a machine is reached.
    Machine(MachineAccess),
    /// For which generation of its spec a service was last submitted.
    Service {
        /// That generation.
        generation: u64,
    },
    /// What the driver knows of a resource that is no machine, by names of its own.
    Other(BTreeMap<String, String>),
}

/// How a machine is reached.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct MachineAccess {
    /// Its address, as the daemon reaches it.
    pub address: String,
    /// Its address, as the other machines of the cluster reach it: often the same.
    pub private_address: String,
    /// Where its sshd listens.
    pub ssh_port: u16,
    /// As whom to log in; root, or somebody with sudo without a password.
    pub ssh_user: String,
    /// Its host key in OpenSSH's one-line form: no other is accepted.
    pub host_key: String,
}

/// One line of the ledger.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LedgerEntry {
    /// What is known of it.
    pub state: ResourceState,
    /// Since when.
    pub since: Timestamp,
    /// When it was first wanted.
    pub created_at: Timestamp,
    /// How often a call for it failed in a row.
    pub failures: u32,
    /// How often a creation is known to have had no effect: part of idempotency tokens, so that a
    /// new token is used only when the result of the old one is known.
    pub attempt: u32,
    /// No call for it before this time.
    pub next_try: Option<Timestamp>,
    /// Why the last call failed, until one succeeds.
    pub cause: Option<Cause>,
    /// What the machine is for, for machines and nodes.
    pub role: Option<Role>,
    /// The machine on which it was formed, for the orchestrator's cluster.
    pub formed_on: Option<Name>,
    /// What it stands on at the infrastructure: it goes before those do.
    pub after: Vec<InfraKey>,
    /// A digest of what it was made from; see [`crate::driver::Need::input`].
    pub input: u64,
    /// What the machine was prepared with, for machines.
    pub prepared: Option<Prepared>,
    /// The step that was begun on the machine and of which no end is known, for machines.
    pub step: Option<StepRun>,
    /// How many steps were begun on the machine: the next one's number.
    pub runs: u32,
    /// How far Muster has taken it out of the orchestrator's service for a step, for machines.
    pub duty: Duty,
    /// The renewal of certificates that it has, or gets by the step that was begun, for machines; see [`crate::desired::ClusterRecord::renewal`].
    pub renewed: u64,
}

/// Whether a machine runs copies for the orchestrator, as far as Muster decides it. Stored by the order of the words, where
/// earlier releases wrote whether it was drained.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum Duty {
    /// It does.
    #[default]
    On,
    /// It takes no more, and has none.
    Drained,
    /// It takes no more.
    Cordoned,
}

/// A step that was begun on a machine. Its number makes its name on the machine, where it is found again.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct StepRun {
    /// What is done.
    pub step: MachineStep,
    /// What the machine has when it is done.
    pub target: Prepared,
    /// Its number among the steps of this machine.
    pub run: u32,
}

impl LedgerEntry {
    /// A resource that is wanted from now on.
    pub fn wanted(now: Timestamp) -> Self {
        Self {
            state: ResourceState::Wanted,
            since: now,
            created_at: now,
            failures: 0,
            attempt: 0,
            next_try: None,
            cause: None,
            role: None,
            formed_on: None,
            after: Vec::new(),
            input: 0,
            prepared: None,
            step: None,
            runs: 0,
            duty: Duty::On,
            renewed: 0,
        }
    }

    /// What was seen of it, if it is there.
    pub fn present(&self) -> Option<&Present> {
        match &self.state {
            ResourceState::Present(present) => Some(present),
            ResourceState::Wanted | ResourceState::Unknown(_) | ResourceState::Removing(_) => None,
        }
    }

    /// The provider's or orchestrator's id of it, as far as one is known.
    pub fn id(&self) -> Option<&String> {
        match &self.state {
            ResourceState::Present(known) | ResourceState::Removing(known) | ResourceState::Unknown(Some(known)) => {
                Some(&known.id)
            }
            ResourceState::Unknown(None) | ResourceState::Wanted => None,
        }
    }

    /// How the machine is reached, if this is a machine that is there or going.
    pub fn access(&self) -> Option<&MachineAccess> {
        let present = match &self.state {
            ResourceState::Present(present) | ResourceState::Removing(present) => present,
            ResourceState::Wanted | ResourceState::Unknown(_) => return None,
        };
        match &present.facts {
            Facts::Machine(access) => Some(access),
            Facts::None | Facts::Service { .. } | Facts::Other(_) => None,
        }
    }
}

/// All resources of one cluster.
pub type Ledger = BTreeMap<ResourceKey, LedgerEntry>;
