//! Services, from the order to what is seen of them.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use futures::StreamExt as _;
use muster_engine::handler::{Handler as _, ServiceOrder};
use muster_engine::ledger::Facts;
use muster_engine::observed::{ObservedContainer, OrchestratorView};
use muster_protocol::model::container::ContainerPhase;
use muster_protocol::model::host::Role::{ControlPlane, Worker};
use muster_protocol::model::service::{
    ConfigFile, Exposure, HealthCheck, LogSource, Mount, MountKind, Port, Probe, Resources, SecretFile, ServiceMode,
    ServiceSpec, UpdateOrder, UpdatePolicy,
};
use muster_protocol::quantity::{Bytes, CpuMillis};
use muster_protocol::{ErrorCode, Name, Retry, SecretString, ServiceId};

use crate::machines::BUSYBOX;
use crate::{Scene, machines};

fn service(name: &str, command: &str) -> ServiceSpec {
    ServiceSpec {
        name: name.parse().unwrap(),
        image: BUSYBOX.to_owned(),
        command: ["/bin/sh", "-c", command].map(str::to_owned).to_vec(),
        args: Vec::new(),
        env: BTreeMap::new(),
        secrets: Vec::new(),
        files: Vec::new(),
        mode: ServiceMode::Replicated,
        replicas: 1,
        resources: Default::default(),
        ports: Vec::new(),
        mounts: Vec::new(),
        health: None,
        constraints: Vec::new(),
        update: Default::default(),
        labels: BTreeMap::new(),
    }
}

fn order(spec: ServiceSpec) -> ServiceOrder {
    ServiceOrder { id: ServiceId::generate(), generation: 1, spec, secrets_version: 1 }
}

fn secret(value: &str) -> SecretFile {
    SecretFile { name: "password".parse().unwrap(), value: Some(SecretString::new(value)), path: None }
}

async fn scene(cluster: &str) -> Scene {
    let scene = Scene::formed(cluster, &[("manager-1", ControlPlane), ("worker-1", Worker)]).await;
    scene.machines.load_busybox();
    scene
}

impl Scene {
    async fn ready(&self, name: &Name, generation: u64, copies: u32) -> OrchestratorView {
        self.observe_until(&format!("{name} of generation {generation} with {copies} copies"), |view| {
            view.services.get(name).is_some_and(|service| {
                let counts = (service.generation, service.ready, service.wanted, service.updating);
                counts == (generation, copies, copies, false)
            })
        })
        .await
    }

    /// What a command prints in a container of the service, on the machine where one runs.
    fn in_container(&self, machine: &Name, service: &Name, command: &str) -> String {
        let find = format!("docker ps -q --filter label=com.docker.swarm.service.name={service} | head -1");
        self.machines.run(machine.as_str(), &format!("docker exec $({find}) sh -c '{command}'"))
    }
}

fn http_get(address: &str, port: u16) -> std::io::Result<String> {
    let mut stream = TcpStream::connect((address, port))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.write_all(b"GET /index.html HTTP/1.0\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_is_created_changed_scaled_and_removed_with_its_secrets_and_files() {
    if !machines::are_wanted("a_service_is_created_changed_scaled_and_removed_with_its_secrets_and_files") {
        return;
    }
    let scene = scene("services").await;
    let (members, handler) = (scene.members(), &scene.handler);
    let mut order = order(ServiceSpec {
        secrets: vec![secret("first")],
        files: vec![ConfigFile { path: "/www/index.html".into(), content: "hello from muster".into() }],
        ports: vec![Port { port: 80, protocol: Default::default(), exposure: Exposure::Host, published: Some(8080) }],
        env: BTreeMap::from([("COLOUR".to_owned(), "blue = green".to_owned())]),
        ..service("web", "echo started; echo trouble >&2; exec httpd -f -p 80 -h /www")
    });
    let name = order.spec.name.clone();
    handler.validate(&order.spec).unwrap();
    assert_eq!(handler.look_up_service(members, &name).await.unwrap(), None);
    let created = handler.deploy(members, &order).await.unwrap();
    assert_eq!(created.facts, Facts::Service { generation: 1 });
    assert_eq!(handler.deploy(members, &order).await.unwrap(), created, "submitted again");
    assert_eq!(handler.look_up_service(members, &name).await.unwrap(), Some(created.clone()));

    let view = scene.ready(&name, 1, 1).await;
    let endpoint = &view.services[&name].endpoints[0];
    assert_eq!((endpoint.published, endpoint.port), (8080, 80));
    let answer = http_get(&endpoint.address, endpoint.published).unwrap();
    assert!(answer.ends_with("hello from muster"), "{answer}");
    let container = &view.containers[0];
    assert_eq!((container.name.as_str(), container.phase), ("web.1", ContainerPhase::Running));
    assert!(container.address.is_some() && container.since.is_some());
    let machine = container.machine.clone().unwrap();
    assert_eq!(
        scene.in_container(&machine, &name, "cat /run/secrets/password; echo; echo $COLOUR"),
        "first\nblue = green"
    );

    let lines: Vec<_> = handler.logs(members, &name, false, None).await.unwrap().collect().await;
    let lines: Vec<_> = lines.into_iter().map(Result::unwrap).collect();
    let started = lines.iter().find(|line| line.text == "started").unwrap();
    assert_eq!((started.name.as_str(), started.source), ("web.1", LogSource::Stdout));
    assert_eq!(started.container, container.id);
    assert!(started.at.is_some());
    assert!(lines.iter().any(|line| line.text == "trouble" && line.source == LogSource::Stderr));

    // Only the number of copies changes: the copy that runs is left alone.
    order.generation = 2;
    order.spec.replicas = 2;
    handler.deploy(members, &order).await.unwrap();
    let view = scene.ready(&name, 2, 2).await;
    assert!(view.containers.iter().any(|one| one.id == container.id && one.phase == ContainerPhase::Running));
    assert_eq!(view.services[&name].endpoints.len(), 2);

    // A new value of the secret, and a file that is left as it was.
    order.generation = 3;
    order.secrets_version = 2;
    order.spec.replicas = 1;
    order.spec.secrets = vec![secret("second")];
    handler.deploy(members, &order).await.unwrap();
    let view = scene.ready(&name, 3, 1).await;
    let running = view.containers.iter().find(|one| one.phase == ContainerPhase::Running).unwrap();
    let machine = running.machine.clone().unwrap();
    assert_eq!(scene.in_container(&machine, &name, "cat /run/secrets/password"), "second");

    // A third: the first is needed by neither the present nor the previous spec.
    order.generation = 4;
    order.secrets_version = 3;
    order.spec.secrets = vec![SecretFile { value: None, ..secret("") }];
    handler.deploy(members, &order).await.unwrap();
    assert_eq!(scene.machines.run("manager-1", "docker secret ls -q | wc -l"), "1", "a value left out stays as it was");

    handler.remove_service(members, &name).await.unwrap();
    handler.remove_service(members, &name).await.unwrap();
    assert_eq!(handler.look_up_service(members, &name).await.unwrap(), None);
    assert_eq!(scene.machines.run("manager-1", "docker service ls -q; docker secret ls -q; docker config ls -q"), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn services_find_each_other_and_global_services_and_jobs_count_as_they_should() {
    if !machines::are_wanted("services_find_each_other_and_global_services_and_jobs_count_as_they_should") {
        return;
    }
    let scene = scene("modes").await;
    let (members, handler) = (scene.members(), &scene.handler);

    let global = order(ServiceSpec { mode: ServiceMode::Global, ..service("agent", "exec httpd -f -p 80 -h /") });
    handler.deploy(members, &global).await.unwrap();
    let view = scene.ready(&global.spec.name, 1, 2).await;
    let mut names: Vec<&str> = view.containers.iter().map(|container| container.name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["agent.manager-1", "agent.worker-1"]);

    let on_workers = order(ServiceSpec {
        constraints: vec!["role==worker".parse().unwrap(), "host!=manager-1".parse().unwrap()],
        ..ServiceSpec { mode: ServiceMode::Global, ..service("edge", "exec sleep 1000") }
    });
    handler.deploy(members, &on_workers).await.unwrap();
    let view = scene.ready(&on_workers.spec.name, 1, 1).await;
    let edge = view.containers.iter().find(|container| container.service == on_workers.spec.name).unwrap();
    assert_eq!(edge.machine.as_ref().map(Name::as_str), Some("worker-1"));

    // A job that reaches the other service by its name, across machines, and ends.
    let fetch = "nc -w 5 agent 80 </dev/null && echo reached agent";
    let job = order(ServiceSpec { mode: ServiceMode::Job, replicas: 2, ..service("job", fetch) });
    handler.deploy(members, &job).await.unwrap();
    let view = scene.ready(&job.spec.name, 1, 2).await;
    let runs: Vec<_> = view.containers.iter().filter(|container| container.service == job.spec.name).collect();
    assert_eq!(runs.len(), 2);
    assert!(runs.iter().all(|run| run.phase == ContainerPhase::Complete && run.exit_code == Some(0)));
    handler.deploy(members, &job).await.unwrap();
    let again = handler.observe(members).await.unwrap();
    assert_eq!(again.services[&job.spec.name].ready, 2, "submitting a job again does not run it again");
    let lines: Vec<_> = handler.logs(members, &job.spec.name, false, Some(10)).await.unwrap().collect().await;
    assert_eq!(
        lines.into_iter().filter(|line| line.as_ref().is_ok_and(|line| line.text == "reached agent")).count(),
        2
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn every_field_reaches_the_engine_and_a_change_that_fails_keeps_the_old_copies() {
    if !machines::are_wanted("every_field_reaches_the_engine_and_a_change_that_fails_keeps_the_old_copies") {
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
        timeout_ms: 2_000,
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
        health: Some(health),
        constraints: vec!["role==worker".parse().unwrap(), "label.nothing!=here".parse().unwrap()],
        update: UpdatePolicy { parallelism: 1, delay_ms: 100, order: UpdateOrder::StartFirst, deadline_ms: 60_000 },
        labels: BTreeMap::from([("team".to_owned(), "red".to_owned())]),
        ..service(
            "full",
            "sleep 2; echo kept >/data/kept; echo >/scratch/well; echo \"$0 $1\" >/scratch/args; exec httpd -f -p 80 -h /",
        )
    });
    let name = order.spec.name.clone();
    handler.validate(&order.spec).unwrap();
    handler.deploy(members, &order).await.unwrap();
    let view = scene.ready(&name, 1, 2).await;
    let well = |one: &ObservedContainer| one.healthy == Some(true) && one.phase == ContainerPhase::Running;
    assert!(view.containers.iter().all(well), "{:#?}", view.containers);
    let machine: Name = "worker-1".parse().unwrap();
    assert!(view.containers.iter().all(|one| one.machine.as_ref() == Some(&machine)));
    let endpoints = &view.services[&name].endpoints;
    assert!(endpoints.len() == 2 && endpoints[0].published != endpoints[1].published, "the engine chose two ports");
    http_get(&endpoints[1].address, endpoints[1].published).unwrap();
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
            service.message.is_some() && service.updating && service.generation == 2
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
    if !machines::are_wanted("what_others_made_is_left_alone_and_what_cannot_run_says_why") {
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

    let lost = order(ServiceSpec { image: "no-such-image:1".into(), ..service("lost", "true") });
    handler.deploy(members, &lost).await.unwrap();
    let view = scene
        .observe_until("why the copy does not run", |view| {
            view.services.get(&lost.spec.name).is_some_and(|service| service.message.is_some())
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
