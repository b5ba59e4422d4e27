//! What the scripts answer.

use muster_engine::failure::Failure;
use muster_protocol::ErrorCode;

/// The value of a line `name=value`.
pub(super) fn value<'a>(lines: &'a [String], name: &str) -> Option<&'a str> {
    lines.iter().find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
}

/// How a machine stands to the cluster.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Standing {
    /// Nothing of a cluster is on it.
    Clean,
    /// Something was broken off there, or still goes on.
    Remains,
    /// It has become part of the cluster.
    Member {
        /// The cluster's id, if its own API server serves.
        cluster: Option<String>,
        /// The node's id, if a control plane answers the machine.
        node: Option<String>,
    },
}

impl Standing {
    pub(super) fn read(lines: &[String]) -> Result<Self, Failure> {
        let known = |name| value(lines, name).filter(|text| !text.is_empty()).map(str::to_owned);
        match value(lines, "state") {
            Some("clean") => Ok(Self::Clean),
            Some("remains") => Ok(Self::Remains),
            Some("member") => Ok(Self::Member { cluster: known("cluster"), node: known("id") }),
            other => {
                let message = format!("the machine says `{}` for its state", other.unwrap_or_default());
                Err(Failure::not_applied(ErrorCode::Orchestrator, message))
            }
        }
    }
}

/// A member of the control plane's etcd.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EtcdMember {
    /// etcd's id of it, hexadecimal.
    pub id: String,
    /// The machine's name; empty for one that has never started.
    pub name: String,
    /// Whether it does not vote yet.
    pub learner: bool,
    /// Whether it answers.
    pub healthy: bool,
}

impl EtcdMember {
    pub(super) fn read(line: &str) -> Option<Self> {
        let rest = line.strip_prefix("member=")?;
        let (id, rest) = rest.split_once(" name=")?;
        let (name, rest) = rest.split_once(" learner=")?;
        let (learner, healthy) = rest.split_once(" healthy=")?;
        Some(Self { id: id.to_owned(), name: name.to_owned(), learner: learner == "yes", healthy: healthy == "yes" })
    }
}
