//! Taking a node out. Each step is left out if it is done already, so that it can be run again after a crash anywhere:
//!
//! ```text
//!   may it go? ─▶ drain ─▶ tasks end ─▶ demote ─▶ leave ─▶ forget
//!   (quorum)               (bounded)   (managers) (if the machine lives)
//! ```

use std::time::Duration;

use bollard::models::{LocalNodeState, Node, NodeSpecAvailabilityEnum, NodeSpecRoleEnum, Task, TaskState};
use bollard::query_parameters::{DeleteNodeOptions, LeaveSwarmOptions, ListTasksOptions};
use muster_engine::failure::Failure;
use muster_engine::member::Member;
use muster_protocol::ErrorCode;
use muster_protocol::model::host::Role;

use super::nodes::{self, active_id};
use super::{quorum, wait};
use crate::connect::Engine;
use crate::failures::{Answer as _, is_missing, refusal};
use crate::managers::Managers;

/// How long tasks have to end. The engine stops a container after 10 s at most, unless the image says otherwise.
const DRAIN_LIMIT: Duration = Duration::from_secs(30);
/// How long the managers have to agree on a demotion.
const DEMOTE_LIMIT: Duration = Duration::from_secs(30);
/// How long a demoted machine has to notice it.
const NOTICE_LIMIT: Duration = Duration::from_secs(10);

/// Takes a node out of the swarm. `machine` is none if the machine itself is lost.
pub(crate) async fn remove_node(
    managers: &Managers,
    members: &[Member],
    node_id: &str,
    machine: Option<&Member>,
) -> Result<(), Failure> {
    // A manager cannot see its own demotion through, so the others are asked, if there are any.
    let others: Vec<Member> = members.iter().filter(|member| !is_leaving(member, node_id, machine)).cloned().collect();
    let has_manager = others.iter().any(|member| member.role == Role::ControlPlane);
    if machine.is_none() && !has_manager {
        // The machine is lost and no manager is left: nobody remembers the node any more.
        return Ok(());
    }
    let engine = machine.map(|machine| managers.engine(machine)).transpose()?;
    let manager = match (managers.find(&others).await, machine, &engine) {
        (Ok(manager), _, _) => manager,
        (Err(failure), Some(machine), Some(engine)) => {
            return remove_last(managers, &others, machine, engine, node_id, failure).await;
        }
        (Err(failure), _, _) => return Err(failure),
    };
    let listed = nodes::list(&manager.engine).await?;
    if let Some(node) = listed.iter().find(|node| nodes::id(node) == node_id) {
        if nodes::is_manager(node) {
            quorum::can_spare(&listed, node_id)?;
        }
        drain(managers, &others, node).await?;
        if nodes::is_manager(node) {
            // Draining takes its time, and managers may have failed meanwhile.
            let manager = managers.find(&others).await?;
            quorum::can_spare(&nodes::list(&manager.engine).await?, node_id)?;
        }
        demote(managers, &others, node_id).await?;
    }
    if let Some((machine, engine)) = machine.zip(engine.as_ref()) {
        leave(machine, engine, node_id).await?;
    }
    forget(managers, &others, node_id).await
}

fn is_leaving(member: &Member, node_id: &str, machine: Option<&Member>) -> bool {
    member.node_id.as_deref() == Some(node_id) || machine.is_some_and(|machine| machine.machine == member.machine)
}

/// No other manager answers. If the machine is the swarm's only node, its leaving ends the swarm; if it has left, all is done.
async fn remove_last(
    managers: &Managers,
    others: &[Member],
    machine: &Member,
    engine: &Engine,
    node_id: &str,
    no_manager: Failure,
) -> Result<(), Failure> {
    let report = nodes::self_report(engine, &machine.machine).await?;
    let is_out = matches!(report.local_node_state, Some(LocalNodeState::INACTIVE | LocalNodeState::EMPTY) | None);
    if is_out && others.is_empty() {
        return Ok(());
    }
    if active_id(&report) != Some(node_id) || report.control_available != Some(true) {
        return Err(no_manager);
    }
    let manager = managers.find(std::slice::from_ref(machine)).await?;
    let listed = nodes::list(&manager.engine).await?;
    let is_alone =
        listed.iter().all(|node| nodes::id(node) == node_id || nodes::is_down(node) && !nodes::is_manager(node));
    if !is_alone {
        quorum::can_spare(&listed, node_id)?;
        return Err(no_manager);
    }
    leave(machine, engine, node_id).await
}

/// Moves the node's tasks away and waits for them, but not for ever: a task that does not end must not keep the node.
pub(super) async fn drain(managers: &Managers, others: &[Member], node: &Node) -> Result<(), Failure> {
    let id = nodes::id(node);
    let manager = managers.find(others).await?;
    nodes::update(&manager.engine, id, "drain the node", |spec| {
        let was = spec.availability.replace(NodeSpecAvailabilityEnum::DRAIN);
        was != Some(NodeSpecAvailabilityEnum::DRAIN)
    })
    .await?;
    if nodes::is_down(node) {
        return Ok(());
    }
    let ended = wait::until(DRAIN_LIMIT, || async {
        let manager = managers.find(others).await?;
        let options = ListTasksOptions { filters: Some([("node".to_owned(), vec![id.to_owned()])].into()) };
        let tasks = manager.engine.api().list_tasks(Some(options)).await.reading("list the node's tasks")?;
        let all_ended = tasks.iter().all(|task| !may_run(task));
        Ok(all_ended.then_some(()))
    })
    .await?;
    if ended.is_none() {
        tracing::warn!(node = id, "tasks did not end in {} s; the node leaves with them", DRAIN_LIMIT.as_secs());
    }
    Ok(())
}

/// Whether the task may have a container that runs.
fn may_run(task: &Task) -> bool {
    match task.status.as_ref().and_then(|status| status.state) {
        Some(
            TaskState::ASSIGNED
            | TaskState::ACCEPTED
            | TaskState::PREPARING
            | TaskState::READY
            | TaskState::STARTING
            | TaskState::RUNNING,
        ) => true,
        Some(
            TaskState::NEW
            | TaskState::ALLOCATED
            | TaskState::PENDING
            | TaskState::COMPLETE
            | TaskState::SHUTDOWN
            | TaskState::FAILED
            | TaskState::REJECTED
            | TaskState::REMOVE
            | TaskState::ORPHANED,
        )
        | None => false,
    }
}

/// Takes the manager's role from a node and waits until the other managers have agreed on it.
async fn demote(managers: &Managers, others: &[Member], id: &str) -> Result<(), Failure> {
    let manager = managers.find(others).await?;
    nodes::update(&manager.engine, id, "demote the manager", |spec| {
        let was = spec.role.replace(NodeSpecRoleEnum::WORKER);
        was != Some(NodeSpecRoleEnum::WORKER)
    })
    .await?;
    let demoted = wait::until(DEMOTE_LIMIT, || async {
        let manager = managers.find(others).await?;
        let node = nodes::read(&manager.engine, id).await?;
        let is_out = node.is_none_or(|node| node.manager_status.is_none());
        Ok(is_out.then_some(()))
    })
    .await?;
    demoted.ok_or_else(|| {
        Failure::maybe_applied(ErrorCode::QuorumLost, "the other managers did not agree on the demotion in time")
            .with_remedy("check that most managers are up and reach each other on TCP 2377")
    })
}

/// Lets the machine leave, if it is that node. A machine that cannot be asked is treated as lost.
async fn leave(machine: &Member, engine: &Engine, node_id: &str) -> Result<(), Failure> {
    let noticed = wait::until(NOTICE_LIMIT, || async {
        let report = nodes::self_report(engine, &machine.machine).await?;
        let is_settled = report.control_available != Some(true) || active_id(&report) != Some(node_id);
        Ok(is_settled.then_some(report))
    })
    .await;
    let report = match noticed {
        Ok(Some(report)) => report,
        Ok(None) => nodes::self_report(engine, &machine.machine).await?,
        Err(failure) => {
            tracing::warn!(machine = %machine.machine, %failure, "the machine cannot be told to leave; its node is forgotten");
            return Ok(());
        }
    };
    let is_broken = report.local_node_state == Some(LocalNodeState::ERROR);
    if active_id(&report) != Some(node_id) && !is_broken {
        return Ok(());
    }
    // Forced, because an engine that was demoted a moment ago may still take itself for a manager.
    match engine.api().leave_swarm(Some(LeaveSwarmOptions { force: true })).await {
        Err(error) if refusal(&error).is_some_and(|(_, message)| message.contains("not part of a swarm")) => Ok(()),
        answer => answer.writing("leave the swarm"),
    }
}

/// Strikes a node off the list. It has left, or is lost: so it is forced.
pub(super) async fn forget(managers: &Managers, members: &[Member], id: &str) -> Result<(), Failure> {
    demote(managers, members, id).await?;
    let manager = managers.find(members).await?;
    match manager.engine.api().delete_node(id, Some(DeleteNodeOptions { force: true })).await {
        Err(error) if is_missing(&error) => Ok(()),
        answer => answer.writing("forget the node"),
    }
}
