//! Services: how many copies of the present spec run, and where they are reached.

use std::collections::{BTreeMap, BTreeSet};

use bollard::models::{
    EndpointPortConfig, EndpointPortConfigProtocolEnum, EndpointPortConfigPublishModeEnum, Service, ServiceSpecMode,
    TaskSpec, TaskState,
};
use muster_engine::observed::ObservedService;
use muster_protocol::model::service::{Endpoint, Transport};

use super::nodes::MachineNode;
use super::tasks::SeenTask;
use super::trouble;
use crate::marks::{HEALTH_CHECK, TEMPLATE};
use crate::membership::nodes::is_manager;
use crate::services::{digest_of, generation};

/// What a service shares the swarm with.
pub(super) struct Beside<'a> {
    /// All services: they are told apart by who has which port of the machines.
    pub(super) all: &'a [Service],
    /// The machines, by their nodes' ids.
    pub(super) machines: &'a BTreeMap<&'a str, MachineNode<'a>>,
    /// That the network of all services has no address left, if that is so.
    pub(super) used_up: Option<&'a str>,
}

/// One service, from its own tasks.
pub(super) fn observed(service: &Service, tasks: &[&SeenTask], beside: &Beside<'_>) -> ObservedService {
    let machines = beside.machines;
    let mode = service.spec.as_ref().and_then(|spec| spec.mode.clone()).unwrap_or_default();
    let current: Vec<&SeenTask> = tasks.iter().copied().filter(|task| is_current(service, task)).collect();
    let wanted = wanted(service, &mode, machines);
    let ready = if mode.replicated_job.is_some() {
        count(current.iter().filter(|task| task.state() == TaskState::COMPLETE))
    } else {
        // Swarm calls a copy running only when its health check passes.
        let ready = |task: &&&SeenTask| task.is_wanted() && task.state() == TaskState::RUNNING && runs(task, machines);
        count(current.iter().filter(ready))
    };
    // A machine that takes no new copies is not counted as one that should have one, and may still have one.
    let ready = ready.min(wanted);
    let trouble = if ready < wanted { trouble::of(service, &current, beside) } else { None };
    let updating = tasks.iter().any(|task| (!is_current(service, task) || !task.is_wanted()) && runs(task, machines));
    ObservedService {
        id: service.id.clone().unwrap_or_default(),
        generation: generation(service),
        wanted,
        ready,
        updating,
        digest: digest(service),
        image_health: None,
        endpoints: endpoints(service, &current, machines),
        trouble,
        under_way: if ready < wanted { under_way(&current) } else { None },
    }
}

/// Whether the task was made from the service's present spec, not from an earlier one. A job's earlier runs have the
/// same template, but not the same number.
fn is_current(service: &Service, task: &SeenTask) -> bool {
    let template = service.spec.as_ref().and_then(|spec| template_of(spec.task_template.as_ref()?));
    let run = service.job_status.as_ref().and_then(|status| status.job_iteration.as_ref()).map(|run| run.index);
    let task_run = task.task.job_iteration.as_ref().map(|run| run.index);
    task.task.spec.as_ref().and_then(template_of) == template && (run.is_none() || run == task_run)
}

/// Whether the task occupies a machine. What a machine that is down last said of its tasks stays as it was; and a copy that
/// was taken back before it found a place waits for ever, and occupies none.
fn runs(task: &SeenTask, machines: &BTreeMap<&str, MachineNode<'_>>) -> bool {
    let machine = task.node_id().and_then(|node| machines.get(node));
    let never_began =
        !task.is_wanted() && matches!(task.state(), TaskState::NEW | TaskState::ALLOCATED | TaskState::PENDING);
    machine.is_some_and(MachineNode::is_up) && !task.has_ended() && !never_began
}

/// What the image's tag meant when the service was submitted.
fn digest(service: &Service) -> Option<String> {
    let container = service.spec.as_ref()?.task_template.as_ref()?.container_spec.as_ref()?;
    digest_of(container.image.as_ref()?).map(str::to_owned)
}

fn template_of(spec: &TaskSpec) -> Option<&String> {
    spec.container_spec.as_ref()?.labels.as_ref()?.get(TEMPLATE)
}

fn wanted(service: &Service, mode: &ServiceSpecMode, machines: &BTreeMap<&str, MachineNode<'_>>) -> u32 {
    let number = |number: Option<i64>| number.and_then(|number| u32::try_from(number).ok()).unwrap_or(0);
    if let Some(replicated) = &mode.replicated {
        return number(replicated.replicas);
    }
    if let Some(job) = &mode.replicated_job {
        return number(job.total_completions);
    }
    let placement = service.spec.as_ref().and_then(|spec| spec.task_template.as_ref()?.placement.as_ref());
    let constraints: &[String] = placement.and_then(|placement| placement.constraints.as_deref()).unwrap_or_default();
    count(
        machines.values().filter(|machine| {
            machine.takes_tasks() && constraints.iter().all(|constraint| allows(constraint, machine))
        }),
    )
}

/// Whether a machine meets a constraint, as swarm judges it: without regard to case, and a label that is not there is
/// equal to nothing. Only the constraints that we write ourselves are known.
pub(super) fn allows(constraint: &str, machine: &MachineNode<'_>) -> bool {
    let (attribute, value, equal) = match (constraint.split_once("=="), constraint.split_once("!=")) {
        (Some((attribute, value)), None) => (attribute, value, true),
        (_, Some((attribute, value))) => (attribute, value, false),
        (None, None) => return true,
    };
    let actual = if attribute == "node.role" {
        Some(if is_manager(machine.node) { "manager" } else { "worker" })
    } else {
        let labels = machine.node.spec.as_ref().and_then(|spec| spec.labels.as_ref());
        attribute.strip_prefix("node.labels.").and_then(|label| labels?.get(label)).map(String::as_str)
    };
    actual.is_some_and(|actual| actual.eq_ignore_ascii_case(value)) == equal
}

/// What the copies are at that do not run yet: `1 pending, 2 preparing`.
fn under_way(current: &[&SeenTask]) -> Option<String> {
    let mut states: BTreeMap<String, u32> = BTreeMap::new();
    for task in current.iter().filter(|task| task.is_wanted() && task.is_on_its_way()) {
        *states.entry(at_what(task)).or_default() += 1;
    }
    let states: Vec<String> = states.into_iter().map(|(state, copies)| format!("{copies} {state}")).collect();
    (!states.is_empty()).then(|| states.join(", "))
}

/// What a copy is at. One that has a health check is starting for swarm until the check has passed.
fn at_what(task: &SeenTask) -> String {
    let labels = task.task.spec.as_ref().and_then(|spec| spec.container_spec.as_ref()?.labels.as_ref());
    let has_check = labels.is_some_and(|labels| labels.contains_key(HEALTH_CHECK));
    let state = task.state();
    if state == TaskState::STARTING && has_check {
        return "starting until its health check passes".to_owned();
    }
    state.to_string()
}

/// Ports in host mode at the machines that run a copy, ports of the ingress mesh at every machine.
fn endpoints(service: &Service, current: &[&SeenTask], machines: &BTreeMap<&str, MachineNode<'_>>) -> Vec<Endpoint> {
    let mut endpoints = BTreeSet::new();
    for task in current.iter().filter(|task| task.is_wanted() && task.state() == TaskState::RUNNING) {
        let machine = task.node_id().and_then(|node| machines.get(node));
        let status = task.task.status.as_ref().and_then(|status| status.port_status.as_ref());
        // Seen after a leader was lost: a copy runs, and the control plane never hears of its ports.
        let heard = status.and_then(|status| status.ports.as_ref()).filter(|ports| !ports.is_empty());
        let spec = service.spec.as_ref().and_then(|spec| spec.endpoint_spec.as_ref());
        let asked = || spec.and_then(|spec| spec.ports.as_ref());
        let of_host = |port: &&EndpointPortConfig| port.publish_mode == Some(EndpointPortConfigPublishModeEnum::HOST);
        for port in heard.or_else(asked).into_iter().flatten().filter(of_host) {
            endpoints.extend(machine.and_then(|machine| endpoint(machine, port)));
        }
    }
    let meshed = service.endpoint.as_ref().and_then(|endpoint| endpoint.ports.as_ref()).into_iter().flatten();
    for port in meshed.filter(|port| port.publish_mode == Some(EndpointPortConfigPublishModeEnum::INGRESS)) {
        endpoints.extend(machines.values().filter(|one| one.takes_tasks()).filter_map(|one| endpoint(one, port)));
    }
    endpoints.into_iter().collect()
}

fn endpoint(machine: &MachineNode<'_>, port: &EndpointPortConfig) -> Option<Endpoint> {
    let number = |number: Option<i64>| u16::try_from(number?).ok();
    let protocol = match port.protocol {
        Some(EndpointPortConfigProtocolEnum::TCP | EndpointPortConfigProtocolEnum::EMPTY) | None => Transport::Tcp,
        Some(EndpointPortConfigProtocolEnum::UDP) => Transport::Udp,
        Some(EndpointPortConfigProtocolEnum::SCTP) => return None,
    };
    let address = machine.address.clone()?;
    let published = number(port.published_port).filter(|published| *published > 0)?;
    Some(Endpoint { address, published, port: number(port.target_port)?, protocol })
}

fn count<T>(items: impl Iterator<Item = T>) -> u32 {
    u32::try_from(items.count()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use bollard::models::Node;
    use serde_json::{Value, json};

    use super::*;

    fn task(number: u32, desired: &str, state: &str) -> SeenTask {
        let spec = json!({ "ContainerSpec": { "Labels": { TEMPLATE: "one" } } });
        serde_json::from_value(json!({
            "ID": number.to_string(), "ServiceID": "s", "NodeID": "n", "Slot": number, "Spec": spec,
            "DesiredState": desired, "Status": { "State": state },
        }))
        .unwrap()
    }

    fn alone<'a>(machines: &'a BTreeMap<&'a str, MachineNode<'a>>) -> Beside<'a> {
        Beside { all: &[], machines, used_up: None }
    }

    fn seen(replicas: u32, tasks: &[SeenTask], node: Value) -> ObservedService {
        let service: Service = serde_json::from_value(json!({ "ID": "s", "Spec": {
            "Mode": { "Replicated": { "Replicas": replicas } },
            "TaskTemplate": { "ContainerSpec": { "Labels": { TEMPLATE: "one" } } },
        } }))
        .unwrap();
        let node: Node = serde_json::from_value(node).unwrap();
        let machine = MachineNode { name: "worker-1".parse().unwrap(), address: None, node: &node };
        let machines = [("n", machine)].into();
        observed(&service, &tasks.iter().collect::<Vec<_>>(), &alone(&machines))
    }

    #[test]
    fn a_copy_too_many_is_part_of_the_change_until_it_has_ended() {
        let up = json!({ "ID": "n", "Status": { "State": "ready" } });
        let going = [task(1, "running", "running"), task(2, "shutdown", "running")];
        let one = seen(1, &going, up.clone());
        assert_eq!((one.ready, one.wanted, one.updating), (1, 1, true));
        let gone = [task(1, "running", "running"), task(2, "shutdown", "shutdown")];
        assert!(!seen(1, &gone, up).updating);
    }

    #[test]
    fn a_port_that_was_asked_for_is_known_even_if_the_control_plane_does_not_hear_of_it() {
        let ports = json!({ "Ports": [
            { "Protocol": "tcp", "TargetPort": 80, "PublishedPort": 8080, "PublishMode": "host" },
            { "Protocol": "tcp", "TargetPort": 81, "PublishMode": "host" },
        ] });
        let service: Service = serde_json::from_value(json!({ "Spec": {
            "EndpointSpec": ports, "TaskTemplate": { "ContainerSpec": { "Labels": { TEMPLATE: "one" } } },
        } }))
        .unwrap();
        let node: Node = serde_json::from_value(json!({ "ID": "n", "Status": { "State": "ready" } })).unwrap();
        let address = Some("10.0.0.9".to_owned());
        let machines = [("n", MachineNode { name: "worker-1".parse().unwrap(), address, node: &node })].into();
        let seen = observed(&service, &[&task(1, "running", "running")], &alone(&machines));
        let published: Vec<(u16, u16)> = seen.endpoints.iter().map(|one| (one.published, one.port)).collect();
        assert_eq!(published, [(8080, 80)]);
    }

    #[test]
    fn a_copy_whose_health_check_has_not_passed_says_so() {
        let labels = json!({ TEMPLATE: "one", HEALTH_CHECK: "yes" });
        let starting = json!({
            "ID": "1", "ServiceID": "s", "NodeID": "n", "Slot": 1, "Spec": { "ContainerSpec": { "Labels": labels } },
            "DesiredState": "running", "Status": { "State": "starting" },
        });
        let up = json!({ "ID": "n", "Status": { "State": "ready" } });
        let one = seen(1, &[serde_json::from_value(starting).unwrap()], up);
        assert_eq!(one.under_way.as_deref(), Some("1 starting until its health check passes"));
    }

    #[test]
    fn a_copy_on_a_machine_that_is_down_does_not_count() {
        let running = [task(1, "running", "running")];
        assert_eq!(seen(1, &running, json!({ "ID": "n", "Status": { "State": "ready" } })).ready, 1);
        assert_eq!(seen(1, &running, json!({ "ID": "n", "Status": { "State": "down" } })).ready, 0);
    }

    #[test]
    fn a_copy_on_a_machine_that_is_down_is_not_waited_for() {
        let down = json!({ "ID": "n", "Status": { "State": "down" } });
        assert!(!seen(1, &[task(1, "shutdown", "running")], down).updating);
    }
}
