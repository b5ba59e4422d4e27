use muster_engine::handler::Handler as _;
use serde_json::{Value, json};

use super::*;
use crate::scripted::{self, member, status};

const NODES: &str = "GET /api/v1/nodes";
const PODS: &str = "GET /api/v1/pods";
const NODE: &str = "PATCH /api/v1/nodes/demo-worker-1";

fn nodes(extra: Value) -> Value {
    let mut node = json!({
        "metadata": { "name": "demo-worker-1", "uid": "n1", "labels": { "io.muster.machine": "worker-1" } },
        "spec": {},
        "status": { "conditions": [{ "type": "Ready", "status": "True" }] },
    });
    for (name, value) in extra.as_object().unwrap() {
        node[name] = value.clone();
    }
    json!({ "metadata": {}, "items": [node] })
}

fn pod(name: &str, extra: Value) -> Value {
    let mut metadata = json!({ "name": name, "namespace": "muster" });
    for (name, value) in extra.as_object().unwrap() {
        metadata[name] = value.clone();
    }
    json!({ "metadata": metadata, "spec": { "containers": [] }, "status": { "phase": "Running" } })
}

fn pods(pods: &[Value]) -> Value {
    json!({ "metadata": {}, "items": pods })
}

fn worker() -> Name {
    "worker-1".parse().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_budget_is_respected_until_the_time_is_over_and_then_named() {
    let refused = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": 429, "reason": "TooManyRequests",
        "message": "Cannot evict pod as it would violate the pod's disruption budget.",
        "details": { "causes": [{ "reason": "DisruptionBudget", "message": "The disruption budget web needs 2 healthy pods and has 2 currently" }] },
    });
    let (client, asked) = scripted::client(move |request| match request {
        NODES => Some((200, nodes(json!({})))),
        PODS => Some((200, pods(&[pod("web-1", json!({}))]))),
        "POST /api/v1/namespaces/muster/pods/web-1/eviction" => Some((429, refused.clone())),
        NODE => Some((200, json!({ "metadata": { "name": "demo-worker-1" } }))),
        _ => None,
    });
    let handler = scripted::handler([("control-plane-1", client)]);
    let members = [member("control-plane-1")];
    let began = Instant::now();
    let failure = handler.drain(&members, &worker(), Duration::from_secs(60)).await.unwrap_err();
    assert!(began.elapsed() >= Duration::from_secs(60), "{:?}", began.elapsed());
    assert_eq!(failure.code, ErrorCode::DeadlineExceeded);
    assert!(failure.message.contains("muster/web-1 (The disruption budget web needs 2 healthy pods"), "{failure}");
    assert!(failure.remedy.is_some());
    assert!(asked.count("POST /api/v1/namespaces/muster/pods/web-1/eviction") > 30, "it is asked for again");
}

#[tokio::test]
async fn what_the_node_runs_by_itself_and_daemon_sets_stay() {
    let own = json!({ "annotations": { "kubernetes.io/config.mirror": "x" } });
    let owner = json!({ "apiVersion": "apps/v1", "kind": "DaemonSet", "name": "d", "uid": "u", "controller": true });
    let of_daemon_set = json!({ "ownerReferences": [owner] });
    let (client, asked) = scripted::client(move |request| match request {
        NODES => Some((200, nodes(json!({ "spec": { "unschedulable": true } })))),
        PODS => Some((200, pods(&[pod("etcd", own.clone()), pod("agent", of_daemon_set.clone())]))),
        _ => None,
    });
    let handler = scripted::handler([("control-plane-1", client)]);
    handler.step(&[member("control-plane-1")], &member("worker-1"), MachineStep::Drain).await.unwrap();
    assert_eq!(asked.changes(), Vec::<String>::new());
}

#[tokio::test]
async fn a_node_that_a_person_closed_is_not_opened() {
    let opened = async |annotations: Value| {
        let node = nodes(json!({
            "metadata": { "name": "demo-worker-1", "labels": { "io.muster.machine": "worker-1" }, "annotations": annotations },
            "spec": { "unschedulable": true },
        }));
        let (client, asked) = scripted::client(move |request| match request {
            NODES => Some((200, node.clone())),
            NODE => Some((200, json!({ "metadata": { "name": "demo-worker-1" } }))),
            _ => None,
        });
        scripted::handler([("control-plane-1", client)])
            .uncordon(&[member("control-plane-1")], &worker())
            .await
            .unwrap();
        asked.has(NODE)
    };
    assert!(!opened(json!({})).await);
    assert!(opened(json!({ CORDONED: "yes" })).await);
}

#[tokio::test]
async fn a_dead_control_plane_delays_nobody_and_the_one_that_answered_is_asked_first() {
    let (client, asked) = scripted::client(|request| (request == NODES).then(|| (200, nodes(json!({})))));
    let handler = scripted::handler([("control-plane-2", client)]);
    let members = [member("control-plane-1"), member("control-plane-2")];
    handler.delete_node(&members, &"worker-9".parse().unwrap()).await.unwrap();
    assert_eq!(asked.count("GET /readyz"), 1);
}

#[tokio::test]
async fn without_a_control_plane_that_is_ready_the_most_telling_failure_is_told() {
    let (client, _) = scripted::client(|request| {
        (request == "GET /readyz").then(|| (500, status(500, "[-]etcd failed: reason withheld\nreadyz check failed")))
    });
    let handler = scripted::handler([("control-plane-2", client)]);
    let members = [member("control-plane-1"), member("control-plane-2")];
    let failure = handler.delete_node(&members, &worker()).await.unwrap_err();
    assert_eq!(failure.code, ErrorCode::QuorumLost, "{failure}");
}
