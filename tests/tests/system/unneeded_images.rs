//! Images that no service needs any more go from the machines of a Swarm cluster, and no others do.
//!
//! Covers: createOrchestrator, createOrchestratorService, updateOrchestratorService, deleteOrchestratorService.

use anyhow::{Context, Result, ensure};
use muster_protocol::model::operation::OperationInfo;

use crate::lab::{Lab, with_lab};

const CLUSTER: &str = "tidy";
/// What the service runs, one after the other; and what somebody else pulls.
const VERSIONS: [&str; 3] = ["busybox:1.36", "nginx:1.28", "redis:7"];
const FOREIGN: &str = "registry:2";

#[tokio::test]
async fn images_that_no_service_needs_go_from_the_machines() -> Result<()> {
    let all = [&VERSIONS[..], &[FOREIGN]].concat();
    with_lab("images_that_no_service_needs_go_from_the_machines", &all, async |lab| {
        let kinds = ["--orchestrator", "swarm", "--infrastructure", "local", "--workers", "1"];
        let create = [&["cluster", "create", CLUSTER, "--option", "keepImages=1s", "--wait"][..], &kinds].concat();
        let _: OperationInfo = lab.cli().json(&create).await?;
        let foreign = lab.by_registry(CLUSTER, FOREIGN).await?;
        lab.on_machine(CLUSTER, "worker-1", &["docker", "pull", &foreign]).await?;

        let [first, second, third] = VERSIONS;
        deploy(lab, &["create"], first).await?;
        for version in [second, third] {
            deploy(lab, &["update"], version).await?;
        }
        let _: OperationInfo = lab.cli().json(&["service", "delete", "web", "--cluster", CLUSTER, "--wait"]).await?;
        for machine in ["control-plane-1", "worker-1"] {
            let is_gone =
                |listed: &str| ["/busybox@", "/nginx@", "/redis@"].iter().all(|image| !listed.contains(image));
            images(lab, machine, is_gone).await?;
        }
        // The notes of them in the swarm go last.
        let notes = ["docker", "config", "ls", "-q"];
        lab.on_machine_until(CLUSTER, "control-plane-1", &notes, str::is_empty).await?;
        let listed = images(lab, "worker-1", |_| true).await?;
        ensure!(listed.contains("/registry@"), "what somebody else pulled is gone: {listed}");
        lab.delete(CLUSTER).await?;
        Ok(())
    })
    .await
}

/// Gives the service this image, and waits until both machines run it.
async fn deploy(lab: &Lab, verb: &[&str], image: &str) -> Result<()> {
    let image = lab.by_registry(CLUSTER, image).await?;
    let file = lab.daemon.folder().join("web.yaml");
    let spec = format!("name: web\nmode: global\nimage: {image}\ncommand: [sleep, '1000']\nstopSignal: SIGKILL\n");
    std::fs::write(&file, spec).context("cannot write the service's file")?;
    let file = file.to_str().context("the folder's path is not UTF-8")?;
    let _: OperationInfo =
        lab.cli().json(&[&["service"], verb, &["--cluster", CLUSTER, "-f", file, "--wait"]].concat()).await?;
    Ok(())
}

/// The images of a machine as `name@digest`, as soon as they are as they should be.
async fn images(lab: &Lab, machine: &str, is_so: impl Fn(&str) -> bool) -> Result<String> {
    let list = ["docker", "image", "ls", "--digests", "--format", "{{.Repository}}@{{.Digest}}"];
    lab.on_machine_until(CLUSTER, machine, &list, is_so).await
}
