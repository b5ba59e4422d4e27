//! What is made of the engine's listings, given as the engine writes them.

use std::collections::BTreeMap;

use bollard::models::{Node, Service};
use muster_engine::observed::{ObservedService, Obstacle, Trouble};
use muster_protocol::model::container::ContainerPhase;
use serde_json::{Value, json};

use super::tasks::SeenTask;
use super::{containers, nodes, services};
use crate::fixtures::cluster;

fn node(id: &str, machine: &str, state: &str, reachability: Option<&str>) -> Node {
    let mut node = json!({
        "ID": id,
        "Spec": {"Role": "worker", "Availability": "active", "Labels": {"io.muster.machine": machine}},
        "Status": {"State": state, "Addr": "10.0.0.9"},
    });
    if let Some(reachability) = reachability {
        node["Spec"]["Role"] = "manager".into();
        node["ManagerStatus"] = json!({"Reachability": reachability, "Addr": "10.0.0.9:2377"});
    }
    serde_json::from_value(node).unwrap()
}

fn service(mode: Value, constraints: &[&str]) -> Service {
    let service = json!({
        "ID": "s1",
        "Spec": {
            "Name": "web",
            "Labels": {"io.muster.generation": "3"},
            "Mode": mode,
            "TaskTemplate": {
                "ContainerSpec": {"Image": "nginx:1", "Labels": {"io.muster.template": "new"}},
                "Placement": {"Constraints": constraints},
            },
        },
    });
    serde_json::from_value(service).unwrap()
}

fn task(slot: i64, template: &str, desired: &str, state: &str) -> Value {
    json!({
        "ID": format!("{template}-{slot}-{state}"),
        "ServiceID": "s1",
        "Slot": slot,
        "NodeID": "n1",
        "DesiredState": desired,
        "Status": {"State": state, "Timestamp": "2026-11-23T14:00:00Z"},
        "Spec": {"ContainerSpec": {"Image": "nginx:1", "Labels": {"io.muster.template": template}}},
        "NetworksAttachments": [{"Network": {"Spec": {"Name": "muster"}}, "Addresses": ["10.0.1.5/24"]}],
    })
}

fn seen(tasks: Vec<Value>) -> Vec<SeenTask> {
    tasks.into_iter().map(|task| serde_json::from_value(task).unwrap()).collect()
}

fn observed_beside(service: &Service, tasks: Vec<Value>, listed: &[Node], used_up: Option<&str>) -> ObservedService {
    let tasks = seen(tasks);
    let machines = nodes::machines(&cluster(), listed, &[]);
    let beside = services::Beside { all: &[], machines: &machines, used_up };
    services::observed(service, &tasks.iter().collect::<Vec<_>>(), &beside)
}

fn observed(service: &Service, tasks: Vec<Value>, listed: &[Node]) -> ObservedService {
    observed_beside(service, tasks, listed, None)
}

fn replicated(replicas: u32) -> Service {
    service(json!({"Replicated": {"Replicas": replicas}}), &[])
}

#[test]
fn copies_of_an_earlier_template_are_not_ready_and_mean_that_a_change_is_under_way() {
    let tasks = vec![task(1, "new", "running", "running"), task(2, "old", "running", "running")];
    let seen = observed(&replicated(2), tasks, &[node("n1", "worker-1", "ready", None)]);
    assert_eq!((seen.generation, seen.wanted, seen.ready, seen.updating), (3, 2, 1, true));
}

#[test]
fn copies_that_start_or_have_ended_are_not_ready() {
    let tasks = vec![
        task(1, "new", "running", "starting"),
        task(2, "new", "running", "failed"),
        task(2, "old", "shutdown", "shutdown"),
    ];
    let seen = observed(&replicated(2), tasks, &[node("n1", "worker-1", "ready", None)]);
    assert_eq!((seen.ready, seen.updating), (0, false));
}

#[test]
fn what_copies_are_at_is_said_until_all_are_ready() {
    let mut tasks = vec![
        task(1, "new", "running", "running"),
        task(2, "new", "running", "preparing"),
        task(3, "new", "running", "preparing"),
        task(3, "new", "shutdown", "rejected"),
        task(3, "old", "shutdown", "starting"),
        task(4, "new", "running", "pending"),
    ];
    let up = [node("n1", "worker-1", "ready", None)];
    let seen = observed(&replicated(4), tasks.clone(), &up);
    assert_eq!(seen.progress(), "1 of 4 copies are ready, the others: 1 pending, 2 preparing");
    tasks.truncate(1);
    assert_eq!(observed(&replicated(1), tasks, &up).under_way, None);
}

#[test]
fn a_copy_that_waits_for_an_address_of_a_network_that_is_used_up_says_so() {
    let mut waiting = task(2, "new", "running", "new");
    waiting["NetworksAttachments"] = Value::Null;
    let tasks = vec![task(1, "new", "running", "running"), waiting];
    let up = [node("n1", "worker-1", "ready", None)];
    let seen = observed_beside(&replicated(2), tasks.clone(), &up, Some("no address left"));
    let expected = Trouble::new(Obstacle::Addresses, "no address left".to_owned());
    assert_eq!(seen.trouble, Some(expected));
    assert_eq!(observed(&replicated(2), tasks.clone(), &up).trouble, None);
    let all_run = observed_beside(&replicated(1), tasks[..1].to_vec(), &up, Some("no address left"));
    assert_eq!(all_run.trouble, None, "nobody waits");
}

#[test]
fn the_newest_error_of_a_present_copy_is_the_message_until_all_are_ready() {
    let with_error = |at: &str, error: &str| {
        let mut task = task(1, "new", "shutdown", "rejected");
        task["Status"] = json!({"State": "rejected", "Timestamp": at, "Err": error});
        task
    };
    let errors = || vec![with_error("2026-11-23T14:00:05Z", "newer"), with_error("2026-11-23T14:00:01Z", "older")];
    assert_eq!(observed(&replicated(1), errors(), &[]).message(), Some("newer"));
    let mut all = errors();
    all.push(task(1, "new", "running", "running"));
    let up = [node("n1", "worker-1", "ready", None)];
    assert_eq!(observed(&replicated(1), all, &up).trouble, None);
}

#[test]
fn an_update_that_stopped_is_a_cause_and_one_that_goes_on_is_not() {
    let message = |state: &str| {
        let mut service = replicated(1);
        let status = json!({"State": state, "Message": "words of Swarm"});
        service.update_status = serde_json::from_value(status).unwrap();
        observed(&service, Vec::new(), &[]).message().map(str::to_owned)
    };
    for state in ["updating", "completed"] {
        assert_eq!(message(state), None, "{state}");
    }
    for state in ["paused", "rollback_started", "rollback_paused", "rollback_completed"] {
        assert_eq!(message(state).as_deref(), Some("words of Swarm"), "{state}");
    }
}

#[test]
fn a_global_service_is_wanted_on_every_node_that_is_up_and_allowed() {
    let listed = [
        node("n1", "manager-1", "ready", Some("reachable")),
        node("n2", "worker-1", "ready", None),
        node("n3", "worker-2", "down", None),
    ];
    let global = |constraints: &[&str]| service(json!({"Global": {}}), constraints);
    assert_eq!(observed(&global(&[]), Vec::new(), &listed).wanted, 2);
    assert_eq!(observed(&global(&["node.role==manager"]), Vec::new(), &listed).wanted, 1);
    assert_eq!(observed(&global(&["node.labels.io.muster.machine!=worker-1"]), Vec::new(), &listed).wanted, 1);
    assert_eq!(observed(&global(&["node.labels.disk==ssd"]), Vec::new(), &listed).wanted, 0);
}

#[test]
fn a_job_counts_completions_of_its_present_run() {
    let mut job = service(json!({"ReplicatedJob": {"TotalCompletions": 2}}), &[]);
    job.job_status = serde_json::from_value(json!({"JobIteration": {"Index": 9}})).unwrap();
    let run = |slot, number: u64| {
        let mut task = task(slot, "new", "complete", "complete");
        task["JobIteration"] = json!({"Index": number});
        task
    };
    let seen = observed(&job, vec![run(1, 9), run(2, 4)], &[]);
    assert_eq!((seen.wanted, seen.ready), (2, 1));
}

#[test]
fn a_manager_that_the_others_do_not_reach_is_not_ready() {
    let listed = [
        node("n1", "manager-1", "ready", Some("unreachable")),
        node("n2", "manager-2", "ready", Some("reachable")),
        node("n3", "worker-1", "down", None),
    ];
    let seen = nodes::observed(&nodes::machines(&cluster(), &listed, &[]));
    let ready: Vec<(&str, bool)> = seen.iter().map(|(name, node)| (name.as_str(), node.ready)).collect();
    assert_eq!(ready, [("manager-1", false), ("manager-2", true), ("worker-1", false)]);
    assert!(seen.values().all(|node| node.ready == node.message.is_none()));
}

#[test]
fn of_a_machines_nodes_the_one_that_is_up_counts() {
    let listed = [node("old", "worker-1", "down", None), node("new", "worker-1", "ready", None)];
    let seen = nodes::observed(&nodes::machines(&cluster(), &listed, &[]));
    assert_eq!(seen.values().map(|node| node.id.as_str()).collect::<Vec<_>>(), ["new"]);
}

#[test]
fn a_node_without_marks_is_known_by_its_host_name_and_a_strangers_is_left_out() {
    let named = |id: &str, hostname: &str| -> Node {
        serde_json::from_value(json!({"ID": id, "Description": {"Hostname": hostname}})).unwrap()
    };
    let listed = [named("n1", "demo-worker-7"), named("n2", "printer")];
    let seen = nodes::observed(&nodes::machines(&cluster(), &listed, &[]));
    assert_eq!(seen.keys().map(|name| name.as_str()).collect::<Vec<_>>(), ["worker-7"]);
}

#[test]
fn tasks_are_containers_and_of_those_that_ended_only_the_last_are_shown() {
    let ended = |second: u32| {
        let mut task = task(1, "new", "shutdown", "failed");
        task["ID"] = format!("ended-{second}").into();
        let container = json!({"ContainerID": "c", "ExitCode": 3});
        let at = format!("2026-11-23T14:00:0{second}Z");
        task["Status"] = json!({"State": "failed", "Timestamp": at, "ContainerStatus": container});
        task
    };
    let tasks = seen(vec![ended(1), ended(3), task(1, "new", "running", "running"), ended(2)]);
    let listed = [node("n1", "worker-1", "ready", None)];
    let machines: BTreeMap<_, _> = nodes::machines(&cluster(), &listed, &[]);
    let shown = containers::observed(&"web".parse().unwrap(), &tasks.iter().collect::<Vec<_>>(), &machines);
    let ids: Vec<&str> = shown.iter().map(|container| container.id.as_str()).collect();
    assert_eq!(ids, ["new-1-running", "ended-3", "ended-2"]);
    let running = &shown[0];
    assert_eq!((running.name.as_str(), running.phase), ("web.1", ContainerPhase::Running));
    assert_eq!(running.machine.as_ref().map(|name| name.as_str()), Some("worker-1"));
    assert_eq!((running.address.as_deref(), running.exit_code), (Some("10.0.1.5"), None));
    assert_eq!((shown[1].phase, shown[1].exit_code), (ContainerPhase::Failed, Some(3)));
}

#[test]
fn a_digest_is_shown_with_the_service_and_a_copy_shows_the_image_that_was_asked_for() {
    let mut one = service(json!({"Replicated": {"Replicas": 1}}), &[]);
    assert_eq!(observed(&one, vec![], &[]).digest, None);
    let container = one.spec.as_mut().unwrap().task_template.as_mut().unwrap().container_spec.as_mut().unwrap();
    container.image = Some("nginx:1@sha256:0a".to_owned());
    assert_eq!(observed(&one, vec![], &[]).digest.as_deref(), Some("sha256:0a"));

    let mut pinned = task(1, "new", "running", "running");
    pinned["Spec"]["ContainerSpec"]["Image"] = "nginx:1@sha256:0a".into();
    let image = |task: Value| {
        let tasks = seen(vec![task]);
        containers::observed(&"web".parse().unwrap(), &tasks.iter().collect::<Vec<_>>(), &BTreeMap::new())[0]
            .image
            .clone()
    };
    assert_eq!(image(pinned.clone()), "nginx:1@sha256:0a", "asked for with its digest");
    pinned["Spec"]["ContainerSpec"]["Labels"]["io.muster.image"] = "nginx:1".into();
    assert_eq!(image(pinned), "nginx:1");
}
