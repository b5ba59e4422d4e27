use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bollard::models::PeerNode;
use serde_json::{Value, json};

use super::*;
use crate::fixtures::cluster;
use crate::marks;
use crate::scripted::{self, Heard, Scripted};

fn node(id: &str) -> Node {
    Node { id: Some(id.to_owned()), ..Default::default() }
}

fn report(state: LocalNodeState, id: &str, peer: Option<&str>) -> SwarmInfo {
    SwarmInfo {
        local_node_state: Some(state),
        node_id: Some(id.to_owned()),
        remote_managers: peer.map(|id| vec![PeerNode { node_id: Some(id.to_owned()), ..Default::default() }]),
        ..Default::default()
    }
}

#[test]
fn a_listed_node_is_a_member() {
    assert_eq!(standing(&report(LocalNodeState::ACTIVE, "a", None), &[node("a")]), Standing::Member);
}

#[test]
fn a_node_that_knows_only_strangers_is_elsewhere() {
    assert_eq!(standing(&report(LocalNodeState::ACTIVE, "x", Some("y")), &[node("a")]), Standing::Elsewhere);
}

#[test]
fn a_node_that_was_forgotten_while_it_lived_may_come_back() {
    assert_eq!(standing(&report(LocalNodeState::ACTIVE, "old", Some("a")), &[node("a")]), Standing::Forgotten);
}

#[test]
fn one_that_waits_as_a_node_that_was_struck_off_may_come_back() {
    let pending = |id, peer| standing(&report(LocalNodeState::PENDING, id, peer), &[node("a")]);
    assert_eq!(pending("old", Some("a")), Standing::Forgotten);
    assert_eq!(pending("old", None), Standing::Forgotten);
    assert_eq!(pending("x", Some("y")), Standing::Elsewhere, "others' managers may know it");
    assert_eq!(pending("a", Some("a")), Standing::Joining);
    assert_eq!(pending("", None), Standing::Joining, "its certificate is on its way");
}

#[test]
fn a_broken_node_of_another_swarm_is_left_alone() {
    assert_eq!(standing(&report(LocalNodeState::ERROR, "", Some("y")), &[node("a")]), Standing::Elsewhere);
}

const FIRST: &str = "10.0.0.1";
const SECOND: &str = "10.0.0.2";

fn refused() -> (u16, Value) {
    (500, json!({ "message": "out of order" }))
}

/// What a manager answers that leads the swarm alone, and lists this node beside itself.
fn leader(request: &str, other: Value) -> (u16, Value) {
    let swarm = json!({
        "ID": "swarm", "Spec": { "Labels": marks::of_cluster(&cluster()) }, "JoinTokens": { "Manager": "m", "Worker": "w" },
    });
    let itself = json!({ "ID": "n1", "ManagerStatus": { "Reachability": "reachable", "Addr": "10.0.0.1:2377" } });
    match request {
        "GET /swarm" => (200, swarm),
        "GET /nodes" if other.is_null() => (200, json!([itself])),
        "GET /nodes" => (200, json!([itself, other])),
        "GET /nodes/n2" => (200, other),
        _ => refused(),
    }
}

/// Managers that ask a leader and a second machine.
async fn managers(
    first: impl Fn(&str, &Heard) -> (u16, Value) + Send + Sync + 'static,
    second: impl Fn(&str, &Heard) -> (u16, Value) + Send + Sync + 'static,
) -> (Managers, [Member; 2], Heard) {
    let (leading, _) = scripted::engine(first).await;
    let (joining, asked) = scripted::engine(second).await;
    let engines = HashMap::from([(FIRST.to_owned(), leading), (SECOND.to_owned(), joining)]);
    let managers = Managers::new(Arc::new(cluster()), Arc::new(Scripted(engines)));
    let member = |name: &str, address: &str| scripted::member(name, Role::ControlPlane, address);
    (managers, [member("control-plane-1", FIRST), member("control-plane-2", SECOND)], asked)
}

fn info(state: &str, id: &str) -> (u16, Value) {
    (200, json!({ "Swarm": { "LocalNodeState": state, "NodeID": id } }))
}

#[tokio::test]
async fn what_fails_after_a_machine_was_asked_to_join_or_is_in_leaves_its_joining_in_doubt() {
    for was_in in [false, true] {
        let leading = |request: &str, asked: &Heard| {
            // The control plane fails once it has shown the node.
            let is_over = asked.has("GET /nodes/n2") && request == "GET /swarm";
            if is_over { refused() } else { leader(request, json!({ "ID": "n2" })) }
        };
        let joining = move |request: &str, asked: &Heard| match request {
            "GET /info" if was_in || asked.has("POST /swarm/join") => info("active", "n2"),
            "GET /info" => info("inactive", ""),
            "POST /swarm/join" => (200, Value::Null),
            _ => refused(),
        };
        let (managers, members, asked) = managers(leading, joining).await;
        let failure = join(&cluster(), &managers, &members[..1], &members[1]).await.unwrap_err();
        assert_eq!(asked.has("POST /swarm/join"), !was_in);
        assert_eq!(failure.certainty, Certainty::MaybeApplied, "{failure}");
    }
}

#[tokio::test]
async fn a_manager_on_its_way_in_is_neither_there_nor_absent_but_a_worker_may_be_absent() {
    let leading = |request: &str, _: &Heard| leader(request, Value::Null);
    let (managers, [first, second], _) = managers(leading, |_, _| info("pending", "")).await;
    let members = [first];
    let failure = look_up_node(&cluster(), &managers, &members, &second).await.unwrap_err();
    assert!(failure.remedy.is_some(), "{failure}");
    let worker = Member { role: Role::Worker, ..second };
    assert_eq!(look_up_node(&cluster(), &managers, &members, &worker).await.unwrap(), None);
}

#[tokio::test]
async fn a_manager_that_hangs_before_it_has_said_its_name_is_known_by_its_address() {
    let manager = json!({ "ID": "n2", "ManagerStatus": { "Addr": "10.0.0.2:2377" } });
    let leading = move |request: &str, _: &Heard| leader(request, manager.clone());
    let (managers, [first, second], _) = managers(leading, |_, _| refused()).await;
    let found = look_up_node(&cluster(), &managers, &[first], &second).await.unwrap();
    assert_eq!(found.map(|found| found.id).as_deref(), Some("n2"));
}

#[tokio::test]
async fn a_machine_that_comes_in_while_it_is_looked_up_is_found() {
    // It is listed from the moment in which it says that it is a node.
    let is_in = Arc::new(AtomicBool::new(false));
    let came_in = Arc::clone(&is_in);
    let leading = move |request: &str, _: &Heard| {
        let listed = is_in.load(Ordering::SeqCst);
        leader(request, if listed { json!({ "ID": "n2" }) } else { Value::Null })
    };
    let joining = move |_: &str, _: &Heard| {
        came_in.store(true, Ordering::SeqCst);
        info("active", "n2")
    };
    let (managers, [first, second], _) = managers(leading, joining).await;
    let found = look_up_node(&cluster(), &managers, &[first], &second).await.unwrap();
    assert_eq!(found.map(|found| found.id).as_deref(), Some("n2"));
}
