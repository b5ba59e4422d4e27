//! Services with volumes: held where their volumes are.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use muster_engine::failure::Failure;
use muster_engine::handler::Handler as _;
use muster_engine::member::Member;
use muster_engine::observed::{ObservedContainer, OrchestratorView};
use muster_engine::session::{Kept, SessionHost};
use muster_protocol::Name;
use muster_protocol::model::container::ContainerPhase;
use muster_protocol::model::service::{Mount, MountKind, ServiceSpec};
use tokio::sync::watch;

use crate::orders::{order, scene, service};
use crate::patience::until;
use crate::skip::docker_is_wanted;
use crate::{Scene, insist};

/// The supervisor, as far as a session of the swarm's handler asks for it.
struct Host(watch::Receiver<Vec<Member>>);

#[async_trait]
impl SessionHost for Host {
    fn look_now(&self) {}

    fn members(&self) -> watch::Receiver<Vec<Member>> {
        self.0.clone()
    }

    async fn keep(&self, _: &str, _: Option<Kept>) -> Result<(), Failure> {
        Ok(())
    }
}

fn running(view: &OrchestratorView, name: &Name) -> ObservedContainer {
    let mut copies = view.containers.iter().filter(|copy| copy.service == *name);
    copies.find(|copy| copy.phase == ContainerPhase::Running).unwrap().clone()
}

impl Scene {
    fn let_copies_on(&self, machine: &Name, whether: &str) {
        let node = format!("docker node ls -q --filter node.label=io.muster.machine={machine}");
        self.machines.run("manager-1", &format!("docker node update --availability {whether} $({node})"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_is_held_at_its_volume_with_the_copy_that_it_has_and_waits_for_it() {
    if !docker_is_wanted("a_service_is_held_at_its_volume_with_the_copy_that_it_has_and_waits_for_it") {
        return;
    }
    let scene = scene("volumes").await;
    let mount =
        Mount { kind: MountKind::Volume, source: Some("data".into()), target: "/data".into(), read_only: false };
    let waits = "trap 'exit 0' TERM; sleep 1000 & wait";
    let mut order = order(ServiceSpec { mounts: vec![mount], ..service("db", waits) });
    let name = order.spec.name.clone();
    insist(async || scene.handler.deploy(scene.members(), &order).await).await;
    let first = running(&scene.ready(&name, 1, 1).await, &name);
    let home = first.machine.clone().unwrap();
    scene.in_container(&home, &name, "echo kept >/data/x");

    let (_members, receiver) = watch::channel(scene.members().to_vec());
    let held = until("the service is held", async || {
        let inspect = format!("docker service inspect --format '{{{{json .Spec.TaskTemplate.Placement}}}}' {name}");
        let placement = scene.machines.run("manager-1", &inspect);
        if placement.contains("io.muster.volume.data==yes") { Ok(()) } else { Err(placement) }
    });
    tokio::select! {
        () = held => {}
        failure = scene.handler.session(Arc::new(Host(receiver)), BTreeMap::new()) => panic!("{failure}"),
    }
    let view = scene.ready(&name, 1, 1).await;
    assert_eq!(running(&view, &name).id, first.id, "the copy is the same");

    scene.let_copies_on(&home, "drain");
    scene
        .observe_until("the service waits, and says for what", |view| {
            let service = &view.services[&name];
            service.ready == 0 && service.message().is_some_and(|why| why.contains("has no volume `data`"))
        })
        .await;
    scene.let_copies_on(&home, "active");
    let back = running(&scene.ready(&name, 1, 1).await, &name);
    assert_eq!(back.machine.as_ref(), Some(&home));
    assert_eq!(scene.in_container(&home, &name, "cat /data/x").trim(), "kept");

    scene.let_copies_on(&home, "drain");
    order.spec.allow_empty_volume = true;
    order.generation = 2;
    insist(async || scene.handler.deploy(scene.members(), &order).await).await;
    let elsewhere = running(&scene.ready(&name, 2, 1).await, &name);
    assert_ne!(elsewhere.machine, Some(home), "an empty volume is allowed");
}
