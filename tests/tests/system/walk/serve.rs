//! A service on it.
//!
//! Covers: createOrchestratorService, deleteOrchestratorService, getContainerServiceInfo,
//! getOrchestratorsServiceInfo, getOrchestratorServiceLogs, getContainerInfo, listContainers, execInContainer,
//! listEvents.

use anyhow::{Context, Result};
use muster_protocol::model::container::{ContainerInfo, ContainerPhase};
use muster_protocol::model::operation::{OperationInfo, OperationPhase};
use muster_protocol::model::service::{LogLine, ServiceInfo, ServicePhase};
use muster_tests::images::docker::docker;
use tokio::io::{AsyncBufReadExt, BufReader};

use super::{DEMO, SECRET};
use crate::lab::{LIMIT, Lab, files_with};

pub async fn a_service_of_a_template_answers_at_its_endpoint(lab: &Lab) -> Result<()> {
    let template = ["--template", "hello", "--name", "web", "--set", "greeting=Good day", "--set", "published=8080"];
    let create = [&["service", "create", "--cluster", DEMO][..], &template, &["--wait"]].concat();
    let operation: OperationInfo = lab.cli().json(&create).await?;
    assert_eq!(operation.phase, OperationPhase::Succeeded);
    let info: ServiceInfo = lab.cli().json(&["service", "info", "web", "--cluster", DEMO]).await?;
    assert_eq!((info.phase, info.ready, info.wanted), (ServicePhase::Running, 1, 1));
    assert_eq!(info.template.as_deref(), Some("hello@1.0"));
    let list: Vec<ServiceInfo> = lab.cli().json(&["service", "list"]).await?;
    assert_eq!(list, [info]);
    let body = lab.fetch(DEMO, "web", "/", |status, _| status == 200).await?;
    assert_eq!(body.lines().next(), Some("Good day"));
    Ok(())
}

pub async fn containers_and_output_are_shown(lab: &Lab) -> Result<()> {
    let running = lab.running(DEMO, "web").await?;
    let [container] = running.as_slice() else { anyhow::bail!("one copy is wanted: {running:#?}") };
    let one: ContainerInfo = lab.cli().json(&["container", "info", &container.id]).await?;
    assert_eq!((&one, one.healthy, one.image.as_str()), (container, Some(true), "busybox:1.36"));
    // What its own engine says of it.
    let host_name = lab.in_service(DEMO, "web", &["hostname"]).await?;
    let body = lab.fetch(DEMO, "web", "/", |status, _| status == 200).await?;
    assert_eq!(body.lines().nth(1), Some(host_name.as_str()));
    let exec = ["service", "exec", "web", "--cluster", DEMO, "--", "sh", "-c", "hostname; exit 9"];
    let ended = lab.cli().run(&exec).await?;
    assert_eq!((ended.stdout.trim(), ended.code), (host_name.as_str(), Some(9)));

    let script = "script=echo to-out; echo to-err >&2";
    let job = ["--template", "batch-job", "--name", "talker", "--set", script, "--wait"];
    let _: OperationInfo = lab.cli().json(&[&["service", "create", "--cluster", DEMO][..], &job].concat()).await?;
    let ended = lab.cli().run(&["service", "logs", "talker", "--cluster", DEMO]).await?;
    let lines: Vec<LogLine> =
        ended.stdout.lines().map(serde_json::from_str).collect::<Result<_, _>>().context(ended.stderr)?;
    let mut texts: Vec<String> = lines.iter().map(|line| format!("{:?} {}", line.source, line.text)).collect();
    texts.sort();
    assert_eq!(texts, ["Stderr to-err", "Stdout to-out"]);
    let delete = ["service", "delete", "talker", "--cluster", DEMO, "--wait"];
    let _: OperationInfo = lab.cli().json(&delete).await?;
    Ok(())
}

/// Each line once and in order, while the service goes on to write.
pub async fn output_is_followed_as_it_comes(lab: &Lab) -> Result<()> {
    // The last line is written only after the one before it was read here.
    let script = "script=for line in 1 2 3 4; do echo line-$line; sleep 1; done; \
                  until [ -e /tmp/go ]; do sleep 1; done; echo line-5; sleep 60";
    let job = ["--template", "batch-job", "--name", "ticker", "--set", script];
    let _: OperationInfo = lab.cli().json(&[&["service", "create", "--cluster", DEMO][..], &job].concat()).await?;
    let runs = |containers: &Vec<ContainerInfo>| containers.iter().any(|one| one.phase == ContainerPhase::Running);
    let containers = ["container", "list", "--cluster", DEMO, "--service", "ticker"];
    lab.cli().until(&containers, LIMIT, runs).await?;
    let mut follower = lab.cli().command(&["service", "logs", "-f", "ticker", "--cluster", DEMO]).spawn()?;
    let mut lines = BufReader::new(follower.stdout.take().context("no standard output")?).lines();
    let five = async {
        for number in 1..=5 {
            let line: LogLine = serde_json::from_str(&lines.next_line().await?.context("the output has ended")?)?;
            assert_eq!(line.text, format!("line-{number}"));
            if number == 4 {
                lab.in_service(DEMO, "ticker", &["touch", "/tmp/go"]).await?;
            }
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(LIMIT, five).await.context("five lines did not come")??;
    follower.kill().await?;
    let delete = ["service", "delete", "ticker", "--cluster", DEMO, "--wait"];
    let _: OperationInfo = lab.cli().json(&delete).await?;
    Ok(())
}

/// It comes in by a file, and is then in no file of the daemon's, no event, no answer and no container's description.
pub async fn a_secret_reaches_its_service_and_nothing_else(lab: &Lab) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (spec, value) = (folder.path().join("service.yaml"), folder.path().join("token"));
    let text = "name: keeper\nimage: busybox:1.36\ncommand: [sleep, \"3600\"]\nsecrets: [{name: token}]\n";
    std::fs::write(&spec, text)?;
    std::fs::write(&value, format!("{SECRET}\n"))?;
    let (spec, secret) = (spec.to_string_lossy(), format!("token={}", value.display()));
    let given = ["-f", &*spec, "--secret-file", &secret, "--wait"];
    let _: OperationInfo = lab.cli().json(&[&["service", "create", "--cluster", DEMO][..], &given].concat()).await?;
    assert_eq!(lab.in_service(DEMO, "keeper", &["cat", "/run/secrets/token"]).await?, SECRET);

    assert_eq!(files_with(SECRET, lab.daemon.folder())?, [""; 0], "the secret is in clear");
    let shown = lab.cli().run(&["service", "info", "keeper", "--cluster", DEMO]).await?.stdout;
    let events = lab.cli().run(&["events"]).await?.stdout;
    let service = lab.on_machine(DEMO, "control-plane-1", &["docker", "service", "inspect", "keeper"]).await?;
    let mut places = vec![("service info", shown), ("events", events), ("docker service inspect", service)];
    for machine in lab.owned().await?.iter().filter_map(|owned| owned.strip_prefix("container ")) {
        places.push(("docker inspect", docker(&["inspect", machine]).await?));
    }
    for (place, text) in places {
        assert!(!text.is_empty() && !text.contains(SECRET), "the secret is in `{place}`");
    }
    let delete = ["service", "delete", "keeper", "--cluster", DEMO, "--wait"];
    let _: OperationInfo = lab.cli().json(&delete).await?;
    let list: Vec<ServiceInfo> = lab
        .cli()
        .until(&["service", "list", "--cluster", DEMO], LIMIT, |list: &Vec<ServiceInfo>| list.len() == 1)
        .await?;
    assert_eq!(list[0].spec.name.as_str(), "web");
    let containers: Vec<ContainerInfo> = lab.cli().json(&["container", "list", "--cluster", DEMO]).await?;
    assert!(containers.iter().all(|container| container.service.as_str() == "web"), "{containers:#?}");
    Ok(())
}
