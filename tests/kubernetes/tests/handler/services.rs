//! Services, from the order to what is seen of them.

use std::time::Duration;

use futures::TryStreamExt as _;
use muster_engine::handler::Handler as _;
use muster_engine::ledger::Facts;
use muster_protocol::model::container::ContainerPhase;
use muster_protocol::model::service::{
    ConfigFile, Exposure, LogLine, Port, SecretFile, ServiceMode, ServiceSpec, UpdateOrder, UpdatePolicy,
};
use muster_protocol::{Name, SecretBytes};

use crate::patience::until;
use crate::{Scene, order};

fn secret(value: &str) -> SecretFile {
    SecretFile::new("password".parse().unwrap(), Some(SecretBytes::new(value)))
}

fn port(port: u16, exposure: Exposure, published: Option<u16>) -> Port {
    Port { port, protocol: Default::default(), exposure, published }
}

pub(crate) async fn a_service_is_created_changed_scaled_and_removed_with_its_secrets_and_files(scene: Scene) {
    let handler = &scene.handler;
    let mut order = order(ServiceSpec {
        secrets: vec![secret("first\n")],
        files: vec![ConfigFile::new("/www/index.html", "hello from muster")],
        ports: vec![port(80, Exposure::Host, None)],
        ..scene.service("web", "echo started; exec httpd -f -p 80 -h /www")
    });
    let name = order.spec.name.clone();
    handler.validate(&order.spec).unwrap();
    assert_eq!(handler.look_up_service(&[], &name).await.unwrap(), None);
    let created = scene.deploy(&order).await;
    assert_eq!(created.facts, Facts::Service { generation: 1 });
    assert_eq!(scene.deploy(&order).await, created, "submitted again");
    assert_eq!(handler.look_up_service(&[], &name).await.unwrap(), Some(created.clone()));

    let view = scene.ready(&name, 1, 1).await;
    let endpoint = &view.services[&name].endpoints[0];
    assert_eq!(endpoint.port, 80);
    assert!((20_000..30_000).contains(&endpoint.published), "chosen by us");
    let answer = http_get(&endpoint.address, endpoint.published).await;
    assert!(answer.ends_with("hello from muster"), "{answer}");
    let container = view.containers.iter().find(|one| one.service == name).unwrap().clone();
    assert_eq!(container.phase, ContainerPhase::Running);
    assert!(container.address.is_some() && container.since.is_some() && container.machine.is_some());
    assert_eq!(scene.run(&name, "cat /run/secrets/password").await, ("first\n".to_owned(), 0));

    // Only the number of copies changes: the copy that runs is left alone.
    order.generation = 2;
    order.spec.replicas = 2;
    scene.deploy(&order).await;
    let view = scene.ready(&name, 2, 2).await;
    assert!(view.containers.iter().any(|one| one.id == container.id && one.phase == ContainerPhase::Running));
    assert_eq!(view.services[&name].endpoints.len(), 2);

    // A new value of the secret, and a file that is left as it was.
    order.generation = 3;
    order.secrets_version = 2;
    order.spec.replicas = 1;
    order.spec.secrets = vec![secret("second")];
    scene.deploy(&order).await;
    scene.ready(&name, 3, 1).await;
    assert_eq!(scene.run(&name, "cat /run/secrets/password").await, ("second".to_owned(), 0));

    // Its value is not given again, and need not be: the cluster has it. What is not used any more is gone.
    order.generation = 4;
    order.spec.secrets = vec![SecretFile { value: None, ..secret("") }];
    scene.deploy(&order).await;
    scene.ready(&name, 4, 1).await;
    assert_eq!(scene.left().matches("secret/").count(), 1);

    scene.remove(&name).await;
    scene.remove(&name).await;
    assert_eq!(handler.look_up_service(&[], &name).await.unwrap(), None);
    assert_eq!(scene.left(), "");
    assert!(!handler.observe(&[]).await.unwrap().services.contains_key(&name), "a look shows what we did ourselves");
}

pub(crate) async fn services_find_each_other_and_global_services_and_jobs_count_as_they_should(scene: Scene) {
    let handler = &scene.handler;
    let nodes = handler.observe(&[]).await.unwrap().nodes;
    assert!(nodes.len() > 1 && nodes.values().all(|node| node.ready), "{nodes:#?}");
    let global = order(ServiceSpec {
        mode: ServiceMode::Global,
        ports: vec![port(80, Exposure::Cluster, None), port(80, Exposure::Ingress, None)],
        ..scene.service("agent", "mkdir /www; echo agent > /www/index.html; exec httpd -f -p 80 -h /www")
    });
    let agent = &global.spec.name;
    scene.deploy(&global).await;
    let every = u32::try_from(nodes.len()).unwrap();
    let view = scene.ready(agent, 1, every).await;
    let machines: std::collections::BTreeSet<&Name> =
        view.containers.iter().filter(|one| &one.service == agent).filter_map(|one| one.machine.as_ref()).collect();
    assert_eq!(machines.len(), nodes.len(), "control planes among them");
    let endpoints = &view.services[agent].endpoints;
    assert_eq!(endpoints.len(), nodes.len());
    for endpoint in endpoints {
        assert!(http_get(&endpoint.address, endpoint.published).await.ends_with("agent\n"));
    }

    let on_workers = order(ServiceSpec {
        mode: ServiceMode::Global,
        constraints: vec!["role==worker".parse().unwrap()],
        ..scene.service("edge", "exec sleep 1000")
    });
    scene.deploy(&on_workers).await;
    scene.ready(&on_workers.spec.name, 1, every - 1).await;

    // A job that reaches the other service by its name, and ends.
    let fetch = format!("until echo | nc -w 5 {agent} 80 >/dev/null; do sleep 1; done; echo reached agent");
    let mut job = order(ServiceSpec { mode: ServiceMode::Job, replicas: 2, ..scene.service("job", &fetch) });
    let name = job.spec.name.clone();
    scene.deploy(&job).await;
    let view = scene.ready(&name, 1, 2).await;
    let runs: Vec<_> = view.containers.iter().filter(|one| one.service == name).collect();
    assert!(
        runs.len() == 2 && runs.iter().all(|run| run.phase == ContainerPhase::Complete && run.exit_code == Some(0))
    );
    scene.deploy(&job).await;
    assert_eq!(
        handler.observe(&[]).await.unwrap().services[&name].ready,
        2,
        "submitting it again does not run it again"
    );
    let lines: Vec<LogLine> = handler.logs(&[], &name, false, None).await.unwrap().try_collect().await.unwrap();
    assert_eq!(lines.iter().filter(|line| line.text == "reached agent").count(), 2);
    job.generation = 2;
    job.spec.replicas = 1;
    scene.deploy(&job).await;
    scene.ready(&name, 2, 1).await;

    // Another mode of the same service.
    let other = order(ServiceSpec { replicas: 1, ..scene.service("edge", "exec sleep 1000") });
    scene.deploy(&muster_engine::handler::ServiceOrder { generation: 2, ..other }).await;
    scene.ready(&on_workers.spec.name, 2, 1).await;
    for service in [agent, &name, &on_workers.spec.name] {
        scene.remove(service).await;
    }
    assert_eq!(scene.left(), "");
}

/// The old copy answers until the new one does.
pub(crate) async fn a_change_that_starts_first_never_has_too_few_copies_and_a_bad_one_leaves_the_old_copies(
    scene: Scene,
) {
    let handler = &scene.handler;
    let update = UpdatePolicy { order: UpdateOrder::StartFirst, ..Default::default() };
    let mut order = order(ServiceSpec { replicas: 2, update, ..scene.service("steady", "exec sleep 1000") });
    let name = order.spec.name.clone();
    scene.deploy(&order).await;
    scene.ready(&name, 1, 2).await;
    order.generation = 2;
    order.spec.command = ["/bin/sh", "-c", "sleep 1; echo too bad >&2; exit 7"].map(str::to_owned).to_vec();
    scene.deploy(&order).await;
    let seen = scene.trouble(&name, &["exit code 7", "its last words: too bad"]).await;
    assert!(seen.message().unwrap().ends_with("its last words: too bad") && seen.updating);
    let running = |view: &muster_engine::observed::OrchestratorView| {
        view.containers.iter().filter(|one| one.service == name && one.phase == ContainerPhase::Running).count()
    };
    assert!(running(&handler.observe(&[]).await.unwrap()) >= 2, "the old copies still run");
    // Back to what was good.
    order.generation = 3;
    order.spec.command = ["/bin/sh", "-c", "exec sleep 1000"].map(str::to_owned).to_vec();
    scene.deploy(&order).await;
    scene.ready(&name, 3, 2).await;
    scene.remove(&name).await;
}

/// What a web server answers. Asked until it does: a container runs before what is in it listens.
pub async fn http_get(address: &str, port: u16) -> String {
    until(&format!("an answer of {address}:{port}"), async || match try_http_get(address, port).await {
        Ok(answer) if !answer.is_empty() => Ok(answer),
        said => Err(said),
    })
    .await
}

async fn try_http_get(address: &str, port: u16) -> std::io::Result<String> {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let talk = async {
        let mut stream = tokio::net::TcpStream::connect((address, port)).await?;
        stream.write_all(b"GET / HTTP/1.0\r\n\r\n").await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer)
    };
    tokio::time::timeout(Duration::from_secs(5), talk).await.map_err(std::io::Error::other)?
}
