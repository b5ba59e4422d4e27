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
use std::fmt;
use std::str::FromStr;

use muster_protocol::model::host::Role;
use muster_protocol::{Cause, MachineId, Name, Timestamp};
use serde::{Deserialize, Serialize};

/// Which resource of a cluster. As text it is part of the owner mark.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum ResourceKey {
    /// The network that the cluster's machines share.
    Network,
    /// A machine, by its name within the cluster.
    Machine(Name),
    /// The orchestrator's cluster as such: formed once, on the first control-plane machine.
    Orchestrator,
    /// A machine's membership in the orchestrator's cluster.
    Node(Name),
    /// A service.
    Service(Name),
}

impl ResourceKey {
    /// Whether the infrastructure driver owns it; otherwise the orchestrator handler does.
    pub const fn is_infrastructure(&self) -> bool {
        match self {
            Self::Network | Self::Machine(_) => true,
            Self::Orchestrator | Self::Node(_) | Self::Service(_) => false,
        }
    }
}

impl fmt::Display for ResourceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network => f.write_str("network"),
            Self::Machine(name) => write!(f, "machine/{name}"),
            Self::Orchestrator => f.write_str("orchestrator"),
            Self::Node(name) => write!(f, "node/{name}"),
            Self::Service(name) => write!(f, "service/{name}"),
        }
    }
}

impl FromStr for ResourceKey {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let name = |name: &str| name.parse::<Name>().map_err(|error| format!("`{text}` is no resource key: {error}"));
        match text.split_once('/') {
            None if text == "network" => Ok(Self::Network),
            None if text == "orchestrator" => Ok(Self::Orchestrator),
            Some(("machine", rest)) => Ok(Self::Machine(name(rest)?)),
            Some(("node", rest)) => Ok(Self::Node(name(rest)?)),
            Some(("service", rest)) => Ok(Self::Service(name(rest)?)),
            None | Some(_) => Err(format!("`{text}` is no resource key")),
        }
    }
}

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
}

/// How a machine is reached.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct MachineAccess {
    /// Its address, as the daemon reaches it and as the other machines of the cluster do.
    pub address: String,
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
    /// The machine's id, for machines.
    pub machine: Option<MachineId>,
    /// What the machine is for, for machines and nodes.
    pub role: Option<Role>,
    /// The recipe that was applied to the machine, for machines.
    pub prepared: Option<String>,
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
            machine: None,
            role: None,
            prepared: None,
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
            Facts::None | Facts::Service { .. } => None,
        }
    }
}

/// All resources of one cluster.
pub type Ledger = BTreeMap<ResourceKey, LedgerEntry>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_reads_back_from_its_text() {
        let name: Name = "worker-1".parse().unwrap();
        for key in [
            ResourceKey::Network,
            ResourceKey::Machine(name.clone()),
            ResourceKey::Orchestrator,
            ResourceKey::Node(name.clone()),
            ResourceKey::Service(name),
        ] {
            assert_eq!(key.to_string().parse(), Ok(key));
        }
    }
}
