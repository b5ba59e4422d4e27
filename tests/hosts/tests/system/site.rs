//! A daemon with an account of hosts, and the hosts.

use std::time::Duration;

use anyhow::{Context, Result};
use muster_protocol::model::account::{AccountCheck, Finding};
use muster_tests::cli::Cli;
use muster_tests::daemon::Daemon;
use muster_tests::demo_cluster::DemoCluster;
use muster_tests::images;
use muster_tests::kubernetes::{Mirrors, kubernetes_parts};
use muster_tests::registry::{Registry, cached_storage};
use muster_tests::skip::docker_is_wanted;
use muster_tests_hosts::lab::{Host, Lab};
use tokio::sync::Semaphore;

/// How long anything may take: two engines are installed and removed on a busy host.
const LIMIT: Duration = Duration::from_secs(400);
static PLACES: Semaphore = Semaphore::const_new(1);

/// A daemon and the lab whose hosts it is told of.
pub struct Site {
    pub daemon: Daemon,
    pub lab: Lab,
    pub demo: DemoCluster,
    /// The configuration of its daemon.
    configuration: String,
    _registry: Option<Registry>,
}

/// Tells a story at a new site, if tests with Docker are wanted.
pub async fn at_a_site(test: &str, story: impl AsyncFnOnce(&mut Site) -> Result<()>) -> Result<()> {
    if !docker_is_wanted(test) {
        return Ok(());
    }
    let _place = PLACES.acquire().await.context("no more places")?;
    let registry = Registry::start(&cached_storage()?).await?;
    images::ensure(&registry, &["busybox:1.36"]).await?;
    let port = registry.port();
    let configuration = format!(
        "[limits]\nlook_when_idle_ms = 1000\n[preparation]\nregistry_mirrors = [\"http://{{gateway}}:{port}\"]\n\
         insecure_registries = [\"{{gateway}}:{port}\"]\n"
    );
    let mut site = Site::start(configuration, Some(registry)).await?;
    let ended = story(&mut site).await;
    site.daemon.show_log_of_failure(&ended);
    ended
}

/// The same where the parts of Kubernetes are at hand.
pub async fn with_kubernetes(test: &str, story: impl AsyncFnOnce(&mut Site, &Mirrors) -> Result<()>) -> Result<()> {
    if !docker_is_wanted(test) {
        return Ok(());
    }
    let _place = PLACES.acquire().await.context("no more places")?;
    let parts = kubernetes_parts(&["busybox:1.36"]).await?;
    let places = &parts.places;
    let configuration = format!("[limits]\nlook_when_idle_ms = 1000\n{}", places.configuration()?);
    let mut site = Site::start(configuration, None).await?;
    let ended = story(&mut site, places).await;
    site.daemon.show_log_of_failure(&ended);
    ended
}

impl Site {
    async fn start(configuration: String, registry: Option<Registry>) -> Result<Self> {
        let lab = Lab::start().await?;
        let daemon = Daemon::start(&configuration).await?;
        let demo = DemoCluster::new(daemon.cli().clone(), LIMIT);
        Ok(Self { daemon, lab, demo, configuration, _registry: registry })
    }

    /// Another daemon, of another installation, that is told of the same hosts.
    pub async fn another_daemon(&self, hosts: &[&Host]) -> Result<Daemon> {
        let daemon = Daemon::start(&self.configuration).await?;
        add_account(&daemon, &self.lab, &entries(hosts)).await?;
        Ok(daemon)
    }

    /// Tells the daemon of hosts, each known by its host key's fingerprint.
    pub async fn add_account(&self, hosts: &[&Host]) -> Result<()> {
        add_account(&self.daemon, &self.lab, &entries(hosts)).await
    }

    /// The same with entries as they are.
    pub async fn add_entries(&self, entries: &[String]) -> Result<()> {
        add_account(&self.daemon, &self.lab, entries).await
    }

    pub fn cli(&self) -> &Cli {
        self.daemon.cli()
    }

    /// What `account check` says of a host.
    pub async fn finding(&self, host: &str) -> Result<Finding> {
        finding(&self.daemon, host).await
    }
}

/// What `account check` of a daemon says of a host.
pub async fn finding(daemon: &Daemon, host: &str) -> Result<Finding> {
    // It ends with another code than 0 if anything is wrong.
    let check: AccountCheck = daemon.cli().run(&["account", "check", "lab"]).await?.json()?;
    let subject = format!("host {host}");
    let all = format!("{check:#?}");
    check.findings.into_iter().find(|finding| finding.subject == subject).with_context(|| all)
}

fn entries(hosts: &[&Host]) -> Vec<String> {
    hosts.iter().map(|host| format!("host.{}={},hostKey={}", host.name, host.address, host.fingerprint)).collect()
}

async fn add_account(daemon: &Daemon, lab: &Lab, entries: &[String]) -> Result<()> {
    let key = daemon.folder().join("key");
    std::fs::write(&key, lab.private_key()).context("cannot write the key")?;
    let credential = format!("sshKey={}", key.display());
    let mut line = vec!["account", "add", "lab", "--infrastructure", "hosts", "--credential-file", &credential];
    line.extend(entries.iter().flat_map(|entry| ["--default", entry.as_str()]));
    let _: serde_json::Value = daemon.cli().json(&line).await?;
    Ok(())
}
