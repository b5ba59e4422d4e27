//! A daemon with an account at an EC2 of moto's, and machines in place of its instances.
//!
//! Covers: createOrchestrator, createOrchestratorService, getOrchestratorInfo, addAccount, checkAccount.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use muster_protocol::model::cluster::ClusterSummary;
use muster_protocol::model::operation::{OperationInfo, OperationPhase};
use muster_protocol::model::service::ServiceInfo;
use muster_tests::cli::Cli;
use muster_tests::daemon::Daemon;
use muster_tests::ec2::cloud::Cloud;
use muster_tests::ec2::moto;
use muster_tests::images::{self, http};
use muster_tests::registry::{Registry, cached_storage};
use muster_tests::skip::{self, docker_is_wanted};
use tokio::sync::Semaphore;

use crate::POLL;

/// How long anything may take: three engines boot on a busy host.
pub const LIMIT: Duration = Duration::from_secs(400);
static PLACES: Semaphore = Semaphore::const_new(1);

/// A daemon and its cloud.
pub struct Site {
    pub daemon: Daemon,
    pub cloud: Cloud,
    _registry: Registry,
}

/// Tells a story on a new cloud, if tests with Docker are wanted and moto is there.
pub async fn with_cloud(test: &str, story: impl AsyncFnOnce(&mut Site) -> Result<()>) -> Result<()> {
    if !docker_is_wanted(test) {
        return Ok(());
    }
    if moto::program().is_none() {
        skip::note(test, "moto; run: cargo xtask setup");
        return Ok(());
    }
    let _place = PLACES.acquire().await.context("no more places")?;
    let mut site = Site::start().await?;
    let ended = story(&mut site).await;
    site.daemon.show_log_of_failure(&ended);
    ended
}

impl Site {
    async fn start() -> Result<Self> {
        let cloud = Cloud::start().await?;
        let registry = Registry::start(&cached_storage()?).await?;
        images::ensure(&registry, &["busybox:1.36"]).await?;
        let port = registry.port();
        let configuration = format!(
            "[limits]\nlook_when_idle_ms = 1000\n[preparation]\nregistry_mirrors = [\"http://{{gateway}}:{port}\"]\n\
             insecure_registries = [\"{{gateway}}:{port}\"]\n"
        );
        let daemon = Daemon::start(&configuration).await?;
        let site = Self { daemon, cloud, _registry: registry };
        site.add_account().await?;
        Ok(site)
    }

    async fn add_account(&self) -> Result<()> {
        let key = self.daemon.folder().join("key");
        std::fs::write(&key, "tests").context("cannot write a key")?;
        let endpoint = self.cloud.endpoint();
        let defaults: Vec<String> =
            self.cloud.defaults().into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        let credentials = ["accessKeyId", "secretAccessKey"].map(|name| format!("{name}={}", key.display()));
        let mut line = vec!["account", "add", "cloud", "--infrastructure", "ec2", "--endpoint", &endpoint];
        line.extend(defaults.iter().flat_map(|default| ["--default", default.as_str()]));
        line.extend(credentials.iter().flat_map(|credential| ["--credential-file", credential.as_str()]));
        let _: serde_json::Value = self.cli().json(&line).await?;
        Ok(())
    }

    pub fn cli(&self) -> &Cli {
        self.daemon.cli()
    }

    /// A service of the catalog answers from outside.
    pub async fn serves(&self) -> Result<()> {
        let template =
            ["--template", "hello", "--name", "web", "--set", "greeting=Good day", "--set", "published=8080"];
        let create = [&["service", "create", "--cluster", "demo"][..], &template, &["--wait"]].concat();
        let created: OperationInfo = self.cli().json(&create).await?;
        anyhow::ensure!(created.phase == OperationPhase::Succeeded, "{created:#?}");
        self.until("the service answers", async || {
            let info: ServiceInfo = self.cli().json(&["service", "info", "web", "--cluster", "demo"]).await?;
            let Some(endpoint) = info.endpoints.first() else { return Ok(false) };
            let answer = http::get(&format!("{}:{}", endpoint.address, endpoint.published), "/").await;
            Ok(answer.is_ok_and(|(status, body)| status == 200 && body.starts_with("Good day")))
        })
        .await
    }

    pub async fn phase_is(&self, phase: &str) -> Result<bool> {
        let clusters: Vec<ClusterSummary> = self.cli().json(&["cluster", "list"]).await?;
        Ok(clusters.iter().any(|cluster| cluster.name.as_str() == "demo" && cluster.phase.as_str() == phase))
    }

    pub async fn cluster_is_known(&self) -> Result<bool> {
        let clusters: Vec<ClusterSummary> = self.cli().json(&["cluster", "list"]).await?;
        Ok(!clusters.is_empty())
    }

    pub async fn no_containers_are_left(&self) -> Result<()> {
        self.until("the machines are gone", async || Ok(self.cloud.containers().await?.is_empty())).await
    }

    /// Asks until it is so.
    pub async fn until(&self, what: &str, is_so: impl AsyncFn() -> Result<bool>) -> Result<()> {
        let deadline = Instant::now() + LIMIT;
        while !is_so().await? {
            if Instant::now() >= deadline {
                let info = self.cli().run(&["cluster", "info", "demo"]).await?;
                bail!("{what}: not after {} s: {}", LIMIT.as_secs(), info.stdout);
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }
}
