//! What can be done next. Every action concerns one resource and is one outside call.

use std::fmt;

use muster_protocol::Name;

use crate::driver::Owned;
use crate::failure::Failure;
use crate::ledger::{Present, ResourceKey};

/// One step of a plan.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Action {
    /// Find out whether a resource is there: a call that may have made it had no answer.
    LookUp(ResourceKey),
    /// Make it: a network or machine, the orchestrator's cluster, a node's membership, a service.
    Create(ResourceKey),
    /// Start a machine that was stopped.
    Start(Name),
    /// Bring a machine to what its recipe names.
    Prepare(Name),
    /// Submit a service's present generation.
    Update(Name),
    /// Remove it.
    Remove(ResourceKey),
    /// List what still carries the cluster's marks at the infrastructure, once nothing is known to be left.
    Sweep,
    /// Not a call: what was made must be seen to be well. Only observation ends it.
    Await(ResourceKey),
}

impl Action {
    /// The resource that it works on. One resource has one action at a time.
    pub fn key(&self) -> Option<ResourceKey> {
        match self {
            Self::LookUp(key) | Self::Create(key) | Self::Remove(key) | Self::Await(key) => Some(key.clone()),
            Self::Start(name) | Self::Prepare(name) => Some(ResourceKey::Machine(name.clone())),
            Self::Update(name) => Some(ResourceKey::Service(name.clone())),
            Self::Sweep => None,
        }
    }

    /// The service that it is about, if it is about one.
    pub fn service(&self) -> Option<&Name> {
        match self {
            Self::LookUp(ResourceKey::Service(name))
            | Self::Create(ResourceKey::Service(name))
            | Self::Remove(ResourceKey::Service(name))
            | Self::Await(ResourceKey::Service(name))
            | Self::Update(name) => Some(name),
            Self::LookUp(_)
            | Self::Create(_)
            | Self::Remove(_)
            | Self::Await(_)
            | Self::Start(_)
            | Self::Prepare(_)
            | Self::Sweep => None,
        }
    }

    /// Whether it is performed by a call, and not by waiting.
    pub const fn is_call(&self) -> bool {
        match self {
            Self::Await(_) => false,
            Self::LookUp(_)
            | Self::Create(_)
            | Self::Start(_)
            | Self::Prepare(_)
            | Self::Update(_)
            | Self::Remove(_)
            | Self::Sweep => true,
        }
    }

    /// Whether the infrastructure's side performs it (driver, preparer); otherwise the orchestrator's handler does.
    pub fn is_infrastructure(&self) -> bool {
        match self {
            Self::Start(_) | Self::Prepare(_) | Self::Sweep => true,
            Self::Update(_) => false,
            Self::LookUp(key) | Self::Create(key) | Self::Remove(key) | Self::Await(key) => key.is_infrastructure(),
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LookUp(key) => write!(f, "look up {key}"),
            Self::Create(ResourceKey::Orchestrator) => f.write_str("form orchestrator"),
            Self::Create(ResourceKey::Node(name)) => write!(f, "join node/{name}"),
            Self::Create(key) => write!(f, "create {key}"),
            Self::Start(name) => write!(f, "start machine/{name}"),
            Self::Prepare(name) => write!(f, "prepare machine/{name}"),
            Self::Update(name) => write!(f, "update service/{name}"),
            Self::Remove(key) => write!(f, "remove {key}"),
            Self::Sweep => f.write_str("sweep"),
            Self::Await(key) => write!(f, "await {key}"),
        }
    }
}

/// What came of an action.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// The resource is there.
    Present(Present),
    /// It was looked for and not found.
    Absent,
    /// It is done, and there is nothing to say.
    Done,
    /// What a sweep found.
    Swept(Vec<Owned>),
    /// It failed.
    Failed(Failure),
}
