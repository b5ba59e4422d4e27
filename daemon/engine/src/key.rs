//! The names of a cluster's outside resources. As text they are part of the owner mark.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use muster_protocol::Name;
use serde::{Deserialize, Serialize};

/// Which resource of a cluster.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum ResourceKey {
    /// Something that the infrastructure makes: a machine, or what machines stand on.
    Infra(InfraKey),
    /// The orchestrator's cluster as such: formed once, on a control-plane machine.
    Orchestrator,
    /// A machine's membership in the orchestrator's cluster.
    Node(Name),
    /// A service.
    Service(Name),
}

/// Which resource of an infrastructure: `network`, `machine/worker-1`, `security-group/nodes`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct InfraKey {
    /// What kind of thing it is, in the driver's words.
    pub kind: InfraKind,
    /// Which of that kind; none if a cluster has only one.
    pub name: Option<Name>,
}

/// A driver's word for a kind of resource. The engine knows [`InfraKind::MACHINE`] only.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct InfraKind(Cow<'static, str>);

/// Words that would be taken for keys of the orchestrator's side.
const RESERVED: [&str; 3] = ["orchestrator", "node", "service"];

impl InfraKind {
    /// A host that runs a part of the orchestrator's cluster.
    pub const MACHINE: Self = Self::new("machine");

    /// A kind of a driver: lower-case letters, digits and hyphens.
    pub const fn new(word: &'static str) -> Self {
        Self(Cow::Borrowed(word))
    }

    /// The word.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl InfraKey {
    /// The one resource of this kind.
    pub const fn only(kind: InfraKind) -> Self {
        Self { kind, name: None }
    }

    /// One of several resources of this kind.
    pub const fn named(kind: InfraKind, name: Name) -> Self {
        Self { kind, name: Some(name) }
    }

    /// The machine of this name.
    pub const fn for_machine(machine: Name) -> Self {
        Self::named(InfraKind::MACHINE, machine)
    }

    /// The machine's name, if it is a machine.
    pub fn machine(&self) -> Option<&Name> {
        self.name.as_ref().filter(|_| self.kind == InfraKind::MACHINE)
    }
}

impl ResourceKey {
    /// The machine of this name.
    pub const fn for_machine(machine: Name) -> Self {
        Self::Infra(InfraKey::for_machine(machine))
    }

    /// The infrastructure's resource, if it is one.
    pub const fn infra(&self) -> Option<&InfraKey> {
        match self {
            Self::Infra(key) => Some(key),
            Self::Orchestrator | Self::Node(_) | Self::Service(_) => None,
        }
    }

    /// The machine's name, if it is a machine.
    pub fn machine(&self) -> Option<&Name> {
        self.infra().and_then(InfraKey::machine)
    }

    /// The name of the machine whose membership it is, if it is a membership.
    pub const fn node(&self) -> Option<&Name> {
        match self {
            Self::Node(name) => Some(name),
            Self::Infra(_) | Self::Orchestrator | Self::Service(_) => None,
        }
    }

    /// The service's name, if it is a service.
    pub const fn service(&self) -> Option<&Name> {
        match self {
            Self::Service(name) => Some(name),
            Self::Infra(_) | Self::Orchestrator | Self::Node(_) => None,
        }
    }

    /// Whether the infrastructure driver owns it; otherwise the orchestrator handler does.
    pub const fn is_infrastructure(&self) -> bool {
        self.infra().is_some()
    }
}

impl From<InfraKey> for ResourceKey {
    fn from(key: InfraKey) -> Self {
        Self::Infra(key)
    }
}

impl fmt::Display for InfraKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for InfraKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "{}/{name}", self.kind),
            None => self.kind.fmt(f),
        }
    }
}

impl fmt::Display for ResourceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Infra(key) => key.fmt(f),
            Self::Orchestrator => f.write_str("orchestrator"),
            Self::Node(name) => write!(f, "node/{name}"),
            Self::Service(name) => write!(f, "service/{name}"),
        }
    }
}

impl FromStr for InfraKey {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (kind, name) = text.split_once('/').map_or((text, None), |(kind, name)| (kind, Some(name)));
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if kind.is_empty() || !kind.chars().all(plain) || RESERVED.contains(&kind) {
            return Err(format!("`{text}` is no key of an infrastructure's resource"));
        }
        let name = name.map(|name| parse_name(text, name)).transpose()?;
        Ok(Self { kind: InfraKind(Cow::Owned(kind.to_owned())), name })
    }
}

impl FromStr for ResourceKey {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('/') {
            None if text == "orchestrator" => Ok(Self::Orchestrator),
            Some(("node", name)) => parse_name(text, name).map(Self::Node),
            Some(("service", name)) => parse_name(text, name).map(Self::Service),
            None | Some(_) => text.parse().map(Self::Infra),
        }
    }
}

fn parse_name(text: &str, name: &str) -> Result<Name, String> {
    name.parse().map_err(|error| format!("`{text}` is no resource key: {error}"))
}

impl From<InfraKey> for String {
    fn from(key: InfraKey) -> Self {
        key.to_string()
    }
}

impl TryFrom<String> for InfraKey {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<ResourceKey> for String {
    fn from(key: ResourceKey) -> Self {
        key.to_string()
    }
}

impl TryFrom<String> for ResourceKey {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_reads_back_from_its_text() {
        let name: Name = "worker-1".parse().unwrap();
        for key in [
            ResourceKey::Infra(InfraKey::only(InfraKind::new("network"))),
            ResourceKey::for_machine(name.clone()),
            ResourceKey::Infra(InfraKey::named(InfraKind::new("security-group"), "nodes".parse().unwrap())),
            ResourceKey::Orchestrator,
            ResourceKey::Node(name.clone()),
            ResourceKey::Service(name),
        ] {
            assert_eq!(key.to_string().parse(), Ok(key));
        }
    }

    #[test]
    fn a_text_that_is_no_key_is_refused() {
        for text in ["", "/x", "Network", "node", "service", "orchestrator/x", "machine/", "machine/A b"] {
            assert!(text.parse::<ResourceKey>().is_err(), "{text}");
        }
    }

    #[test]
    fn only_a_machine_has_a_machines_name() {
        let name: Name = "worker-1".parse().unwrap();
        assert_eq!(ResourceKey::for_machine(name.clone()).machine(), Some(&name));
        assert_eq!(ResourceKey::Node(name.clone()).machine(), None);
        assert_eq!(InfraKey::named(InfraKind::new("volume"), name).machine(), None);
    }
}
