//! Services, from the order to what is seen of them.

use std::collections::BTreeMap;

use futures::{StreamExt as _, TryStreamExt as _};
use muster_engine::handler::Handler as _;
use muster_engine::ledger::Facts;
use muster_protocol::Name;
use muster_protocol::model::container::ContainerPhase;
use muster_protocol::model::service::{
    ConfigFile, Exposure, LogLine, LogSource, Port, SecretFile, ServiceMode, ServiceSpec,
};

use crate::orders::{http_get, order, scene, secret, service};
use crate::patience::until;
use crate::skip::docker_is_wanted;

#[tokio::test(flavor = "multi_thread")]
async fn a_service_is_created_changed_scaled_and_removed_with_its_secrets_and_files() {
    if !docker_is_wanted("a_service_is_created_changed_scaled_and_removed_with_its_secrets_and_files") {
        return;
    }
    let scene = scene("services").await;
    let (members, handler) = (scene.members(), &scene.handler);
    let mut order = order(ServiceSpec {
        secrets: vec![secret("first")],
        files: vec![ConfigFile::new("/www/index.html", "hello from muster")],
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
    let answer = http_get(&endpoint.address, endpoint.published).await;
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
    order.spec.secrets = vec![secret("third")];
    handler.deploy(members, &order).await.unwrap();
    assert_eq!(scene.machines.run("manager-1", "docker secret ls -q | wc -l"), "2");

    // Its value is not given again, and need not be: the swarm has it.
    order.generation = 5;
    order.spec.secrets = vec![SecretFile { value: None, ..secret("") }];
    handler.deploy(members, &order).await.unwrap();
    assert_eq!(scene.machines.run("manager-1", "docker secret ls -q | wc -l"), "1");

    handler.remove_service(members, &name).await.unwrap();
    handler.remove_service(members, &name).await.unwrap();
    assert_eq!(handler.look_up_service(members, &name).await.unwrap(), None);
    assert_eq!(scene.machines.run("manager-1", "docker service ls -q; docker secret ls -q; docker config ls -q"), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn services_find_each_other_and_global_services_and_jobs_count_as_they_should() {
    if !docker_is_wanted("services_find_each_other_and_global_services_and_jobs_count_as_they_should") {
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

    // A job that reaches the other service by its name, across machines, and ends. A machine that has just got a place
    // on the network may hear of the others on it later.
    let fetch = "until nc -w 5 agent 80 </dev/null; do sleep 1; done; echo reached agent";
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
async fn the_tail_of_the_output_is_that_of_each_container() {
    if !docker_is_wanted("the_tail_of_the_output_is_that_of_each_container") {
        return;
    }
    let scene = scene("tails").await;
    let (members, handler) = (scene.members(), &scene.handler);
    let command = "for line in one two three; do echo $line; done; exec sleep 1000";
    let talker = order(ServiceSpec { replicas: 2, ..service("talker", command) });
    let name = &talker.spec.name;
    handler.deploy(members, &talker).await.unwrap();
    scene.ready(name, 1, 2).await;

    let logs = async |tail| {
        let lines = handler.logs(members, name, false, tail).await.unwrap();
        let lines: Vec<LogLine> = lines.try_collect().await.unwrap();
        let mut said: Vec<String> = lines.into_iter().map(|line| format!("{} {}", line.name, line.text)).collect();
        said.sort_unstable();
        said
    };
    let everything = ["one", "three", "two"];
    let everything = ["talker.1", "talker.2"].map(|copy| everything.map(|line| format!("{copy} {line}")));
    // What a copy says comes to its engine a little later.
    until("all lines", async || {
        let said = logs(None).await;
        if said == everything.concat() { Ok(()) } else { Err(said) }
    })
    .await;
    assert_eq!(logs(Some(1)).await, ["talker.1 three", "talker.2 three"]);
}
