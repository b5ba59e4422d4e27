//! A daemon with a registry that its machines reach, and ways to look at what it made from outside of it.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use muster_protocol::model::container::{ContainerInfo, ContainerPhase};
use muster_protocol::model::event::{Event, EventKind};
use muster_protocol::model::host::HostInfo;
use muster_protocol::model::operation::OperationInfo;
use muster_protocol::model::plan::Plan;
use muster_protocol::model::service::ServiceInfo;
use muster_tests::cli::Cli;
use muster_tests::daemon::Daemon;
use muster_tests::images::docker::docker;
use muster_tests::images::{self, http};
use muster_tests::kubernetes::{KubernetesParts, Mirrors, kubernetes_parts, kubernetes_parts_behind_login};
use muster_tests::registry::{Registry, cached_storage};
use muster_tests::skip::docker_is_wanted;
use tokio::sync::Semaphore;

/// Clusters of real machines at once, whatever the number of test threads: each has three or four engines to start.
static PLACES: Semaphore = Semaphore::const_new(2);

/// How long anything that has to be seen from outside may take.
pub const LIMIT: Duration = Duration::from_secs(300);
const POLL: Duration = Duration::from_millis(100);

/// A daemon and the registry for its machines.
pub struct Lab {
    pub daemon: Daemon,
    registry: Option<Registry>,
}

/// Tells a story on a new daemon, if tests with Docker are wanted. Nothing is left of it, and if it ends badly, the
/// daemon's log is shown.
pub async fn with_lab(test: &str, images: &[&str], story: impl AsyncFnOnce(&mut Lab) -> Result<()>) -> Result<()> {
    if !docker_is_wanted(test) {
        return Ok(());
    }
    let _place = PLACES.acquire().await.context("no more places")?;
    let mut lab = Lab::start(images).await?;
    let ended = story(&mut lab).await;
    lab.daemon.show_log_of_failure(&ended);
    ended
}

/// As [`with_lab`], with packages and images of Kubernetes on this host, which clusters use by default.
pub async fn with_kubernetes(
    test: &str,
    images: &[&str],
    story: impl AsyncFnOnce(&mut Lab, &Mirrors) -> Result<()>,
) -> Result<()> {
    if !docker_is_wanted(test) {
        return Ok(());
    }
    let _place = PLACES.acquire().await.context("no more places")?;
    told_with(kubernetes_parts(images).await?, story).await
}

/// The same where the mirrors of packages and images want a login.
pub async fn with_kubernetes_behind_login(
    test: &str,
    story: impl AsyncFnOnce(&mut Lab, &Mirrors) -> Result<()>,
) -> Result<()> {
    if !docker_is_wanted(test) {
        return Ok(());
    }
    let _place = PLACES.acquire().await.context("no more places")?;
    told_with(kubernetes_parts_behind_login(&[]).await?, story).await
}

async fn told_with(parts: KubernetesParts, story: impl AsyncFnOnce(&mut Lab, &Mirrors) -> Result<()>) -> Result<()> {
    let places = &parts.places;
    let configuration = format!("[limits]\nlook_when_idle_ms = 1000\n{}", places.configuration()?);
    let mut lab = Lab { daemon: Daemon::start(&configuration).await?, registry: None };
    let ended = story(&mut lab, places).await;
    lab.daemon.show_log_of_failure(&ended);
    ended
}

impl Lab {
    async fn start(images: &[&str]) -> Result<Self> {
        let registry = Registry::start(&cached_storage()?).await?;
        images::ensure(&registry, images).await?;
        let port = registry.port();
        let configuration = format!(
            "[limits]\nlook_when_idle_ms = 1000\n\
             [preparation]\nregistry_mirrors = [\"http://{{gateway}}:{port}\"]\n\
             insecure_registries = [\"{{gateway}}:{port}\"]\n"
        );
        Ok(Self { daemon: Daemon::start(&configuration).await?, registry: Some(registry) })
    }

    /// The registry's name for an image, by which the machines of a cluster reach it and its digest is known.
    pub async fn by_registry(&self, cluster: &str, image: &str) -> Result<String> {
        let registry = self.registry.as_ref().context("the lab has no registry")?;
        let route = self.on_machine(cluster, "control-plane-1", &["ip", "route", "show", "default"]).await?;
        let gateway = route.split_whitespace().nth(2).with_context(|| format!("no gateway in: {route}"))?;
        Ok(format!("{gateway}:{}/library/{image}", registry.port()))
    }

    pub fn cli(&self) -> &Cli {
        self.daemon.cli()
    }

    /// Everything on the Docker Engine that carries the daemon's mark: `container NAME`, `network NAME`, `volume NAME`.
    pub async fn owned(&self) -> Result<Vec<String>> {
        let filter = format!("label=io.muster.instance={}", self.daemon.instance());
        let mut owned = Vec::new();
        for (kind, list) in [
            ("container", &["ps", "--all", "--format", "{{.Names}}"][..]),
            ("network", &["network", "ls", "--format", "{{.Name}}"]),
            ("volume", &["volume", "ls", "--format", "{{.Name}}"]),
        ] {
            let listed = docker(&[list, &["--filter", &filter]].concat()).await?;
            owned.extend(listed.lines().map(|name| format!("{kind} {name}")));
        }
        Ok(owned)
    }

    /// The keys that the daemon's containers and networks are marked with, in order; one that is there twice is in it twice.
    pub async fn marked_keys(&self) -> Result<Vec<String>> {
        let filter = format!("label=io.muster.instance={}", self.daemon.instance());
        let format = "{{.Label \"io.muster.key\"}}";
        let mut keys = Vec::new();
        for list in [&["ps", "--all"][..], &["network", "ls"]] {
            let listed = docker(&[list, &["--filter", &filter, "--format", format]].concat()).await?;
            keys.extend(listed.lines().map(str::to_owned));
        }
        keys.sort();
        Ok(keys)
    }

    /// A cluster's machines by their names.
    pub async fn host(&self, cluster: &str, name: &str) -> Result<HostInfo> {
        let hosts: Vec<HostInfo> = self.cli().json(&["host", "list", "--cluster", cluster]).await?;
        let host = hosts.into_iter().find(|host| host.name.as_str() == name);
        host.with_context(|| format!("{cluster} has no machine {name}"))
    }

    /// The copies of a service that run.
    pub async fn running(&self, cluster: &str, service: &str) -> Result<Vec<ContainerInfo>> {
        let containers = ["container", "list", "--cluster", cluster, "--service", service];
        let all: Vec<ContainerInfo> = self.cli().json(&containers).await?;
        Ok(all.into_iter().filter(|container| container.phase == ContainerPhase::Running).collect())
    }

    /// Runs a command on a machine.
    pub async fn on_machine(&self, cluster: &str, machine: &str, command: &[&str]) -> Result<String> {
        let host = self.host(cluster, machine).await?;
        let id = host.provider_id.with_context(|| format!("{machine} is not there"))?;
        docker(&[&["exec", &id], command].concat()).await
    }

    /// Runs a command on a machine until it succeeds and prints what it should. What the orchestrator says may be
    /// something else for a moment, or nothing at all: on a slow host its managers may elect a new leader at any time.
    pub async fn on_machine_until(
        &self,
        cluster: &str,
        machine: &str,
        command: &[&str],
        is_so: impl Fn(&str) -> bool,
    ) -> Result<String> {
        let deadline = Instant::now() + LIMIT;
        loop {
            let said = self.on_machine(cluster, machine, command).await;
            match said {
                Ok(said) if is_so(&said) => return Ok(said),
                said if Instant::now() >= deadline => bail!("{machine} still says to {command:?}: {said:?}"),
                _ => tokio::time::sleep(POLL).await,
            }
        }
    }

    /// Runs a command in a copy of a service.
    pub async fn in_service(&self, cluster: &str, service: &str, command: &[&str]) -> Result<String> {
        let container = self.running(cluster, service).await?.into_iter().next();
        let container = container.with_context(|| format!("no copy of {service} runs"))?;
        let machine = container.machine.context("a copy runs nowhere")?;
        let filter = format!("label=com.docker.swarm.task.id={}", container.id);
        let id = self.on_machine(cluster, machine.as_str(), &["docker", "ps", "-q", "--filter", &filter]).await?;
        ensure!(!id.is_empty(), "{} is not on {machine}", container.name);
        self.on_machine(cluster, machine.as_str(), &[&["docker", "exec", &id], command].concat()).await
    }

    /// What a service answers at the first endpoint that its info shows; asked until it says what it should.
    pub async fn fetch(
        &self,
        cluster: &str,
        service: &str,
        path: &str,
        is_so: impl Fn(u16, &str) -> bool,
    ) -> Result<String> {
        let deadline = Instant::now() + LIMIT;
        loop {
            let said = match self.endpoint(cluster, service).await {
                Ok(address) => http::get(&address, path).await,
                Err(error) => Err(error),
            };
            match said {
                Ok((status, body)) if is_so(status, &body) => return Ok(body),
                said if Instant::now() >= deadline => {
                    let (status, body) = said.with_context(|| format!("{service} cannot be fetched"))?;
                    bail!("{service} answers {status} to {path}: {body}");
                }
                _ => tokio::time::sleep(POLL).await,
            }
        }
    }

    /// `ADDRESS:PORT` of a service, as its info shows it.
    pub async fn endpoint(&self, cluster: &str, service: &str) -> Result<String> {
        let info: ServiceInfo = self.cli().json(&["service", "info", service, "--cluster", cluster]).await?;
        let endpoint = info.endpoints.first().with_context(|| format!("{service} is reached nowhere: {info:#?}"))?;
        Ok(format!("{}:{}", endpoint.address, endpoint.published))
    }

    /// The number of the last event.
    pub async fn cursor(&self) -> Result<u64> {
        Ok(self.cli().events(0).await?.last().map_or(0, |event| event.number))
    }

    /// Creates a cluster and waits for it.
    pub async fn create(&self, cluster: &str, control_planes: u32, workers: u32) -> Result<OperationInfo> {
        let (control_planes, workers) = (control_planes.to_string(), workers.to_string());
        let kinds = ["--orchestrator", "swarm", "--infrastructure", "local"];
        let numbers = ["--control-planes", &control_planes, "--workers", &workers, "--wait"];
        let began = Instant::now();
        let created = self.cli().json(&[&["cluster", "create", cluster][..], &kinds, &numbers].concat()).await;
        println!("{cluster}: ready after {:.1} s", began.elapsed().as_secs_f32());
        created
    }

    /// Deletes a cluster, waits for it, and sees that nothing of it is left anywhere.
    pub async fn delete(&self, cluster: &str) -> Result<OperationInfo> {
        let operation = self.cli().json(&["cluster", "delete", cluster, "--wait"]).await?;
        let (clusters, owned): (Vec<serde_json::Value>, _) =
            (self.cli().json(&["cluster", "list"]).await?, self.owned().await?);
        ensure!(clusters.is_empty(), "a deleted cluster is still listed: {clusters:?}");
        ensure!(owned.is_empty(), "this is left of {cluster}: {owned:?}");
        Ok(operation)
    }
}

/// The calls that events say were made, in order. It is looked up what came of one that ended in doubt, which on a slow
/// host may be any: the look-up does not count, and the call does, though it is not known to be done by its own word.
pub fn calls_made(events: &[Event]) -> Vec<String> {
    let of_kind = |kind| {
        let of_kind = events.iter().filter(move |event| event.kind == kind).map(|event| event.message.clone());
        of_kind.filter(|name| !name.starts_with("look up "))
    };
    let mut calls: Vec<String> = of_kind(EventKind::StepDone).collect();
    for begun in of_kind(EventKind::StepStarted) {
        if !calls.contains(&begun) {
            calls.push(begun);
        }
    }
    calls.sort();
    calls
}

/// The calls of a plan, in order. What is only awaited is no call.
pub fn calls_of(plan: &Plan) -> Vec<String> {
    let names = plan.steps.iter().map(|step| step.name.clone());
    let mut calls: Vec<String> = names.filter(|name| !name.starts_with("await ")).collect();
    calls.sort();
    calls
}

/// The files below a folder that have this text in them.
pub fn files_with(text: &str, folder: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files_with(text, &path)?);
        } else if path.is_file() {
            let content = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
            if content.windows(text.len()).any(|window| window == text.as_bytes()) {
                found.push(path.display().to_string());
            }
        }
    }
    Ok(found)
}
