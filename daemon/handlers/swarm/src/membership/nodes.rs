//! The swarm's nodes, and which of them is which machine.

use bollard::models::{
    LocalNodeState, Node, NodeSpec, NodeSpecAvailabilityEnum, NodeSpecRoleEnum, NodeState, Reachability, SwarmInfo,
};
use bollard::query_parameters::UpdateNodeOptions;
use muster_engine::context::ClusterContext;
use muster_engine::failure::Failure;
use muster_engine::member::Member;
use muster_protocol::model::host::Role;
use muster_protocol::{ErrorCode, Name};

use crate::connect::Engine;
use crate::failures::{Answer as _, is_missing, is_out_of_sequence};
use crate::marks::{self, MACHINE};

/// How often a change is tried that others were faster than.
const ATTEMPTS: u32 = 8;

/// All nodes that the control plane lists.
pub(crate) async fn list(manager: &Engine) -> Result<Vec<Node>, Failure> {
    manager.api().list_nodes(None).await.reading("list the nodes")
}

/// One node, if the control plane lists it.
pub(crate) async fn read(manager: &Engine, id: &str) -> Result<Option<Node>, Failure> {
    match manager.api().inspect_node(id).await {
        Err(error) if is_missing(&error) => Ok(None),
        answer => answer.reading("read the node").map(Some),
    }
}

/// Changes a node's spec by compare-and-swap. `change` says whether there is anything to change.
/// Answers whether the node is listed.
pub(crate) async fn update(
    manager: &Engine,
    id: &str,
    what: &str,
    change: impl Fn(&mut NodeSpec) -> bool + Send,
) -> Result<bool, Failure> {
    for _ in 0..ATTEMPTS {
        let Some(node) = read(manager, id).await? else { return Ok(false) };
        let mut spec = node.spec.unwrap_or_default();
        if !change(&mut spec) {
            return Ok(true);
        }
        let index = node.version.and_then(|version| version.index).unwrap_or_default();
        let options = UpdateNodeOptions { version: i64::try_from(index).unwrap_or(i64::MAX) };
        match manager.api().update_node(id, spec, options).await {
            Err(error) if is_out_of_sequence(&error) => {}
            answer => return answer.writing(what).map(|()| true),
        }
    }
    Err(Failure::not_applied(ErrorCode::Conflict, format!("{what}: somebody else keeps changing the node")))
}

/// Gives the node its marks and its role, and lets it run tasks again if a removal had drained it. Answers whether the node is listed.
pub(crate) async fn mark(
    manager: &Engine,
    cluster: &ClusterContext,
    id: &str,
    machine: &Member,
) -> Result<bool, Failure> {
    let marks = marks::of_node(cluster, &machine.machine);
    let role = match machine.role {
        Role::ControlPlane => NodeSpecRoleEnum::MANAGER,
        Role::Worker | Role::Unknown(_) => NodeSpecRoleEnum::WORKER,
    };
    update(manager, id, "label the node", |spec| {
        let labels = spec.labels.get_or_insert_default();
        let marked = marks.iter().all(|(name, value)| labels.get(name) == Some(value));
        let active = Some(NodeSpecAvailabilityEnum::ACTIVE);
        if marked && spec.role == Some(role) && spec.availability == active {
            return false;
        }
        labels.extend(marks.clone());
        spec.role = Some(role);
        spec.availability = active;
        true
    })
    .await
}

/// The swarm's part of what a machine's engine says of itself.
pub(crate) async fn self_report(engine: &Engine, machine: &Name) -> Result<SwarmInfo, Failure> {
    let info = engine.api().info().await.reading(&format!("ask {machine} for its own state"))?;
    Ok(info.swarm.unwrap_or_default())
}

/// The node that the machine is or was, by its own word.
pub(crate) fn own_id(report: &SwarmInfo) -> Option<&str> {
    report.node_id.as_deref().filter(|id| !id.is_empty())
}

/// The node id that the machine reports, while it takes part in a swarm.
pub(crate) fn active_id(report: &SwarmInfo) -> Option<&str> {
    match report.local_node_state {
        Some(LocalNodeState::ACTIVE) => own_id(report),
        Some(
            LocalNodeState::EMPTY
            | LocalNodeState::INACTIVE
            | LocalNodeState::PENDING
            | LocalNodeState::ERROR
            | LocalNodeState::LOCKED,
        )
        | None => None,
    }
}

/// The node's id.
pub(crate) fn id(node: &Node) -> &str {
    node.id.as_deref().unwrap_or_default()
}

/// The machine that the node is, by its mark; before it is marked, by the host name that drivers give.
pub(crate) fn machine_of(cluster: &ClusterContext, node: &Node) -> Option<Name> {
    let labels = node.spec.as_ref().and_then(|spec| spec.labels.as_ref());
    if let Some(machine) = labels.and_then(|labels| labels.get(MACHINE)) {
        return machine.parse().ok();
    }
    let hostname = node.description.as_ref().and_then(|description| description.hostname.as_deref())?;
    hostname.strip_prefix(cluster.name().as_str())?.strip_prefix('-')?.parse().ok()
}

/// Whether the leader hears the node. A new leader takes nobody for up that it has not heard itself.
pub(crate) fn is_up(node: &Node) -> bool {
    node.status.as_ref().and_then(|status| status.state) == Some(NodeState::READY)
}

/// Whether the control plane gave the node up.
pub(crate) fn is_down(node: &Node) -> bool {
    match node.status.as_ref().and_then(|status| status.state) {
        Some(NodeState::DOWN) => true,
        Some(NodeState::READY | NodeState::UNKNOWN | NodeState::DISCONNECTED) | None => false,
    }
}

/// Whether the node is, or is to be, a manager.
pub(crate) fn is_manager(node: &Node) -> bool {
    let wanted = node.spec.as_ref().and_then(|spec| spec.role) == Some(NodeSpecRoleEnum::MANAGER);
    wanted || node.manager_status.is_some()
}

/// Whether the node is a manager that the others reach.
pub(crate) fn is_reachable_manager(node: &Node) -> bool {
    let reachability = node.manager_status.as_ref().and_then(|status| status.reachability);
    reachability == Some(Reachability::REACHABLE)
}

/// Whether the node is a manager that the others know at this address.
pub(crate) fn is_manager_at(node: &Node, address: &str) -> bool {
    let known = node.manager_status.as_ref().and_then(|status| status.addr.as_deref());
    known.and_then(|known| known.rsplit_once(':')).is_some_and(|(host, _)| host.trim_matches(['[', ']']) == address)
}
