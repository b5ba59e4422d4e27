//! A node before it goes.

use std::time::Duration;

use muster_engine::handler::Handler as _;
use muster_protocol::ErrorCode;
use muster_protocol::model::service::ServiceSpec;

use crate::patience::until;
use crate::{Scene, order};

pub(crate) async fn a_drain_respects_a_budget_says_so_and_ends_when_it_allows_it(scene: Scene) {
    let handler = &scene.handler;
    let machine = handler.observe(&[]).await.unwrap().nodes.keys().next_back().unwrap().clone();
    // Bound to this machine at first, and free to go elsewhere later.
    let mut held = order(ServiceSpec {
        constraints: vec![format!("host=={machine}").parse().unwrap()],
        ..scene.service("held", "exec sleep 1000")
    });
    let name = held.spec.name.clone();
    scene.deploy(&held).await;
    scene.ready(&name, 1, 1).await;
    let selector = format!("--selector=io.muster.service={name}");
    scene.kubectl(&["create", "pdb", name.as_str(), &selector, "--min-available=1"]);
    // Until it was counted, the API refuses every eviction and does not say why.
    until("the budget to be counted", async || {
        let counted = scene.kubectl(&["get", "pdb", name.as_str(), "-o", "jsonpath={.status.currentHealthy}"]);
        if counted == "1" { Ok(()) } else { Err(counted) }
    })
    .await;

    let failure = handler.drain(&[], &machine, Duration::from_secs(4)).await.unwrap_err();
    println!("{failure}");
    assert_eq!(failure.code, ErrorCode::DeadlineExceeded);
    assert!(failure.message.contains(name.as_str()) && failure.message.contains("needs 1 healthy pods"), "{failure}");
    let seen = scene.observe_until("the node to be closed", |view| view.nodes[&machine].message.is_some()).await;
    assert!(seen.nodes[&machine].ready, "a closed node is still a node");

    scene.kubectl(&["delete", "pdb", name.as_str()]);
    held.generation = 2;
    held.spec.constraints = Vec::new();
    scene.deploy(&held).await;
    handler.drain(&[], &machine, Duration::from_secs(120)).await.unwrap();
    let view = scene.ready(&name, 2, 1).await;
    let runs_on = view.containers.iter().find(|one| one.service == name).unwrap().machine.clone();
    assert_ne!(runs_on, Some(machine.clone()));
    handler.uncordon(&[], &machine).await.unwrap();
    scene.observe_until("the node to be open", |view| view.nodes[&machine].message.is_none()).await;
    scene.remove(&name).await;
}
