//! A rendered template as plain containers.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use muster_catalog::Catalog;
use muster_protocol::SecretString;
use muster_protocol::model::service::{MountKind, Probe, ServiceSpec};
use muster_tests::images::docker::docker;
use muster_tests::images::{self, http};
use muster_tests::registry::{Registry, cached_storage};
use tempfile::TempDir;

/// How long a service may take until it is healthy; a database's first start is the longest.
const HEALTHY_LIMIT: Duration = Duration::from_secs(120);

/// What a crashed test leaves is found by this label.
pub const LABEL: &str = "io.muster.test=images";

/// A registry with these images in it.
pub async fn registry_with(names: &[impl AsRef<str>]) -> Result<Registry> {
    let registry = Registry::start(&cached_storage()?).await?;
    images::ensure(&registry, names).await?;
    Ok(registry)
}

/// The services of a template, each as one container on a network of their own.
pub struct Deployment {
    network: String,
    containers: BTreeMap<String, String>,
    /// Their secrets and files.
    folder: TempDir,
}

impl Deployment {
    /// Renders, runs, and waits until each service's own health check is content.
    pub async fn of(template: &str, values: &[(&str, &str)]) -> Result<Self> {
        let deployment = Self::start(template, values).await?.0;
        Ok(deployment)
    }

    /// The same, with what was deployed.
    pub async fn start(template: &str, values: &[(&str, &str)]) -> Result<(Self, Vec<ServiceSpec>)> {
        let values = values.iter().map(|(name, value)| ((*name).to_owned(), SecretString::new(*value))).collect();
        let services = Catalog::load(None).render(template, None, &values)?;
        let images: Vec<&str> = services.iter().map(|service| service.image.as_str()).collect();
        let registry = registry_with(&images).await?;
        let folder = tempfile::tempdir()?;
        let network = docker(&["network", "create", "--label", LABEL, &unique(template, &folder)]).await?;
        let mut deployment = Self { network, containers: BTreeMap::new(), folder };
        for service in &services {
            deployment.run(&registry, service).await.with_context(|| format!("cannot run {}", service.name))?;
        }
        for service in &services {
            deployment.wait_until_healthy(service).await?;
        }
        Ok((deployment, services))
    }

    async fn run(&mut self, registry: &Registry, service: &ServiceSpec) -> Result<()> {
        let official = &service.image;
        let path = if official.contains('/') { official.clone() } else { format!("library/{official}") };
        let remote = format!("{}/{path}", registry.host_address());
        docker(&["pull", "--quiet", &remote]).await?;
        let name = service.name.as_str();
        let mut arguments: Vec<String> =
            ["create", "--label", LABEL, "--network", &self.network, "--network-alias", name].map(String::from).into();
        for (variable, value) in &service.env {
            arguments.extend(["--env".to_owned(), format!("{variable}={value}")]);
        }
        for mount in &service.mounts {
            assert_eq!(mount.kind, MountKind::Volume, "built-in templates use volumes only");
            arguments.extend(["--volume".to_owned(), mount.target.clone()]);
        }
        let secrets = service.secrets.iter().map(|secret| (secret.target(), secret.value.as_ref()));
        for (target, value) in secrets {
            let value = value.context("a secret without a value")?.expose();
            arguments.extend(["--volume".to_owned(), self.file(&target, value)?]);
        }
        for file in &service.files {
            arguments.extend(["--volume".to_owned(), self.file(&file.path, file.content.bytes())?]);
        }
        let mut command = service.command.iter();
        if let Some(entry_point) = command.next() {
            arguments.extend(["--entrypoint".to_owned(), entry_point.clone()]);
        }
        arguments.push(remote.clone());
        arguments.extend(command.chain(&service.args).cloned());
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let container = docker(&arguments).await;
        docker(&["image", "rm", "--force", &remote]).await.ok();
        let container = container?;
        self.containers.insert(name.to_owned(), container.clone());
        docker(&["start", &container]).await?;
        Ok(())
    }

    /// Writes what stands for a secret or configuration file, and gives its `--volume`.
    fn file(&self, target: &str, content: &[u8]) -> Result<String> {
        let count = self.folder.path().read_dir()?.count();
        let source: PathBuf = self.folder.path().join(count.to_string());
        std::fs::write(&source, content)?;
        // As orchestrators do it: a file of root's that every user in the container can read.
        std::fs::set_permissions(&source, std::fs::Permissions::from_mode(0o444))?;
        Ok(format!("{}:{target}:ro", source.display()))
    }

    /// Waits until its own health check is content.
    pub async fn wait_until_healthy(&self, service: &ServiceSpec) -> Result<()> {
        let Some(health) = service.health_check() else { return Ok(()) };
        let Probe::Command(command) = &health.probe else { bail!("built-in templates ask by command only") };
        let command: Vec<&str> = command.iter().map(String::as_str).collect();
        let deadline = Instant::now() + HEALTHY_LIMIT;
        while let Err(error) = self.exec(service.name.as_str(), &command).await {
            if Instant::now() >= deadline {
                let log = docker(&["logs", "--tail", "30", self.container(service.name.as_str())]).await?;
                return Err(error.context(format!("{} does not become healthy; its log: {log}", service.name)));
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        Ok(())
    }

    /// The container of a service.
    pub fn container(&self, service: &str) -> &str {
        &self.containers[service]
    }

    /// Runs a command in the container of a service.
    pub async fn exec(&self, service: &str, command: &[&str]) -> Result<String> {
        docker(&[&["exec", self.container(service)], command].concat()).await
    }

    /// `address:port` of a service, from this host.
    pub async fn address(&self, service: &str, port: u16) -> Result<String> {
        let format = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
        let address = docker(&["inspect", "--format", format, self.container(service)]).await?;
        Ok(format!("{address}:{port}"))
    }

    /// What a service answers to a GET.
    pub async fn get(&self, service: &str, port: u16, path: &str) -> Result<(u16, String)> {
        http::get(&self.address(service, port).await?, path).await
    }
}

impl Drop for Deployment {
    fn drop(&mut self) {
        // Not the async `docker`: nothing can be awaited here.
        for container in self.containers.values() {
            let _ = std::process::Command::new("docker").args(["rm", "-fv", container]).output();
        }
        let _ = std::process::Command::new("docker").args(["network", "rm", &self.network]).output();
    }
}

/// A name that no other run on this host has.
fn unique(template: &str, folder: &TempDir) -> String {
    let random = folder.path().file_name().unwrap_or_default().to_string_lossy();
    format!("muster-test-{template}{}", random.replace('.', "-"))
}
