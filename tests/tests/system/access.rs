//! Files for people's own tools: `docker` and `kubectl` use them as they are, until they are renewed away.
//!
//! Covers: accessOrchestrator, renewOrchestrator.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use muster_protocol::ErrorCode;
use muster_protocol::model::event::{Event, EventKind};
use muster_protocol::model::operation::OperationInfo;
use muster_tests::cli::{Ended, end};
use muster_tests::kubernetes::kubectl;
use tokio::process::Command;

use crate::lab::{Lab, with_kubernetes, with_lab};

const SWARM: &str = "swarm";
const KUBE: &str = "reached";

async fn run(program: &Path, arguments: &[&str]) -> Result<Ended> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(std::process::Stdio::null()).kill_on_drop(true);
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    end(command, format!("{} {}", program.display(), arguments.join(" "))).await
}

async fn succeed(program: &Path, arguments: &[&str]) -> Result<String> {
    let ended = run(program, arguments).await?;
    ensure!(ended.code == Some(0), "`{}` ended with {:?}: {}", ended.line, ended.code, ended.stderr);
    Ok(ended.stdout)
}

/// Asks `muster` for a file and returns its path.
async fn file(lab: &Lab, verb: &str, cluster: &str, name: &str, more: &[&str]) -> Result<String> {
    let path = lab.daemon.folder().join(name);
    let path = path.to_str().context("the folder's path is not UTF-8")?.to_owned();
    let arguments = [&["cluster", verb, cluster, "--file", &path][..], more].concat();
    let ended = lab.cli().run(&arguments).await?;
    ensure!(ended.code == Some(0), "`{}` ended with {:?}: {}", ended.line, ended.code, ended.stderr);
    Ok(path)
}

async fn renew(lab: &Lab, cluster: &str) -> Result<()> {
    let began = std::time::Instant::now();
    let _: OperationInfo = lab.cli().json(&["cluster", "renew", cluster, "--wait"]).await?;
    println!("{cluster}: renewed after {:.1} s", began.elapsed().as_secs_f32());
    Ok(())
}

/// What the events tell of files that were given out.
async fn told(lab: &Lab) -> Result<Vec<String>> {
    let events: Vec<Event> = lab.cli().events(0).await?;
    let of_files = events.into_iter().filter(|event| event.kind == EventKind::Access);
    Ok(of_files.map(|event| event.message).collect())
}

#[tokio::test]
async fn a_docker_context_reaches_a_manager_until_the_certificates_are_renewed() -> Result<()> {
    let name = "a_docker_context_reaches_a_manager_until_the_certificates_are_renewed";
    with_lab(name, &[], async |lab| {
        lab.create(SWARM, 1, 1).await?;
        let docker = PathBuf::from("docker");
        let config = lab.daemon.folder().join("docker");
        let config = config.to_str().context("the folder's path is not UTF-8")?;
        for context in ["before", "after"] {
            let path = file(lab, "docker-context", SWARM, context, &["--valid-for", "1h"]).await?;
            succeed(&docker, &["--config", config, "context", "import", context, &path]).await?;
            let nodes = succeed(&docker, &["--config", config, "--context", context, "node", "ls", "-q"]).await?;
            ensure!(nodes.lines().count() == 2, "{nodes}");
            if context == "before" {
                renew(lab, SWARM).await?;
                let refused = run(&docker, &["--config", config, "--context", "before", "node", "ls"]).await?;
                ensure!(refused.code != Some(0), "it still reaches the manager: {}", refused.stdout);
                ensure!(refused.stderr.contains("certificate"), "{}", refused.stderr);
            }
        }
        let (_, refusal) = lab.cli().refused(&["cluster", "kubeconfig", SWARM]).await?;
        ensure!(refusal.code == ErrorCode::Unsupported, "{refusal}");
        let told = told(lab).await?;
        ensure!(told.len() == 2 && told.iter().all(|text| text.contains("docker-context")), "{told:?}");
        lab.delete(SWARM).await?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_kubeconfig_allows_what_its_role_does_until_the_certificates_are_renewed() -> Result<()> {
    let name = "a_kubeconfig_allows_what_its_role_does_until_the_certificates_are_renewed";
    with_kubernetes(name, &[], async |lab, places| {
        let version = places.versions.last().context("no version of Kubernetes is there")?;
        let kubectl = kubectl(version)?;
        let kinds = ["--orchestrator", "kubernetes", "--infrastructure", "local", "--version", version];
        let create = [&["cluster", "create", KUBE][..], &kinds, &["--workers", "0", "--wait"]].concat();
        let _: OperationInfo = lab.cli().json(&create).await?;

        let admin = file(lab, "kubeconfig", KUBE, "admin.yaml", &["--valid-for", "1h"]).await?;
        let nodes = succeed(&kubectl, &["--kubeconfig", &admin, "get", "nodes", "--no-headers"]).await?;
        ensure!(nodes.lines().count() == 1 && nodes.contains(" Ready "), "{nodes}");
        let viewer = file(lab, "kubeconfig", KUBE, "viewer.yaml", &["--role", "viewer"]).await?;
        for (file, verb, allowed) in [(&viewer, "get", true), (&viewer, "delete", false), (&admin, "delete", true)] {
            let asked = ["--kubeconfig", file, "auth", "can-i", verb, "pods", "--namespace", "muster"];
            let answer = run(&kubectl, &asked).await?;
            ensure!((answer.code == Some(0)) == allowed, "{}: {}{}", answer.line, answer.stdout, answer.stderr);
        }

        renew(lab, KUBE).await?;
        for file in [&admin, &viewer] {
            let refused = run(&kubectl, &["--kubeconfig", file, "get", "pods", "--namespace", "muster"]).await?;
            ensure!(refused.code != Some(0) && refused.stderr.contains("Forbidden"), "{}", refused.stderr);
        }
        let fresh = file(lab, "kubeconfig", KUBE, "fresh.yaml", &[]).await?;
        succeed(&kubectl, &["--kubeconfig", &fresh, "get", "nodes"]).await?;
        let (_, refusal) = lab.cli().refused(&["cluster", "docker-context", KUBE]).await?;
        ensure!(refusal.code == ErrorCode::Unsupported, "{refusal}");
        let told = told(lab).await?;
        ensure!(told.len() == 3 && told.iter().all(|text| text.contains("kubeconfig")), "{told:?}");
        lab.delete(KUBE).await?;
        Ok(())
    })
    .await
}
