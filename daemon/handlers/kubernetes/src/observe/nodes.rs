//! Nodes, as machines of ours.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::{Node, NodeCondition};
use muster_engine::context::ClusterContext;
use muster_engine::member::Member;
use muster_engine::observed::ObservedNode;
use muster_protocol::Name;
use muster_protocol::model::host::Role;
use muster_protocol::quantity::{Bytes, CpuMillis};

use crate::access::server_url;
use crate::marks::{self, CORDONED, MACHINE};

/// The label of a control-plane node.
const CONTROL_PLANE: &str = "node-role.kubernetes.io/control-plane";

/// A machine's node.
pub(super) struct MachineNode<'a> {
    pub(super) name: Name,
    pub(super) address: Option<String>,
    pub(super) node: &'a Node,
}

impl MachineNode<'_> {
    pub(super) fn is_up(&self) -> bool {
        is_ready(self.node)
    }

    fn is_control_plane(&self) -> bool {
        marks::label(&self.node.metadata, CONTROL_PLANE).is_some()
    }
}

/// The nodes that are machines of ours, by the nodes' names.
pub(super) fn machines<'a>(
    cluster: &ClusterContext,
    members: &[Member],
    nodes: &'a [Arc<Node>],
) -> BTreeMap<&'a str, MachineNode<'a>> {
    let mut machines = BTreeMap::new();
    for node in nodes {
        let Some(name) = machine_of(cluster, members, node) else { continue };
        let member = members.iter().find(|member| member.machine == name);
        let address = member.map(|member| member.access.address.clone()).or_else(|| own_address(node));
        machines.insert(node_name(node), MachineNode { name, address, node });
    }
    machines
}

/// The machine that a node is: by the label that it joined with, by its id, by its host name.
pub(crate) fn machine_of(cluster: &ClusterContext, members: &[Member], node: &Node) -> Option<Name> {
    if let Some(machine) = marks::label(&node.metadata, MACHINE) {
        return machine.parse().ok();
    }
    let known =
        |member: &&Member| member.node_id.is_some() && member.node_id.as_deref() == node.metadata.uid.as_deref();
    if let Some(member) = members.iter().find(known) {
        return Some(member.machine.clone());
    }
    node_name(node).strip_prefix(cluster.name().as_str())?.strip_prefix('-')?.parse().ok()
}

fn node_name(node: &Node) -> &str {
    node.metadata.name.as_deref().unwrap_or_default()
}

fn own_address(node: &Node) -> Option<String> {
    let addresses = node.status.as_ref()?.addresses.as_ref()?;
    let of_type = |kind: &str| addresses.iter().find(|address| address.type_ == kind).map(|one| one.address.clone());
    of_type("ExternalIP").or_else(|| of_type("InternalIP"))
}

/// The machines' nodes by the machines' names.
pub(super) fn observed(machines: &BTreeMap<&str, MachineNode<'_>>) -> BTreeMap<Name, ObservedNode> {
    machines.values().map(|machine| (machine.name.clone(), observed_node(machine))).collect()
}

fn observed_node(machine: &MachineNode<'_>) -> ObservedNode {
    let node = machine.node;
    let capacity = node.status.as_ref().and_then(|status| status.capacity.as_ref());
    let amount = |name: &str| capacity.and_then(|all| all.get(name)).map(|quantity| quantity.0.as_str());
    let ready = is_ready(node);
    ObservedNode {
        id: node.metadata.uid.clone().unwrap_or_default(),
        role: if machine.is_control_plane() { Role::ControlPlane } else { Role::Worker },
        ready,
        version: node.status.as_ref().and_then(|status| Some(status.node_info.as_ref()?.kubelet_version.clone())),
        cpu: amount("cpu").and_then(|text| text.parse::<CpuMillis>().ok()),
        memory: amount("memory").and_then(|text| text.parse::<Bytes>().ok()),
        labels: node.metadata.labels.clone().unwrap_or_default(),
        message: if ready { cordoned(node) } else { Some(why_not_ready(node)) },
    }
}

/// Whether the control plane hears the node and the node says that it is ready. Being closed for new pods is not part of it.
pub(crate) fn is_ready(node: &Node) -> bool {
    condition(node, "Ready").is_some_and(|condition| condition.status == "True")
}

fn why_not_ready(node: &Node) -> String {
    let Some(ready) = condition(node, "Ready") else { return "the node has not said yet how it is".to_owned() };
    let words = ready.message.as_deref().filter(|words| !words.is_empty()).or(ready.reason.as_deref());
    words.unwrap_or("the node is not ready").to_owned()
}

/// Who closed the node for new pods, if it is closed.
fn cordoned(node: &Node) -> Option<String> {
    if node.spec.as_ref()?.unschedulable != Some(true) {
        return None;
    }
    let by_us = node.metadata.annotations.as_ref().is_some_and(|all| all.contains_key(CORDONED));
    let who = if by_us { "Muster" } else { "somebody" };
    Some(format!("the node is closed for new pods by {who}"))
}

fn condition<'a>(node: &'a Node, kind: &str) -> Option<&'a NodeCondition> {
    node.status.as_ref()?.conditions.as_ref()?.iter().find(|condition| condition.type_ == kind)
}

/// Where the API answers: at every control plane that is ready.
pub(super) fn endpoints(machines: &BTreeMap<&str, MachineNode<'_>>) -> Vec<String> {
    let up = machines.values().filter(|machine| machine.is_control_plane() && machine.is_up());
    let mut endpoints: Vec<String> = up.filter_map(|machine| Some(server_url(machine.address.as_deref()?))).collect();
    endpoints.sort();
    endpoints
}
