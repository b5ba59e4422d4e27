//! A daemon with an account at an EC2 of moto's, and machines in place of its instances.
//!
//! Covers: createOrchestrator, createOrchestratorService, getOrchestratorInfo, addAccount, checkAccount.

use std::time::Duration;

use anyhow::{Context, Result};
use muster_tests::cli::Cli;
use muster_tests::daemon::Daemon;
use muster_tests::demo_cluster::DemoCluster;
use muster_tests::ec2::cloud::Cloud;
use muster_tests::ec2::moto;
use muster_tests::images;
use muster_tests::kubernetes::{Mirrors, kubernetes_parts};
use muster_tests::registry::{Registry, cached_storage};
use muster_tests::skip::{self, docker_is_wanted};
use tokio::sync::Semaphore;

/// How long anything may take: three engines boot on a busy host.
pub const LIMIT: Duration = Duration::from_secs(400);
static PLACES: Semaphore = Semaphore::const_new(1);

/// A daemon and its cloud.
pub struct Site {
    pub daemon: Daemon,
    pub cloud: Cloud,
    pub demo: DemoCluster,
}

/// Tells a story on a new cloud, if tests with Docker are wanted and moto is there.
pub async fn with_cloud(test: &str, story: impl AsyncFnOnce(&mut Site) -> Result<()>) -> Result<()> {
    if !is_wanted(test) {
        return Ok(());
    }
    let _place = PLACES.acquire().await.context("no more places")?;
    let registry = Registry::start(&cached_storage()?).await?;
    images::ensure(&registry, &["busybox:1.36"]).await?;
    let port = registry.port();
    let configuration = format!(
        "[preparation]\nregistry_mirrors = [\"http://{{gateway}}:{port}\"]\ninsecure_registries = \
         [\"{{gateway}}:{port}\"]\n"
    );
    told(&configuration, story).await
}

/// The same where machines find Kubernetes, and `busybox:1.36` at the registry that is said.
pub async fn with_kubernetes(test: &str, story: impl AsyncFnOnce(&mut Site, &Mirrors) -> Result<()>) -> Result<()> {
    if !is_wanted(test) {
        return Ok(());
    }
    let _place = PLACES.acquire().await.context("no more places")?;
    let parts = kubernetes_parts(&["busybox:1.36"]).await?;
    let configuration = parts.places.configuration()?;
    told(&configuration, async |site: &mut Site| story(site, &parts.places).await).await
}

fn is_wanted(test: &str) -> bool {
    if !docker_is_wanted(test) {
        return false;
    }
    if moto::program().is_none() {
        skip::note(test, "moto; run: cargo xtask setup");
        return false;
    }
    true
}

async fn told(configuration: &str, story: impl AsyncFnOnce(&mut Site) -> Result<()>) -> Result<()> {
    let mut site = Site::start(configuration).await?;
    let ended = story(&mut site).await;
    site.daemon.show_log_of_failure(&ended);
    ended
}

impl Site {
    async fn start(configuration: &str) -> Result<Self> {
        let cloud = Cloud::start().await?;
        let daemon = Daemon::start(&format!("[limits]\nlook_when_idle_ms = 1000\n{configuration}")).await?;
        let demo = DemoCluster::new(daemon.cli().clone(), LIMIT);
        let site = Self { daemon, cloud, demo };
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

    pub async fn no_containers_are_left(&self) -> Result<()> {
        self.demo.until("the machines are gone", async || Ok(self.cloud.containers().await?.is_empty())).await
    }
}
