//! Nodes, as machines of ours.

use std::collections::BTreeMap;

use bollard::models::{Node, NodeSpecAvailabilityEnum, NodeState};
use muster_engine::context::ClusterContext;
use muster_engine::member::Member;
use muster_engine::observed::{ObservedNode, Voter};
use muster_material::labels::IPVS;
use muster_protocol::Name;
use muster_protocol::model::host::Role;
use muster_protocol::quantity::{Bytes, CpuMillis};

use crate::connect::{ENGINE_PORT, authority};
use crate::membership::nodes::{id, is_down, is_manager, is_reachable_manager, is_up, machine_of};

/// A machine's node.
pub(super) struct MachineNode<'a> {
    pub(super) name: Name,
    pub(super) address: Option<String>,
    pub(super) node: &'a Node,
}

impl MachineNode<'_> {
    /// Whether the node is up, as the control plane sees it.
    pub(super) fn is_up(&self) -> bool {
        is_up(self.node)
    }

    /// Whether the node is up and may run copies of services.
    pub(super) fn takes_tasks(&self) -> bool {
        is_up(self.node) && availability(self.node) == NodeSpecAvailabilityEnum::ACTIVE
    }
}

/// The nodes that are machines of ours, by node id. If a machine was several nodes, the one that is up counts, then the newest.
pub(super) fn machines<'a>(
    cluster: &ClusterContext,
    nodes: &'a [Node],
    members: &[Member],
) -> BTreeMap<&'a str, MachineNode<'a>> {
    let mut best: BTreeMap<Name, &Node> = BTreeMap::new();
    for node in nodes {
        let member = members.iter().find(|member| member.node_id.as_deref() == Some(id(node)));
        let Some(name) = member.map(|member| member.machine.clone()).or_else(|| machine_of(cluster, node)) else {
            continue;
        };
        let rank = |node: &Node| (!is_down(node), node.created_at.clone());
        let known = best.entry(name).or_insert(node);
        if rank(node) > rank(known) {
            *known = node;
        }
    }
    let machine = |(name, node): (Name, &'a Node)| {
        let member = members.iter().find(|member| member.machine == name);
        let address = member.map(|member| member.access.address.clone()).or_else(|| own_address(node));
        (id(node), MachineNode { name, address, node })
    };
    best.into_iter().map(machine).collect()
}

fn own_address(node: &Node) -> Option<String> {
    // A manager does not see itself from outside: then its status says 0.0.0.0.
    let seen = node.status.as_ref().and_then(|status| status.addr.clone());
    let as_manager = node.manager_status.as_ref().and_then(|status| status.addr.as_deref());
    let without_port = as_manager
        .and_then(|address| address.rsplit_once(':'))
        .map(|(host, _)| host.trim_start_matches('[').trim_end_matches(']').to_owned());
    without_port.or(seen).filter(|address| !address.is_empty() && address != "0.0.0.0")
}

/// The machines' nodes by the machines' names.
pub(super) fn observed(machines: &BTreeMap<&str, MachineNode<'_>>) -> BTreeMap<Name, ObservedNode> {
    machines.values().map(|machine| (machine.name.clone(), observed_node(machine.node))).collect()
}

/// The managers, as members of Raft. Whether a manager takes tasks makes no difference to its vote.
pub(super) fn voters(nodes: &[Node], machines: &BTreeMap<&str, MachineNode<'_>>) -> Vec<Voter> {
    let managers = nodes.iter().filter(|node| is_manager(node));
    let voter = |node: &Node| Voter {
        id: id(node).to_owned(),
        machine: machines.get(id(node)).map(|machine| machine.name.clone()),
        healthy: is_up(node) && is_reachable_manager(node),
        learner: false,
    };
    managers.map(voter).collect()
}

fn observed_node(node: &Node) -> ObservedNode {
    let trouble = why_not_ready(node);
    let resources = node.description.as_ref().and_then(|description| description.resources.as_ref());
    let amount = |value: Option<i64>| value.and_then(|value| u64::try_from(value).ok());
    ObservedNode {
        id: id(node).to_owned(),
        role: if is_manager(node) { Role::ControlPlane } else { Role::Worker },
        ready: trouble.is_none(),
        version: version(node),
        cpu: amount(resources.and_then(|all| all.nano_cpus)).map(|nano| CpuMillis(nano / 1_000_000)),
        memory: amount(resources.and_then(|all| all.memory_bytes)).map(Bytes),
        labels: labels(node),
        message: trouble.or_else(|| kept_free(node)),
    }
}

/// The node's labels, and what the preparation has found on its machine.
fn labels(node: &Node) -> BTreeMap<String, String> {
    let engine = node.description.as_ref().and_then(|description| description.engine.as_ref()?.labels.as_ref());
    let ipvs = engine.and_then(|labels| labels.get(IPVS)).map(|has| (IPVS.to_owned(), has.clone()));
    let own = node.spec.as_ref().and_then(|spec| spec.labels.clone()).unwrap_or_default();
    own.into_iter().chain(ipvs).collect()
}

/// A node is ready if it is up and, as a manager, is reached by the other managers. One that a person drained or paused
/// stays so, and is ready all the same: nothing waits for it.
fn why_not_ready(node: &Node) -> Option<String> {
    if !is_up(node) {
        let status = node.status.as_ref();
        let words = status.and_then(|status| status.message.clone()).filter(|words| !words.is_empty());
        let state = status.and_then(|status| status.state).unwrap_or(NodeState::UNKNOWN);
        return Some(words.unwrap_or_else(|| format!("the node is {state}")));
    }
    if is_manager(node) && !is_reachable_manager(node) {
        return Some("the other managers do not reach it".to_owned());
    }
    None
}

/// What is said of a node that takes no copies by somebody's wish.
fn kept_free(node: &Node) -> Option<String> {
    match availability(node) {
        NodeSpecAvailabilityEnum::ACTIVE | NodeSpecAvailabilityEnum::EMPTY => None,
        NodeSpecAvailabilityEnum::PAUSE => {
            Some("the node takes no further copies: its availability is pause".to_owned())
        }
        NodeSpecAvailabilityEnum::DRAIN => Some("the node takes no copies: its availability is drain".to_owned()),
    }
}

fn availability(node: &Node) -> NodeSpecAvailabilityEnum {
    node.spec.as_ref().and_then(|spec| spec.availability).unwrap_or(NodeSpecAvailabilityEnum::ACTIVE)
}

/// The engine's version on the node.
pub(super) fn version(node: &Node) -> Option<String> {
    node.description.as_ref()?.engine.as_ref()?.engine_version.clone()
}

/// Where the swarm's API answers: at every manager that is reached.
pub(super) fn endpoints(machines: &BTreeMap<&str, MachineNode<'_>>) -> Vec<String> {
    let managers = machines.values().filter(|machine| is_reachable_manager(machine.node));
    let mut endpoints: Vec<String> = managers
        .filter_map(|machine| Some(format!("https://{}", authority(machine.address.as_deref()?, ENGINE_PORT))))
        .collect();
    endpoints.sort();
    endpoints
}
