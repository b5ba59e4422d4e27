//! Tasks, as containers.

use std::collections::BTreeMap;

use bollard::models::TaskState;
use muster_engine::observed::ObservedContainer;
use muster_protocol::Name;
use muster_protocol::model::container::ContainerPhase;

use super::nodes::MachineNode;
use super::tasks::SeenTask;
use crate::marks::{HEALTH_CHECK, IMAGE};

/// How many ended containers are shown for each place of a service: enough to see why the last ones ended.
const ENDED_PER_PLACE: usize = 2;

/// The containers of one service.
pub(super) fn observed(
    name: &Name,
    tasks: &[&SeenTask],
    machines: &BTreeMap<&str, MachineNode<'_>>,
) -> Vec<ObservedContainer> {
    let mut by_place: BTreeMap<(i64, &str), Vec<&SeenTask>> = BTreeMap::new();
    for task in tasks {
        by_place.entry(task.place()).or_default().push(task);
    }
    let mut containers = Vec::new();
    for own in by_place.values_mut() {
        own.sort_by_key(|task| std::cmp::Reverse(task.since()));
        let living = own.iter().filter(|task| !task.has_ended());
        let ended = own.iter().filter(|task| task.has_ended()).take(ENDED_PER_PLACE);
        containers.extend(living.chain(ended).map(|task| container(name, task, machines)));
    }
    containers
}

fn container(service_name: &Name, task: &SeenTask, machines: &BTreeMap<&str, MachineNode<'_>>) -> ObservedContainer {
    let machine = task.node_id().and_then(|node| machines.get(node)).map(|machine| machine.name.clone());
    let container = task.task.spec.as_ref().and_then(|spec| spec.container_spec.as_ref());
    let labels = container.and_then(|container| container.labels.as_ref());
    let asked = labels.and_then(|labels| labels.get(IMAGE));
    let image = asked.or_else(|| container?.image.as_ref());
    let has_check = labels.is_some_and(|labels| labels.contains_key(HEALTH_CHECK));
    let phase = phase(task.state());
    ObservedContainer {
        id: task.id().to_owned(),
        name: container_name(service_name, task.place(), machine.as_ref()),
        service: service_name.clone(),
        machine,
        phase,
        healthy: health(has_check, phase),
        address: task.address(),
        image: image.cloned().unwrap_or_default(),
        since: task.since(),
        exit_code: task.exit_code(),
        message: task.error().map(str::to_owned),
    }
}

/// `web.2`, or for a global service `web.worker-1`.
pub(crate) fn container_name(service: &Name, (slot, node): (i64, &str), machine: Option<&Name>) -> String {
    match (slot, machine) {
        (0, Some(machine)) => format!("{service}.{machine}"),
        (0, None) => format!("{service}.{node}"),
        (slot, _) => format!("{service}.{slot}"),
    }
}

/// Swarm keeps a copy in `starting` until its check passes, and stops it when the check fails.
fn health(has_check: bool, phase: ContainerPhase) -> Option<bool> {
    match phase {
        ContainerPhase::Running if has_check => Some(true),
        ContainerPhase::Starting if has_check => Some(false),
        ContainerPhase::Pending
        | ContainerPhase::Starting
        | ContainerPhase::Running
        | ContainerPhase::Complete
        | ContainerPhase::Failed
        | ContainerPhase::Stopped
        | ContainerPhase::Unknown(_) => None,
    }
}

fn phase(state: TaskState) -> ContainerPhase {
    match state {
        TaskState::NEW | TaskState::ALLOCATED | TaskState::PENDING => ContainerPhase::Pending,
        TaskState::ASSIGNED | TaskState::ACCEPTED | TaskState::PREPARING | TaskState::READY | TaskState::STARTING => {
            ContainerPhase::Starting
        }
        TaskState::RUNNING => ContainerPhase::Running,
        TaskState::COMPLETE => ContainerPhase::Complete,
        TaskState::FAILED | TaskState::REJECTED => ContainerPhase::Failed,
        TaskState::SHUTDOWN | TaskState::REMOVE | TaskState::ORPHANED => ContainerPhase::Stopped,
    }
}
