//! What can be done next. Every action concerns one resource and is one outside call.

use std::fmt;

use muster_protocol::Name;

use crate::driver::Owned;
use crate::failure::Failure;
use crate::ledger::{Present, ResourceKey};
use crate::recipe::{MachineStep, Performer};

/// One step of a plan.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Action {
    /// Find out whether a resource is there: a call that may have made it had no answer.
    LookUp(ResourceKey),
    /// Make it: something of the infrastructure, the orchestrator's cluster, a node's membership, a service.
    Create(ResourceKey),
    /// Do something to a machine that is there.
    Step(Name, MachineStep),
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
            Self::Step(name, _) => Some(ResourceKey::for_machine(name.clone())),
            Self::Update(name) => Some(ResourceKey::Service(name.clone())),
            Self::Sweep => None,
        }
    }

    /// The service that it is about, if it is about one.
    pub fn service(&self) -> Option<&Name> {
        match self {
            Self::LookUp(key) | Self::Create(key) | Self::Remove(key) | Self::Await(key) => key.service(),
            Self::Update(name) => Some(name),
            Self::Step(..) | Self::Sweep => None,
        }
    }

    /// Whether it is performed by a call, and not by waiting.
    pub const fn is_call(&self) -> bool {
        match self {
            Self::Await(_) => false,
            Self::LookUp(_) | Self::Create(_) | Self::Step(..) | Self::Update(_) | Self::Remove(_) | Self::Sweep => {
                true
            }
        }
    }

    /// Whether the infrastructure's side performs it (driver, preparer); otherwise the orchestrator's handler does.
    pub fn is_infrastructure(&self) -> bool {
        match self {
            Self::Step(_, step) => step.performer() != Performer::Handler,
            Self::Sweep => true,
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
            Self::Step(name, step) => write!(f, "{} machine/{name}", step.as_str()),
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
