//! Joining the swarm, and finding a machine's node in it.

use std::time::Duration;

use bollard::models::{LocalNodeState, Node, SwarmInfo, SwarmJoinRequest};
use bollard::query_parameters::LeaveSwarmOptions;
use muster_engine::context::ClusterContext;
use muster_engine::failure::{Certainty, Failure};
use muster_engine::ledger::{Facts, Present};
use muster_engine::member::Member;
use muster_protocol::ErrorCode;
use muster_protocol::model::host::Role;

use super::form::{ip_of, listen_addr, unusable};
use super::nodes::{self, active_id, own_id};
use super::{quorum, remove, wait};
use crate::connect::Engine;
use crate::failures::Answer as _;
use crate::managers::{Manager, Managers, foreign_swarm};

/// How long a machine has to become a node after its engine took the request to join.
const JOIN_LIMIT: Duration = Duration::from_secs(45);

/// Makes the machine a node with its role, or finds that it is one.
pub(crate) async fn join(
    cluster: &ClusterContext,
    managers: &Managers,
    members: &[Member],
    machine: &Member,
) -> Result<Present, Failure> {
    let manager = managers.find(members).await?;
    let engine = managers.engine(machine)?;
    // The machine first: one that is a node by its own word is on every list that is made after that.
    let report = nodes::self_report(&engine, &machine.machine).await?;
    let listed = nodes::list(&manager.engine).await?;
    match standing(&report, &listed) {
        Standing::Member | Standing::Joining => {}
        Standing::Outside => ask_to_join(&manager, &engine, &listed, machine).await?,
        Standing::Forgotten => {
            let options = LeaveSwarmOptions { force: true };
            engine.api().leave_swarm(Some(options)).await.writing("leave what is left of an earlier membership")?;
            ask_to_join(&manager, &engine, &listed, machine).await?;
        }
        Standing::Elsewhere => return Err(foreign_swarm(&machine.machine)),
        Standing::Unusable => return Err(unusable(&machine.machine, &report)),
    }
    // It is a node or becomes one by itself: whatever fails from here on does not change that.
    come_in(cluster, managers, members, &engine, machine).await.map_err(Failure::in_doubt)
}

async fn come_in(
    cluster: &ClusterContext,
    managers: &Managers,
    members: &[Member],
    engine: &Engine,
    machine: &Member,
) -> Result<Present, Failure> {
    let node = listed_node(managers, members, engine, machine).await?;
    settle(cluster, managers, members, machine, &node).await?;
    Ok(Present { id: nodes::id(&node).to_owned(), facts: Facts::None })
}

/// The machine's node, if it is listed and the machine does not deny being it.
///
/// Nobody can say whether a manager that is on its way in will be a member in the next moment, and one whose machine is
/// then taken away may cost the majority: so that is a failure, and it is looked up again. A worker costs nothing.
pub(crate) async fn look_up_node(
    cluster: &ClusterContext,
    managers: &Managers,
    members: &[Member],
    machine: &Member,
) -> Result<Option<Present>, Failure> {
    let engine = managers.engine(machine)?;
    // The machine first, as for joining.
    let report = nodes::self_report(&engine, &machine.machine).await;
    let manager = managers.find(members).await?;
    let listed = nodes::list(&manager.engine).await?;
    let node = match report {
        Ok(report) if standing(&report, &listed) == Standing::Joining && machine.role == Role::ControlPlane => {
            return Err(unusable(&machine.machine, &report).with_remedy(reach_the_managers(machine)));
        }
        Ok(report) => match active_id(&report) {
            Some(id) => listed.iter().find(|node| nodes::id(node) == id),
            // It has left, or is on its way in: only a node that is up can be meant.
            None => marked(cluster, &listed, machine).find(|node| !nodes::is_down(node)),
        },
        // It cannot be asked, so its mark must do; the node it was is still a member, be it up or down.
        // A manager counts before it has said its name, so its address must do too.
        Err(_) => {
            let named = marked(cluster, &listed, machine).min_by_key(|node| nodes::is_down(node));
            named.or_else(|| listed.iter().find(|node| nodes::is_manager_at(node, &machine.access.address)))
        }
    };
    Ok(node.map(|node| Present { id: nodes::id(node).to_owned(), facts: Facts::None }))
}

fn marked<'a>(cluster: &ClusterContext, listed: &'a [Node], machine: &Member) -> impl Iterator<Item = &'a Node> {
    listed.iter().filter(move |node| nodes::machine_of(cluster, node).as_ref() == Some(&machine.machine))
}

/// How a machine stands to our swarm.
#[derive(PartialEq, Eq, Debug)]
enum Standing {
    /// In no swarm.
    Outside,
    /// On its way into one; which, is seen when it is in.
    Joining,
    /// A node that is listed.
    Member,
    /// It was a node of ours and is not listed any more, or its part of the swarm is broken.
    Forgotten,
    /// In a swarm that is not ours.
    Elsewhere,
    /// Locked.
    Unusable,
}

fn standing(report: &SwarmInfo, listed: &[Node]) -> Standing {
    let is_listed = |id: &str| listed.iter().any(|node| nodes::id(node) == id);
    let peers = report.remote_managers.as_deref().unwrap_or_default();
    let knows_ours = peers.iter().any(|peer| peer.node_id.as_deref().is_some_and(is_listed));
    match report.local_node_state {
        Some(LocalNodeState::INACTIVE | LocalNodeState::EMPTY) | None => Standing::Outside,
        // It waits for managers that know no such node: it was struck off while it was away, or they are others' managers.
        Some(LocalNodeState::PENDING) if own_id(report).is_some_and(|id| !is_listed(id)) => {
            if knows_ours || peers.is_empty() { Standing::Forgotten } else { Standing::Elsewhere }
        }
        Some(LocalNodeState::PENDING) => Standing::Joining,
        Some(LocalNodeState::ACTIVE) if active_id(report).is_some_and(is_listed) => Standing::Member,
        Some(LocalNodeState::ACTIVE) if knows_ours => Standing::Forgotten,
        Some(LocalNodeState::ACTIVE) => Standing::Elsewhere,
        Some(LocalNodeState::ERROR) if knows_ours || peers.is_empty() => Standing::Forgotten,
        Some(LocalNodeState::ERROR) => Standing::Elsewhere,
        Some(LocalNodeState::LOCKED) => Standing::Unusable,
    }
}

async fn ask_to_join(manager: &Manager, engine: &Engine, listed: &[Node], machine: &Member) -> Result<(), Failure> {
    let missing = |what: &str| Failure::not_applied(ErrorCode::Orchestrator, format!("the swarm names no {what}"));
    let tokens = manager.tokens.clone().ok_or_else(|| missing("join tokens"))?;
    let token = match machine.role {
        Role::ControlPlane => tokens.manager,
        Role::Worker | Role::Unknown(_) => tokens.worker,
    };
    let addresses: Vec<String> = listed
        .iter()
        .filter(|node| nodes::is_reachable_manager(node))
        .filter_map(|node| node.manager_status.as_ref()?.addr.clone())
        .collect();
    if addresses.is_empty() {
        return Err(missing("reachable manager"));
    }
    let address = ip_of(&machine.access.address).await?;
    let request = SwarmJoinRequest {
        listen_addr: Some(listen_addr(&address)),
        advertise_addr: Some(address.clone()),
        data_path_addr: Some(address),
        remote_addrs: Some(addresses),
        join_token: Some(token.ok_or_else(|| missing("join token"))?),
    };
    match engine.api().join_swarm(request).await.writing("join the swarm") {
        // The engine goes on by itself ("will continue in the background"), or an earlier request had won:
        // whether it comes in is seen by waiting for it.
        Err(failure)
            if failure.certainty == Certainty::MaybeApplied || failure.message.contains("already part of a swarm") =>
        {
            Ok(())
        }
        answer => answer,
    }
}

/// Waits until the machine says which node it is and the control plane lists that node.
async fn listed_node(
    managers: &Managers,
    members: &[Member],
    engine: &Engine,
    machine: &Member,
) -> Result<Node, Failure> {
    let seen = wait::until(JOIN_LIMIT, || async {
        let report = nodes::self_report(engine, &machine.machine).await?;
        let Some(id) = active_id(&report) else { return Ok(None) };
        let manager = managers.find(members).await?;
        nodes::read(&manager.engine, id).await
    })
    .await?;
    if let Some(node) = seen {
        return Ok(node);
    }
    let report = nodes::self_report(engine, &machine.machine).await?;
    let why =
        report.error.filter(|error| !error.is_empty()).unwrap_or_else(|| "the engine does not say why".to_owned());
    let message = format!("{} did not become a node in {} s: {why}", machine.machine, JOIN_LIMIT.as_secs());
    Err(Failure::maybe_applied(ErrorCode::Orchestrator, message).with_remedy(reach_the_managers(machine)))
}

fn reach_the_managers(machine: &Member) -> String {
    format!(
        "check that {} reaches the managers on TCP 2377 and TCP and UDP 7946, and all nodes on UDP 4789",
        machine.machine
    )
}

/// Marks the node, gives it its role, and forgets nodes that the same machine was before.
async fn settle(
    cluster: &ClusterContext,
    managers: &Managers,
    members: &[Member],
    machine: &Member,
    node: &Node,
) -> Result<(), Failure> {
    let id = nodes::id(node);
    let manager = managers.find(members).await?;
    let listed = nodes::list(&manager.engine).await?;
    if machine.role == Role::Worker && nodes::is_manager(node) {
        quorum::can_spare(&listed, id)?;
    }
    nodes::mark(&manager.engine, cluster, id, machine).await?;
    // A manager that has left by itself is unreachable at once and down much later.
    let is_gone = |node: &Node| nodes::is_down(node) || nodes::is_manager(node) && !nodes::is_reachable_manager(node);
    for earlier in marked(cluster, &listed, machine).filter(|other| nodes::id(other) != id && is_gone(other)) {
        if let Err(failure) = remove::forget(managers, members, nodes::id(earlier)).await {
            // The machine has joined all the same; the node stays listed as down until the next join.
            tracing::warn!(machine = %machine.machine, node = nodes::id(earlier), %failure, "an earlier node of the machine stays listed");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
