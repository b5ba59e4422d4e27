//! Objects as the API shows them (shortened from a cluster of version 1.36), and what is seen in them.

use std::sync::Arc;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Event, Node, Pod};
use muster_engine::observed::{ObservedContainer, ObservedService, OrchestratorView};
use muster_protocol::model::container::ContainerPhase;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::*;
use crate::fixtures::cluster;
use crate::marks::TEMPLATE;

fn object<T: DeserializeOwned>(value: Value) -> Arc<T> {
    Arc::new(serde_json::from_value(value).unwrap())
}

fn name(text: &str) -> muster_protocol::Name {
    text.parse().unwrap()
}

fn labels(extra: Value) -> Value {
    let mut labels = serde_json::to_value(crate::marks::of_service(&cluster(), &"web".parse().unwrap())).unwrap();
    for (name, value) in extra.as_object().unwrap() {
        labels[name] = value.clone();
    }
    labels
}

fn node(name: &str, ready: &str, extra: Value) -> Arc<Node> {
    let mut node = json!({
        "metadata": { "name": format!("demo-{name}"), "uid": format!("{name}-uid"), "labels": { "io.muster.machine": name } },
        "spec": {},
        "status": {
            "addresses": [{ "type": "InternalIP", "address": "10.0.0.9" }],
            "capacity": { "cpu": "2", "memory": "16393244Ki" },
            "conditions": [{ "type": "Ready", "status": ready, "reason": "KubeletNotReady", "message": "Kubelet stopped posting node status." }],
            "nodeInfo": {
                "kubeletVersion": "v1.36.3", "architecture": "amd64", "bootID": "", "containerRuntimeVersion": "",
                "kernelVersion": "", "kubeProxyVersion": "", "machineID": "", "operatingSystem": "linux",
                "osImage": "", "systemUUID": "",
            },
        },
    });
    merge(&mut node, extra);
    object(node)
}

fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (name, value) in from {
                merge(into.entry(name).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from,
    }
}

fn deployment(replicas: u32, status: Value) -> Arc<Deployment> {
    object(json!({
        "metadata": {
            "name": "web", "uid": "web-uid", "generation": 3,
            "labels": labels(json!({ "io.muster.generation": "7" })),
        },
        "spec": {
            "replicas": replicas,
            "selector": {},
            "template": { "metadata": { "labels": { TEMPLATE: "now" } } },
        },
        "status": status,
    }))
}

fn settled() -> Value {
    json!({ "observedGeneration": 3 })
}

fn pod(name: &str, template: &str, extra: Value) -> Arc<Pod> {
    let mut pod = json!({
        "metadata": {
            "name": name, "uid": format!("{name}-uid"), "creationTimestamp": "2026-11-23T14:00:00Z",
            "labels": labels(json!({ TEMPLATE: template })),
        },
        "spec": { "nodeName": "demo-worker-1", "containers": [{ "name": "web", "image": "nginx:1" }] },
        "status": { "phase": "Running" },
    });
    merge(&mut pod, extra);
    object(pod)
}

fn ready() -> Value {
    json!({ "status": {
        "podIP": "10.244.1.7",
        "conditions": [{ "type": "Ready", "status": "True" }],
        "containerStatuses": [{
            "name": "web", "image": "nginx:1", "imageID": "", "ready": true, "started": true, "restartCount": 0,
            "state": { "running": { "startedAt": "2026-11-23T14:00:05Z" } },
        }],
    } })
}

/// A pod whose one container is in this state.
fn container(state: Value, last: Value, restarts: u32) -> Value {
    json!({ "status": { "containerStatuses": [{
        "name": "web", "image": "nginx:1", "imageID": "", "ready": false, "started": false, "restartCount": restarts,
        "state": state, "lastState": last,
    }] } })
}

fn looked(seen: ClusterObjects) -> OrchestratorView {
    view(&cluster(), &[], &seen)
}

fn seen(replicas: u32, pods: Vec<Arc<Pod>>) -> ClusterObjects {
    ClusterObjects {
        nodes: vec![node("worker-1", "True", json!({})), node("worker-2", "True", json!({}))],
        deployments: vec![deployment(replicas, settled())],
        pods,
        ..Default::default()
    }
}

fn web(seen: ClusterObjects) -> ObservedService {
    looked(seen).services.remove(&name("web")).unwrap()
}

fn only_container(pod: Arc<Pod>) -> ObservedContainer {
    let mut containers = looked(seen(1, vec![pod])).containers;
    assert_eq!(containers.len(), 1);
    containers.remove(0)
}

fn message(pod: Arc<Pod>) -> String {
    web(seen(1, vec![pod])).trouble.unwrap().words
}

#[test]
fn copies_of_the_present_spec_that_are_ready_count() {
    let service = web(seen(2, vec![pod("a", "now", ready()), pod("b", "now", ready())]));
    assert_eq!((service.wanted, service.ready, service.updating, service.generation), (2, 2, false, 7));
    assert_eq!((service.trouble, service.under_way), (None, None));
}

#[test]
fn a_copy_of_an_earlier_spec_is_part_of_the_change_until_it_is_gone() {
    let service = web(seen(1, vec![pod("a", "now", ready()), pod("b", "before", ready())]));
    assert_eq!((service.ready, service.updating), (1, true));
    let ended = pod("b", "before", json!({ "status": { "phase": "Failed" } }));
    assert!(!web(seen(1, vec![pod("a", "now", ready()), ended])).updating);
}

/// A pod that was told to end and did not, as the kubelet reports it last.
fn killed() -> Arc<Pod> {
    let mut last = container(json!({ "terminated": { "exitCode": 137, "reason": "Error" } }), json!({}), 0);
    merge(
        &mut last,
        json!({ "metadata": { "deletionTimestamp": "2026-11-23T14:01:00Z" }, "status": { "phase": "Failed" } }),
    );
    pod("a", "before", last)
}

#[test]
fn a_copy_that_had_to_be_killed_is_seen_while_its_pod_is_there_and_when_it_is_gone() {
    let of = |view: OrchestratorView| {
        let stopped = view.containers.into_iter().filter(|one| one.phase == ContainerPhase::Stopped);
        stopped.map(|one| (one.name, one.machine.unwrap().to_string(), one.exit_code)).collect::<Vec<_>>()
    };
    let told = vec![("a".to_owned(), "worker-1".to_owned(), Some(137))];
    assert_eq!(of(looked(seen(1, vec![killed(), pod("b", "now", ready())]))), told);
    let gone = ClusterObjects { killed: vec![killed()], ..seen(1, vec![pod("b", "now", ready())]) };
    let view = looked(gone);
    assert!(!view.services[&name("web")].updating, "nothing is waited for");
    assert_eq!(of(view), told);
}

#[test]
fn a_copy_that_wants_memory_while_it_ends_was_not_killed_for_its_time() {
    let mut last = container(json!({ "terminated": { "exitCode": 137, "reason": "OOMKilled" } }), json!({}), 0);
    merge(
        &mut last,
        json!({ "metadata": { "deletionTimestamp": "2026-11-23T14:01:00Z" }, "status": { "phase": "Failed" } }),
    );
    let seen = only_container(pod("a", "now", last));
    assert_eq!((seen.phase, seen.exit_code), (ContainerPhase::Stopped, None));
}

#[test]
fn a_copy_that_is_being_removed_counts_for_nothing_and_is_waited_for() {
    let mut going = ready();
    merge(&mut going, json!({ "metadata": { "deletionTimestamp": "2026-11-23T14:01:00Z" } }));
    let service = web(seen(1, vec![pod("a", "now", going)]));
    assert_eq!((service.ready, service.updating), (0, true));
}

#[test]
fn what_the_controller_has_not_looked_at_yet_is_under_way() {
    let unseen = deployment(1, json!({ "observedGeneration": 2 }));
    let seen = ClusterObjects { deployments: vec![unseen], ..seen(1, vec![pod("a", "now", ready())]) };
    assert!(web(seen).updating);
}

#[test]
fn a_copy_on_a_machine_that_is_silent_does_not_count_and_is_not_waited_for() {
    let silent = |template| ClusterObjects {
        nodes: vec![node("worker-1", "Unknown", json!({}))],
        ..seen(1, vec![pod("a", template, ready())])
    };
    assert_eq!(web(silent("now")).ready, 0);
    assert!(!web(silent("before")).updating);
}

#[test]
fn the_digest_of_the_present_spec_is_seen_and_a_copys_image_is_told_as_it_was_asked_for() {
    let digest = format!("sha256:{}", "a".repeat(64));
    let pinned = format!("nginx:1@{digest}");
    let containers = json!([{ "name": "web", "image": pinned }]);
    let mut one = serde_json::to_value(&*deployment(1, settled())).unwrap();
    merge(&mut one, json!({ "spec": { "template": { "spec": { "containers": containers } } } }));
    let mut copy = ready();
    merge(
        &mut copy,
        json!({ "metadata": { "annotations": { "io.muster.image": "nginx:1" } }, "spec": { "containers": containers } }),
    );
    let seen = ClusterObjects { deployments: vec![object(one)], ..seen(1, vec![pod("a", "now", copy)]) };
    let view = looked(seen);
    assert_eq!(view.services[&name("web")].digest.as_deref(), Some(digest.as_str()));
    assert_eq!(view.containers[0].image, "nginx:1");
    assert_eq!(web(super::tests::seen(1, Vec::new())).digest, None, "a tag is no digest");
}

#[test]
fn a_copy_that_waits_for_its_volume_is_told_with_the_volume_and_how_many_machines_lack_it() {
    let words = "0/2 nodes are available: 1 node(s) didn't match Pod's node affinity/selector, 1 node(s) were unschedulable. preemption: 0/2 nodes are available";
    let required = json!({ "nodeSelectorTerms": [{ "matchExpressions": [{ "key": "io.muster.volume/data", "operator": "Exists" }] }] });
    let waits = pod(
        "a",
        "now",
        json!({
            "spec": {
                "nodeName": null,
                "affinity": { "nodeAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": required } },
                "volumes": [{ "name": "mount-0", "hostPath": { "path": "/var/lib/muster/volumes/data" } }],
            },
            "status": {
                "phase": "Pending",
                "conditions": [{ "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": words }],
            },
        }),
    );
    let home = node("worker-1", "True", json!({ "metadata": { "labels": { "io.muster.volume/data": "yes" } } }));
    let other = node("worker-2", "True", json!({}));
    let message =
        |nodes: Vec<Arc<Node>>| web(ClusterObjects { nodes, ..seen(1, vec![waits.clone()]) }).trouble.unwrap().words;
    assert_eq!(
        message(vec![home, other.clone()]),
        "no machine can run a copy: 0/2 nodes are available: 1 node(s) didn't match Pod's node affinity/selector, 1 node(s) were \
         unschedulable; of 2 machines 1 has no volume `data` of an earlier copy (see `allowEmptyVolume`)"
    );
    let gone = message(vec![other.clone(), node("worker-3", "True", json!({}))]);
    assert!(
        gone.ends_with("of 2 machines 2 have no volume `data` of an earlier copy (see `allowEmptyVolume`)"),
        "{gone}"
    );
}

#[test]
fn an_image_that_its_registry_refuses_is_beyond_hope_and_one_whose_registry_is_silent_is_not() {
    for (why, hopeless) in [
        ("failed to pull image \"nginx:1\": not found", true),
        ("pull access denied, repository does not exist or may require authorization", true),
        ("failed to do request: Head \"https://registry.lan/v2/\": dial tcp: i/o timeout", false),
    ] {
        let waiting = json!({ "waiting": { "reason": "ErrImagePull", "message": why } });
        let seen = web(seen(1, vec![pod("a", "now", container(waiting, json!({}), 0))]));
        let trouble = seen.trouble.unwrap();
        assert_eq!(trouble.hopeless, hopeless, "{why}");
        assert!(trouble.words.contains(why));
    }
}

#[test]
fn an_image_that_cannot_be_pulled_is_told_with_the_pulls_own_words() {
    let sentence = "Back-off pulling image \"nginx:1\": ErrImagePull: rpc error: code = NotFound desc = failed to pull and unpack image \"docker.io/library/nginx:1\": not found";
    let waiting = json!({ "waiting": { "reason": "ImagePullBackOff", "message": sentence } });
    let pod = pod("a", "now", container(waiting, json!({}), 0));
    assert_eq!(
        message(Arc::clone(&pod)),
        "the image `nginx:1` cannot be pulled: failed to pull and unpack image \"docker.io/library/nginx:1\": not found"
    );
    let container = only_container(pod);
    assert_eq!((container.phase, container.exit_code), (ContainerPhase::Starting, None));
    assert!(container.message.unwrap().contains("not found"));
}

#[test]
fn a_container_that_does_not_stay_up_is_told_with_its_exit_code_and_last_words() {
    let ended = json!({ "terminated": {
        "exitCode": 3, "reason": "Error", "message": "first\nno such file\n", "finishedAt": "2026-11-23T14:00:09Z",
    } });
    let waiting = json!({ "waiting": { "reason": "CrashLoopBackOff", "message": "back-off 40s" } });
    let pod = pod("a", "now", container(waiting, ended, 4));
    assert_eq!(
        message(Arc::clone(&pod)),
        "the container ended with exit code 3, and was started again 4 times; its last words: no such file"
    );
    let container = only_container(pod);
    assert_eq!((container.phase, container.exit_code), (ContainerPhase::Failed, Some(3)));
}

#[test]
fn too_much_memory_is_told_with_the_limit() {
    let ended = json!({ "terminated": { "exitCode": 137, "reason": "OOMKilled" } });
    let mut extra = container(ended, json!({}), 1);
    merge(
        &mut extra,
        json!({ "spec": { "containers": [{
        "name": "web", "image": "nginx:1", "resources": { "limits": { "memory": "67108864" } },
    }] } }),
    );
    assert_eq!(
        message(pod("a", "now", extra)),
        "the container needed more memory than its limit of 64Mi and was killed (OOMKilled), and was started again once"
    );
}

fn unschedulable(words: &str, ports: Value) -> Arc<Pod> {
    pod(
        "a",
        "now",
        json!({
            "spec": { "nodeName": null, "containers": [{ "name": "web", "image": "nginx:1", "ports": ports }] },
            "status": {
                "phase": "Pending",
                "conditions": [{ "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": words }],
            },
        }),
    )
}

#[test]
fn a_copy_without_a_place_is_told_with_the_schedulers_numbers() {
    let words = "0/3 nodes are available: 1 node(s) didn't match Pod's node affinity/selector, 2 Insufficient memory. no new claims to deallocate, preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling.";
    let pod = unschedulable(words, json!([]));
    assert_eq!(
        message(Arc::clone(&pod)),
        "no machine can run a copy: 0/3 nodes are available: 1 node(s) didn't match Pod's node affinity/selector, 2 Insufficient memory"
    );
    assert_eq!(only_container(pod).phase, ContainerPhase::Pending);
}

#[test]
fn a_port_that_is_taken_is_named() {
    let words = "0/2 nodes are available: 2 node(s) didn't have free ports for the requested pod ports.";
    let pod = unschedulable(words, json!([{ "containerPort": 80, "hostPort": 8090 }]));
    assert!(message(pod).ends_with("(it wants port 8090 of its machine)"));
}

fn warning(uid: &str, reason: &str, message: &str, at: &str) -> Arc<Event> {
    object(json!({
        "metadata": { "name": format!("{uid}.{reason}") },
        "involvedObject": { "uid": uid }, "reason": reason, "message": message, "lastTimestamp": at,
    }))
}

#[test]
fn a_failing_check_is_told_with_its_own_words() {
    let probe = json!({ "tcpSocket": { "port": 80 } });
    let mut extra = container(json!({ "running": { "startedAt": "2026-11-23T14:00:05Z" } }), json!({}), 0);
    merge(
        &mut extra,
        json!({ "spec": { "containers": [{ "name": "web", "image": "nginx:1", "livenessProbe": probe }] } }),
    );
    let pod = pod("a", "now", extra);
    let warnings = vec![
        warning("a-uid", "FailedMount", "an old trouble", "2026-11-23T14:00:01Z"),
        warning("a-uid", "Unhealthy", "Startup probe failed: connection refused", "2026-11-23T14:00:08Z"),
        warning("a-uid", "BackOff", "Back-off restarting failed container", "2026-11-23T14:00:09Z"),
    ];
    let service = web(ClusterObjects { warnings, ..seen(1, vec![Arc::clone(&pod)]) });
    assert_eq!(service.message(), Some("the health check fails: Startup probe failed: connection refused"));
    let container = only_container(pod);
    assert_eq!((container.phase, container.healthy), (ContainerPhase::Starting, Some(false)));
}

#[test]
fn a_quota_that_lets_no_pods_be_made_is_the_cause() {
    let words = "pods \"web-5d\" is forbidden: exceeded quota: small, requested: pods=1, used: pods=2, limited: pods=2";
    let status = json!({
        "observedGeneration": 3,
        "conditions": [{ "type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": words }],
    });
    let service =
        web(ClusterObjects { deployments: vec![deployment(3, status)], ..seen(3, vec![pod("a", "now", ready())]) });
    assert_eq!(service.message(), Some(words));
}

#[test]
fn what_copies_are_at_is_no_trouble() {
    let creating = container(json!({ "waiting": { "reason": "ContainerCreating" } }), json!({}), 0);
    let service = web(seen(2, vec![pod("a", "now", creating), pod("b", "now", ready())]));
    assert_eq!((service.message(), service.under_way.as_deref()), (None, Some("1 being made")));
}

#[test]
fn a_node_says_how_it_is() {
    let nodes = vec![
        node(
            "control-plane-1",
            "True",
            json!({ "metadata": { "labels": { "node-role.kubernetes.io/control-plane": "" } } }),
        ),
        node("worker-1", "False", json!({})),
        node("worker-2", "True", json!({ "spec": { "unschedulable": true } })),
    ];
    let view = looked(ClusterObjects { nodes, ..Default::default() });
    let first = &view.nodes[&name("control-plane-1")];
    assert_eq!((first.ready, first.message.as_deref(), first.id.as_str()), (true, None, "control-plane-1-uid"));
    assert_eq!(first.version.as_deref(), Some("v1.36.3"));
    assert_eq!((first.cpu.unwrap().0, first.memory.unwrap().0), (2000, 16_393_244 << 10));
    assert_eq!(view.nodes[&name("worker-1")].message.as_deref(), Some("Kubelet stopped posting node status."));
    let closed = &view.nodes[&name("worker-2")];
    assert_eq!((closed.ready, closed.message.as_deref()), (true, Some("the node is closed for new pods by somebody")));
    assert_eq!(view.endpoints, ["https://10.0.0.9:6443"]);
}

#[test]
fn a_voter_counts_while_its_pod_and_its_node_are_well() {
    let etcd = |node: &str, ready: &str| {
        object::<Pod>(json!({
            "metadata": { "name": format!("etcd-{node}") }, "spec": { "nodeName": node, "containers": [] },
            "status": { "conditions": [{ "type": "Ready", "status": ready }] },
        }))
    };
    let nodes = vec![
        node("control-plane-1", "True", json!({})),
        node("control-plane-2", "Unknown", json!({})),
        node("control-plane-3", "True", json!({})),
    ];
    let etcd = vec![
        etcd("demo-control-plane-1", "True"),
        etcd("demo-control-plane-2", "True"),
        etcd("demo-control-plane-3", "False"),
    ];
    let voters = looked(ClusterObjects { nodes, etcd, ..Default::default() }).voters.unwrap();
    let healthy: Vec<bool> = voters.iter().map(|voter| voter.healthy).collect();
    assert_eq!(healthy, [true, false, false]);
    assert_eq!(voters[1].machine, Some("control-plane-2".parse().unwrap()));
    assert_eq!(looked(ClusterObjects::default()).voters, None, "a cluster of others says nothing of its voters");
}

#[test]
fn a_port_of_the_host_is_reached_where_a_ready_copy_runs() {
    let ports = json!({ "spec": { "containers": [{
        "name": "web", "image": "nginx:1", "ports": [{ "containerPort": 80, "hostPort": 8080, "protocol": "TCP" }],
    }] } });
    let mut running = ready();
    merge(&mut running, ports.clone());
    let mut starting = ports;
    merge(&mut starting, json!({ "spec": { "nodeName": "demo-worker-2" } }));
    let service = web(seen(2, vec![pod("a", "now", running), pod("b", "now", starting)]));
    let endpoints: Vec<_> =
        service.endpoints.iter().map(|one| (one.address.as_str(), one.published, one.port)).collect();
    assert_eq!(endpoints, [("10.0.0.9", 8080, 80)]);
}
