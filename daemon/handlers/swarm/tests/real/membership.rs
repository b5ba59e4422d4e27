//! Forming, joining, leaving.

use std::sync::Arc;

use muster_engine::context::ClusterContext;
use muster_engine::failure::Certainty;
use muster_engine::handler::Handler as _;
use muster_engine::member::Member;
use muster_engine::observed::OrchestratorView;
use muster_handler_swarm::SwarmHandler;
use muster_protocol::model::host::Role::{self, ControlPlane, Worker};
use muster_protocol::{ErrorCode, Retry};

use crate::certificates::Authority;
use crate::skip::docker_is_wanted;
use crate::{Scene, handler_of_another_cluster, insist, refusal};

/// Whether the managers take the machine for a node with this role that is well.
fn is_ready_as(member: &Member, role: Role) -> impl Fn(&OrchestratorView) -> bool {
    let name = member.machine.clone();
    move |view| view.nodes.get(&name).is_some_and(|node| node.ready && node.role == role)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_swarm_is_formed_once_and_found_again() {
    if !docker_is_wanted("a_swarm_is_formed_once_and_found_again") {
        return;
    }
    let scene = Scene::new("form", &[("manager-1", ControlPlane)]).await;
    let first = scene.machines.get("manager-1");
    assert_eq!(scene.handler.look_up_cluster(&first).await.unwrap(), None);
    let formed = insist(async || scene.handler.form(&first).await).await;
    assert_eq!(scene.handler.form(&first).await.unwrap(), formed);
    assert_eq!(scene.handler.look_up_cluster(&first).await.unwrap(), Some(formed));

    let refused = handler_of_another_cluster(&scene.context).form(&first).await.unwrap_err();
    assert_eq!((refused.code, refused.retry), (ErrorCode::Conflict, Retry::Never), "another cluster's swarm");

    let stranger = ClusterContext { material: Authority::new().material(), ..(*scene.context).clone() };
    let refused = SwarmHandler::new(Arc::new(stranger)).form(&first).await.unwrap_err();
    assert_eq!(
        (refused.code, refused.certainty),
        (ErrorCode::Credentials, Certainty::NotApplied),
        "other keys: {refused}"
    );
    let half = Authority::new().material().0.into_iter().filter(|(name, _)| name != "ca-certificate");
    let mut material = scene.context.material.clone();
    material.0.extend(half);
    let stranger = ClusterContext { material, ..(*scene.context).clone() };
    let refused = SwarmHandler::new(Arc::new(stranger)).form(&first).await.unwrap_err();
    assert_eq!(
        (refused.code, refused.certainty),
        (ErrorCode::Credentials, Certainty::NotApplied),
        "a client that the engine does not know: {refused}"
    );

    let node = scene.handler.look_up_node(scene.members(), &first).await.unwrap().unwrap();
    scene.handler.remove_node(scene.members(), &node.id, Some(&first)).await.unwrap();
    scene.handler.remove_node(scene.members(), &node.id, Some(&first)).await.unwrap();
    assert_eq!(scene.handler.look_up_cluster(&first).await.unwrap(), None, "the last node takes the swarm with it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_joins_leaves_and_comes_back_and_repeats_change_nothing() {
    if !docker_is_wanted("a_worker_joins_leaves_and_comes_back_and_repeats_change_nothing") {
        return;
    }
    let scene = Scene::new("worker", &[("manager-1", ControlPlane), ("worker-1", Worker), ("worker-2", Worker)]).await;
    let (members, handler) = (scene.members(), &scene.handler);
    insist(async || handler.form(&members[0]).await).await;
    let mut ids = Vec::new();
    for machine in members {
        let joined = insist(async || handler.join(members, machine).await).await;
        assert_eq!(insist(async || handler.join(members, machine).await).await, joined);
        assert_eq!(insist(async || handler.look_up_node(members, machine).await).await, Some(joined.clone()));
        ids.push(joined.id);
    }
    let view = scene
        .observe_until("three ready nodes", |view| view.nodes.values().filter(|node| node.ready).count() == 3)
        .await;
    assert_eq!(view.nodes[&members[0].machine].role, ControlPlane);
    assert_eq!(view.nodes[&members[1].machine].role, Worker);
    assert_eq!(view.nodes[&members[2].machine].id, ids[2]);
    assert!(view.version.is_some_and(|version| version.starts_with("20.10")));

    let worker = &members[1];
    for _ in 0..2 {
        insist(async || handler.remove_node(members, &ids[1], Some(worker)).await).await;
        assert_eq!(insist(async || handler.look_up_node(members, worker).await).await, None);
    }
    let view = scene.observe_until("the removed node gone", |view| view.nodes.len() == 2).await;
    assert!(!view.nodes.contains_key(&worker.machine));

    let again = insist(async || handler.join(members, worker).await).await;
    assert_ne!(again.id, ids[1]);
    scene.observe_until("the node back", |view| view.nodes.get(&worker.machine).is_some_and(|node| node.ready)).await;

    // Forgotten by the control plane while it lived: as after a crash between two steps of a removal.
    scene.machines.run("manager-1", &format!("docker node rm --force {}", again.id));
    let back = insist(async || handler.join(members, worker).await).await;
    assert_ne!(back.id, again.id);

    // Left by itself, and not struck off: a crash at another step.
    scene.machines.run("worker-1", "docker swarm leave");
    let back_again = insist(async || handler.join(members, worker).await).await;
    assert_ne!(back_again.id, back.id);
    insist(async || handler.remove_node(members, &back.id, None).await).await;
    scene.machines.run("worker-2", "docker swarm leave && docker swarm init --advertise-addr 127.0.0.1");
    let refused = refusal(ErrorCode::Conflict, async || handler.join(members, &members[2]).await).await;
    assert_eq!(refused.retry, Retry::Never);
    assert!(refused.remedy.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn managers_are_removed_only_while_the_others_keep_their_quorum() {
    if !docker_is_wanted("managers_are_removed_only_while_the_others_keep_their_quorum") {
        return;
    }
    let machines = [("manager-1", ControlPlane), ("manager-2", ControlPlane), ("manager-3", ControlPlane)];
    let scene = Scene::formed("managers", &machines).await;
    let (members, handler) = (scene.members(), &scene.handler);
    let view = scene
        .observe_until("three reachable managers", |view| view.nodes.values().filter(|node| node.ready).count() == 3)
        .await;
    let id = |machine: usize| view.nodes[&members[machine].machine].id.clone();

    // The leader goes, and all goes on: the failover to another manager is the handler's.
    scene.machines.kill("manager-1");
    scene
        .observe_until("the lost manager not ready, through another one", |view| {
            view.nodes.get(&members[0].machine).is_some_and(|node| !node.ready)
        })
        .await;
    refusal(ErrorCode::QuorumLost, async || handler.remove_node(members, &id(1), Some(&members[1])).await).await;
    let view = scene
        .observe_until("both managers that are left", |view| view.nodes.values().filter(|node| node.ready).count() == 2)
        .await;
    assert!(view.nodes.contains_key(&members[1].machine), "a refusal changes nothing");

    insist(async || handler.remove_node(members, &id(0), None).await).await;
    insist(async || handler.remove_node(members, &id(0), None).await).await;
    scene.observe_until("two nodes", |view| view.nodes.len() == 2).await;

    insist(async || handler.remove_node(members, &id(1), Some(&members[1])).await).await;
    insist(async || handler.remove_node(members, &id(1), Some(&members[1])).await).await;
    let view = scene.observe_until("one node", |view| view.nodes.len() == 1).await;
    assert!(view.nodes[&members[2].machine].ready);

    let others = [members[2].clone()];
    insist(async || handler.join(&others, &members[1]).await).await;
    let worker = Member { role: Worker, ..members[1].clone() };
    insist(async || handler.join(&others, &worker).await).await;
    // The managers agree on a demotion after it was asked for; until then there is another manager.
    scene.observe_until("a demoted manager", is_ready_as(&members[1], Worker)).await;
    // The last manager does not leave its worker.
    refusal(ErrorCode::QuorumLost, async || handler.remove_node(&others, &id(2), Some(&members[2])).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manager_that_leaves_by_itself_is_no_node_votes_still_and_joins_again() {
    if !docker_is_wanted("a_manager_that_leaves_by_itself_is_no_node_votes_still_and_joins_again") {
        return;
    }
    let machines = [("manager-1", ControlPlane), ("manager-2", ControlPlane), ("manager-3", ControlPlane)];
    let scene = Scene::formed("left", &machines).await;
    let (members, handler) = (scene.members(), &scene.handler);
    let all_ready = |view: &OrchestratorView| {
        view.nodes.len() == 3 && view.nodes.values().all(|node| node.ready && node.role == ControlPlane)
    };
    let before = scene.observe_until("three reachable managers", all_ready).await;
    let machine = &members[1];
    scene.machines.run("manager-2", "docker swarm leave --force");
    let view = scene.observe_until("the manager that left", |view| !view.nodes.contains_key(&machine.machine)).await;
    let voters = view.voters.unwrap();
    assert_eq!((voters.len(), voters.iter().filter(|voter| voter.healthy).count()), (3, 2), "{voters:#?}");
    refusal(ErrorCode::QuorumLost, async || {
        handler.remove_node(members, &before.nodes[&members[2].machine].id, Some(&members[2])).await
    })
    .await;

    let back = insist(async || handler.join(members, machine).await).await;
    assert_ne!(back.id, before.nodes[&machine.machine].id);
    let after = scene.observe_until("three reachable managers again", all_ready).await;
    let voters = after.voters.unwrap();
    assert!(
        voters.len() == 3 && voters.iter().all(|voter| voter.healthy),
        "the one that it was has no vote: {voters:#?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn joining_again_gives_a_node_its_role_back_and_without_any_manager_it_is_said() {
    if !docker_is_wanted("joining_again_gives_a_node_its_role_back_and_without_any_manager_it_is_said") {
        return;
    }
    let machines = [("manager-1", ControlPlane), ("manager-2", ControlPlane), ("worker-1", Worker)];
    let scene = Scene::formed("roles", &machines).await;
    let (members, handler) = (scene.members(), &scene.handler);
    let ready_as = |machine: usize, role| is_ready_as(&members[machine], role);
    let view = scene.observe_until("two managers", ready_as(1, ControlPlane)).await;
    let id = |machine: usize| view.nodes[&members[machine].machine].id.clone();

    scene.machines.insist("manager-1", &format!("docker node demote {}", id(1))).await;
    scene.observe_until("a demoted manager", ready_as(1, Worker)).await;
    assert_eq!(insist(async || handler.join(members, &members[1]).await).await.id, id(1), "it is the same node");
    scene.observe_until("the manager promoted again", ready_as(1, ControlPlane)).await;

    scene.machines.insist("manager-1", &format!("docker node promote {}", id(2))).await;
    scene.observe_until("a promoted worker", ready_as(2, ControlPlane)).await;
    assert_eq!(insist(async || handler.join(members, &members[2]).await).await.id, id(2), "it is the same node");
    scene.observe_until("the worker demoted again", ready_as(2, Worker)).await;

    scene.machines.insist("manager-1", &format!("docker node demote {}", id(1))).await;
    scene.observe_until("a demoted manager", ready_as(1, Worker)).await;
    // It gets its new certificate from a manager: without that it would not know that it is only a worker.
    let is_manager = "docker info -f '{{.Swarm.ControlAvailable}}'";
    scene.machines.run_until("manager-2", is_manager, |printed| printed == "false").await;
    scene.machines.kill("manager-1");
    let failure = refusal(ErrorCode::QuorumLost, async || handler.observe(members).await).await;
    assert!(failure.message.contains("manager-2 is only a worker"), "{failure}");
    assert!(failure.remedy.is_some());
}
