//! The tools that users of an orchestrator know, with the file that Muster gives them.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::muster::User;
use super::orchestrator::Orchestrator;
use super::story::{CLUSTER, SERVICE, chapter};
use crate::{host, kubernetes};

/// Shows the orchestrator's own tool at work on the cluster.
pub fn show(user: &User<'_>, orchestrator: Orchestrator, folder: &Path) -> Result<()> {
    match orchestrator {
        Orchestrator::Swarm => docker(user, folder),
        Orchestrator::Kubernetes => kubectl(user, folder),
    }
}

fn kubectl(user: &User<'_>, folder: &Path) -> Result<()> {
    chapter("The same cluster for kubectl, for an hour");
    let file = text(&folder.join("demo.kubeconfig"))?;
    user.types(&["cluster", "kubeconfig", CLUSTER, "--valid-for", "1h", "--file", &file])?;
    let kubectl = kubernetes::kubectl(&host::cache_dir()?)?;
    let nodes = user.types_into(&kubectl, &["--kubeconfig", &file, "get", "nodes", "--output", "wide"])?;
    let ready = nodes.lines().filter(|line| line.split_whitespace().any(|word| word == "Ready")).count();
    ensure!(ready == 3, "kubectl sees {ready} of 3 nodes ready");
    let pods = user.types_into(&kubectl, &["--kubeconfig", &file, "get", "pods", "--namespace", "muster"])?;
    let running = pods.lines().filter(|line| line.starts_with(SERVICE) && line.contains("Running")).count();
    let (_, copies) = Orchestrator::Kubernetes.copies();
    ensure!(running == copies, "kubectl sees {running} of {copies} pods running");
    Ok(())
}

fn docker(user: &User<'_>, folder: &Path) -> Result<()> {
    chapter("The same cluster for docker, for an hour");
    let file = text(&folder.join("demo.dockercontext"))?;
    user.types(&["cluster", "docker-context", CLUSTER, "--valid-for", "1h", "--file", &file])?;
    // Not among the user's own contexts.
    let config = text(&folder.join("docker"))?;
    let docker = PathBuf::from("docker");
    user.types_into(&docker, &["--config", &config, "context", "import", CLUSTER, &file])?;
    let context = ["--config", &config, "--context", CLUSTER];
    let nodes = user.types_into(&docker, &[&context[..], &["node", "ls"]].concat())?;
    let ready = nodes.lines().filter(|line| line.split_whitespace().any(|word| word == "Ready")).count();
    ensure!(ready == 3, "docker sees {ready} of 3 nodes ready");
    let services = user.types_into(&docker, &[&context[..], &["service", "ls"]].concat())?;
    ensure!(services.contains(SERVICE), "docker does not see the service");
    Ok(())
}

fn text(path: &Path) -> Result<String> {
    Ok(path.to_str().with_context(|| format!("{} is not text", path.display()))?.to_owned())
}
