//! A machine of a cluster, as a handler reaches it.

use muster_protocol::Name;
use muster_protocol::model::host::Role;

use crate::ledger::MachineAccess;

/// A prepared machine, as the handler reaches it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Member {
    /// Its name within the cluster.
    pub machine: Name,
    /// What it is for.
    pub role: Role,
    /// How it is reached.
    pub access: MachineAccess,
    /// The orchestrator's id of its node, once it has joined.
    pub node_id: Option<String>,
}
