//! Every field, and what is not ours or cannot run.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::StreamExt as _;
use muster_engine::handler::Handler as _;
use muster_engine::observed::{ObservedContainer, OrchestratorView};
use muster_protocol::model::container::ContainerPhase;
use muster_protocol::model::host::Role::ControlPlane;
use muster_protocol::model::service::{
    Exposure, HealthCheck, Mount, MountKind, Port, Probe, Resources, ServiceSpec, UpdateOrder, UpdatePolicy,
};
use muster_protocol::quantity::{Bytes, CpuMillis};
use muster_protocol::{ErrorCode, Name, Retry};

use crate::machines::BUSYBOX;

use crate::orders::{http_get, order, scene, secret, service};
use crate::skip::docker_is_wanted;
use crate::{Scene, insist};

#[tokio::test(flavor = "multi_thread")]
async fn every_field_reaches_the_engine_and_a_change_that_fails_keeps_the_old_copies() {
    if !docker_is_wanted("every_field_reaches_the_engine_and_a_change_that_fails_keeps_the_old_copies") {
        return;
    }
    let scene = scene("fields").await;
    let (members, handler) = (scene.members(), &scene.handler);
    let mount = |kind, source: Option<&str>, target: &str, read_only| Mount {
        kind,
        source: source.map(str::to_owned),
        target: target.to_owned(),
        read_only,
    };
    let health = HealthCheck {
        probe: Probe::Command(["/bin/sh", "-c", "cat /scratch/well"].map(str::to_owned).to_vec()),
        interval_ms: 500,
        // Only an answer of "not well" counts against it, not a host that is slow to ask.
        timeout_ms: 20_000,
        retries: 2,
        start_period_ms: 10_000,
    };
    let mut order = order(ServiceSpec {
        args: vec!["one".into(), "two words".into()],
        replicas: 2,
        resources: Resources {
            cpu_limit: Some(CpuMillis(500)),
            memory_limit: Some(Bytes(32 << 20)),
            cpu_reservation: Some(CpuMillis(10)),
            memory_reservation: Some(Bytes(4 << 20)),
        },
        ports: vec![Port { port: 80, protocol: Default::default(), exposure: Exposure::Host, published: None }],
        mounts: vec![
            mount(MountKind::Volume, Some("data"), "/data", false),
            mount(MountKind::Bind, Some("/etc/hostname"), "/machine", true),
            mount(MountKind::Tmpfs, None, "/scratch", false),
        ],
        health: Some(health.into()),
        constraints: vec!["role==worker".parse().unwrap(), "label.nothing!=here".parse().unwrap()],
        update: UpdatePolicy { parallelism: 1, delay_ms: 100, order: UpdateOrder::StartFirst, deadline_ms: 60_000 },
        labels: BTreeMap::from([("team".to_owned(), "red".to_owned())]),
        ..service(
            "full",
            "sleep 2; echo kept >/data/kept; echo \"$0 $1\" >/scratch/args; echo >/scratch/well; exec httpd -f -p 80 -h /",
        )
    });
    let name = order.spec.name.clone();
    handler.validate(&order.spec).unwrap();
    handler.deploy(members, &order).await.unwrap();
    let view = scene.ready(&name, 1, 2).await;
    let well = |one: &ObservedContainer| one.healthy == Some(true) && one.phase == ContainerPhase::Running;
    // One that was replaced on its way here stays listed.
    let has_ended =
        |phase| matches!(phase, ContainerPhase::Complete | ContainerPhase::Failed | ContainerPhase::Stopped);
    let living: Vec<_> = view.containers.iter().filter(|one| !has_ended(one.phase)).collect();
    assert!(living.iter().all(|one| well(one)), "{:#?}", view.containers);
    let machine: Name = "worker-1".parse().unwrap();
    assert!(living.iter().all(|one| one.machine.as_ref() == Some(&machine)));
    let endpoints = &view.services[&name].endpoints;
    assert!(endpoints.len() == 2 && endpoints[0].published != endpoints[1].published, "the engine chose two ports");
    http_get(&endpoints[1].address, endpoints[1].published).await;
    assert_eq!(
        scene.in_container(&machine, &name, "cat /machine /scratch/args /data/kept"),
        "fields-worker-1\none two words\nkept"
    );
    let limit = "cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null || true";
    assert_eq!(scene.in_container(&machine, &name, limit), (32 << 20).to_string());

    // The next generation never becomes healthy: the copies that run are left.
    order.generation = 2;
    order.spec.command = ["/bin/sh", "-c", "echo broken; exec sleep 1000"].map(str::to_owned).to_vec();
    handler.deploy(members, &order).await.unwrap();
    let view = scene
        .observe_until("the change that fails", |view| {
            let service = &view.services[&name];
            service.message().is_some() && service.updating && service.generation == 2
        })
        .await;
    assert_eq!(view.services[&name].ready, 0, "old copies do not count for the new generation");
    assert!(view.containers.iter().filter(|one| one.phase == ContainerPhase::Running).count() >= 1);

    // Back to what is good, as another generation.
    order.generation = 3;
    order.spec.health = None;
    handler.deploy(members, &order).await.unwrap();
    scene.ready(&name, 3, 2).await;

    // The mesh: only that the engine takes it, as its traffic needs IPVS in the kernel.
    order.generation = 4;
    order.spec.ports[0].exposure = Exposure::Ingress;
    handler.deploy(members, &order).await.unwrap();
    let meshed = |view: &OrchestratorView| {
        view.services[&name].endpoints.iter().any(|one| one.address == members[0].access.address)
    };
    scene.observe_until("an endpoint on the manager, which runs no copy", meshed).await;
    handler.remove_service(members, &name).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_made_is_left_alone_and_what_cannot_run_says_why() {
    if !docker_is_wanted("what_others_made_is_left_alone_and_what_cannot_run_says_why") {
        return;
    }
    let scene = scene("others").await;
    let (members, handler) = (scene.members(), &scene.handler);
    scene
        .machines
        .run("manager-1", &format!("docker service create -d --no-resolve-image --name web {BUSYBOX} sleep 1000"));
    let web = order(ServiceSpec { secrets: vec![secret("x")], ..service("web", "exec sleep 1000") });
    let refused = handler.deploy(members, &web).await.unwrap_err();
    assert_eq!((refused.code, refused.retry), (ErrorCode::Conflict, Retry::Never));
    handler.remove_service(members, &web.spec.name).await.unwrap();
    assert_eq!(scene.machines.run("manager-1", "docker service ls --format '{{.Name}}'; docker secret ls -q"), "web");
    assert!(handler.observe(members).await.unwrap().services.is_empty());

    let lost = order(ServiceSpec { image: "127.0.0.1:9/no-such-image:1".into(), ..service("lost", "true") });
    handler.deploy(members, &lost).await.unwrap();
    let view = scene
        .observe_until("why the copy does not run", |view| {
            view.services.get(&lost.spec.name).is_some_and(|service| service.message().is_some())
        })
        .await;
    assert_eq!(view.services[&lost.spec.name].ready, 0);

    // Following the output of a service that goes on: new lines come as they are written.
    let talker = order(service("talker", "while true; do echo tick; sleep 1; done"));
    handler.deploy(members, &talker).await.unwrap();
    scene.ready(&talker.spec.name, 1, 1).await;
    let stream = handler.logs(members, &talker.spec.name, true, Some(1)).await.unwrap();
    let three = tokio::time::timeout(Duration::from_secs(30), stream.take(3).collect::<Vec<_>>()).await.unwrap();
    assert!(three.iter().all(|line| line.as_ref().unwrap().text == "tick"), "{three:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_health_check_that_an_image_brings_is_told() {
    if !docker_is_wanted("the_health_check_that_an_image_brings_is_told") {
        return;
    }
    let scene = Scene::formed("image-health", &[("manager-1", ControlPlane)]).await;
    scene.machines.load_busybox();
    let file = format!("FROM {BUSYBOX}\\nHEALTHCHECK --interval=1s CMD /bin/true\\n");
    scene.machines.insist("manager-1", &format!("printf '{file}' | docker build -q -t checked:1 -")).await;
    let mut spec = service("web", "trap 'exit 0' TERM; sleep 1000 & wait");
    spec.image = "checked:1".to_owned();
    let order = order(spec);
    insist(async || scene.handler.deploy(scene.members(), &order).await).await;
    let view = scene
        .observe_until("the image's check is seen", |view| {
            view.services.get(&order.spec.name).is_some_and(|service| service.image_health.is_some())
        })
        .await;
    let seen = &view.services[&order.spec.name];
    assert_eq!((seen.ready, seen.image_health.as_deref()), (1, Some("CMD-SHELL /bin/true")));
}
