//! A real Kubernetes from one command to nothing: made, asked, scaled and upgraded while the daemon is killed, deleted.
//!
//! Covers: createOrchestrator, scaleOrchestrator, upgradeOrchestrator, createOrchestratorService, getOrchestratorInfo, listHosts.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use muster_protocol::model::cluster::ClusterInfo;
use muster_protocol::model::event::EventKind;
use muster_protocol::model::host::{HostInfo, HostPhase};
use muster_protocol::model::operation::{OperationInfo, OperationPhase};
use muster_tests::registry::LOGIN;

use crate::kills::kill_when;
use crate::lab::{LIMIT, Lab, with_kubernetes, with_kubernetes_behind_login};

/// The cluster of this story.
const DEMO: &str = "kube";

/// What is served: the name of the pod, and a value that Kubernetes would expand if it could.
const WEB: &str = r#"
name: web
image: {registry}/library/busybox:1.36
command: [sh, -c, "mkdir -p /www && echo \"$WORDS\" > /www/index.html && exec httpd -f -p 8080 -h /www"]
env: {WORDS: "as $(GIVEN) by its user"}
replicas: 2
ports:
  - {port: 8080, published: 30080, exposure: ingress}
"#;

#[tokio::test]
async fn one_command_makes_a_kubernetes_that_serves_grows_and_goes_without_a_trace() -> Result<()> {
    let name = "one_command_makes_a_kubernetes_that_serves_grows_and_goes_without_a_trace";
    with_kubernetes(name, &["busybox:1.36"], async |lab, places| {
        let version = places.versions.last().context("no version of Kubernetes is there")?;
        let began = Instant::now();
        let kinds = ["--orchestrator", "kubernetes", "--infrastructure", "local", "--version", version];
        let create = [&["cluster", "create", DEMO][..], &kinds, &["--workers", "1", "--wait"]].concat();
        let created: OperationInfo = lab.cli().json(&create).await?;
        println!("{DEMO}: ready after {:.1} s", began.elapsed().as_secs_f32());
        ensure!(created.phase == OperationPhase::Succeeded, "{created:#?}");
        every_node_has(lab, version, 2).await?;

        let file = lab.daemon.folder().join("web.yaml");
        std::fs::write(&file, WEB.replace("{registry}", &places.registry))?;
        let file = file.to_string_lossy().into_owned();
        let _: OperationInfo = lab.cli().json(&["service", "create", "--cluster", DEMO, "-f", &file, "--wait"]).await?;
        let said = lab.fetch(DEMO, "web", "/", |status, _| status == 200).await?;
        ensure!(said.trim() == "as $(GIVEN) by its user", "{said}");

        a_killed_daemon_goes_on_growing(lab).await?;
        every_node_has(lab, version, 3).await?;
        lab.fetch(DEMO, "web", "/", |status, _| status == 200).await?;

        let deleted = lab.delete(DEMO).await?;
        ensure!(deleted.phase == OperationPhase::Succeeded, "{deleted:#?}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_daemon_killed_while_it_makes_and_upgrades_a_kubernetes_ends_both_well() -> Result<()> {
    let name = "a_daemon_killed_while_it_makes_and_upgrades_a_kubernetes_ends_both_well";
    with_kubernetes_behind_login(name, async |lab, places| {
        let [older, .., newer] = places.versions.as_slice() else { anyhow::bail!("two versions are needed") };
        let kinds = ["--orchestrator", "kubernetes", "--infrastructure", "local", "--version", older];
        let create = [&["cluster", "create", DEMO][..], &kinds, &["--workers", "1"]].concat();
        let stages =
            ["create machine/worker-1", "prepare machine/control-plane-1", "form orchestrator", "join node/worker-1"];
        killed_at_each(lab, &create, &stages).await?;
        every_node_has(lab, older, 2).await?;
        the_password_is_shown_nowhere_but_to_root_of_the_machines(lab).await?;
        let keys = lab.marked_keys().await?;
        ensure!(keys == ["machine/control-plane-1", "machine/worker-1", "network"], "{keys:?}");

        let upgrade = ["cluster", "upgrade", DEMO, "--version", newer];
        // With one worker there is nowhere to drain to.
        let stages = ["upgrade machine/control-plane-1", "cordon machine/worker-1", "upgrade machine/worker-1"];
        killed_at_each(lab, &upgrade, &stages).await?;
        every_node_has(lab, newer, 2).await?;
        lab.delete(DEMO).await?;
        Ok(())
    })
    .await
}

/// The mirrors' password is in files that root alone reads, and in no word of the daemon's.
async fn the_password_is_shown_nowhere_but_to_root_of_the_machines(lab: &Lab) -> Result<()> {
    let search = format!("grep -rlF '{}' /etc /var/log /run/muster | xargs stat -c '%a %n' | sort", LOGIN.1);
    let found = lab.on_machine(DEMO, "worker-1", &["sh", "-c", &search]).await?;
    let names: Vec<&str> = found.lines().filter_map(|line| line.strip_prefix("600 ")).collect();
    ensure!(names.len() == found.lines().count() && names.contains(&"/etc/containerd/config.toml"), "{found}");
    let events = lab.cli().run(&["events", "--output", "json"]).await?;
    ensure!(!events.stdout.contains(LOGIN.1) && !lab.daemon.log().contains(LOGIN.1), "the daemon says the password");
    Ok(())
}

/// Asks for a change, and kills the daemon with -9 as soon as each of these steps has begun.
async fn killed_at_each(lab: &mut Lab, change: &[&str], stages: &[&str]) -> Result<()> {
    let (began, mut at) = (Instant::now(), lab.cursor().await?);
    let operation: OperationInfo = lab.cli().json(change).await?;
    for stage in stages {
        at = kill_when(lab, at, EventKind::StepStarted, &[stage]).await.with_context(|| format!("kill at {stage}"))?;
    }
    let ended: OperationInfo = lab.cli().json(&["operation", "watch", &operation.id.to_string()]).await?;
    ensure!(ended.phase == OperationPhase::Succeeded, "{ended:#?}");
    println!("{}: done after {:.1} s and {} kills", ended.kind, began.elapsed().as_secs_f32(), stages.len());
    Ok(())
}

/// The daemon dies with -9 in the middle of the change, and the next one goes on with it.
async fn a_killed_daemon_goes_on_growing(lab: &mut Lab) -> Result<()> {
    let (began, at) = (Instant::now(), lab.cursor().await?);
    let scale: OperationInfo = lab.cli().json(&["cluster", "scale", DEMO, "--workers", "2"]).await?;
    kill_when(lab, at, EventKind::StepStarted, &["prepare machine/worker-2"]).await?;
    let ended: OperationInfo = lab.cli().json(&["operation", "watch", &scale.id.to_string()]).await?;
    ensure!(ended.phase == OperationPhase::Succeeded, "{ended:#?}");
    println!("{DEMO}: a third machine, with a killed daemon, after {:.1} s", began.elapsed().as_secs_f32());
    Ok(())
}

async fn every_node_has(lab: &Lab, version: &str, count: usize) -> Result<()> {
    let (began, wanted) = (Instant::now(), Some(format!("v{version}")));
    loop {
        let info: ClusterInfo = lab.cli().json(&["cluster", "info", DEMO]).await?;
        let hosts: Vec<HostInfo> = lab.cli().json(&["host", "list", "--cluster", DEMO]).await?;
        let has_it = |host: &HostInfo| host.phase == HostPhase::Ready && host.version == wanted;
        if info.version == wanted && hosts.len() == count && hosts.iter().all(has_it) {
            return Ok(());
        }
        // A kubelet says its version some seconds after it was started anew.
        ensure!(began.elapsed() < LIMIT, "not all have version {version}: {info:#?} {hosts:#?}");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}
