//! The cluster `demo` of a test's daemon, as a user sees it on the command line.

use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use muster_protocol::model::cluster::ClusterSummary;
use muster_protocol::model::operation::{OperationInfo, OperationPhase};
use muster_protocol::model::service::ServiceInfo;

use crate::cli::Cli;
use crate::images::http;

const POLL: Duration = Duration::from_millis(250);

/// The cluster.
pub struct DemoCluster {
    cli: Cli,
    limit: Duration,
}

impl DemoCluster {
    /// The cluster of this daemon. What is awaited of it may take `limit`.
    pub fn new(cli: Cli, limit: Duration) -> Self {
        Self { cli, limit }
    }

    /// A service of the catalog is made, and answers from outside at this port of the machines.
    ///
    /// # Errors
    /// If it is not made, or does not answer in time.
    pub async fn serves_at(&self, port: u16) -> Result<()> {
        let published = format!("published={port}");
        let template = ["--template", "hello", "--name", "web", "--set", "greeting=Good day", "--set", &published];
        let create = [&["service", "create", "--cluster", "demo"][..], &template, &["--wait"]].concat();
        let created: OperationInfo = self.cli.json(&create).await?;
        ensure!(created.phase == OperationPhase::Succeeded, "{created:#?}");
        self.until("the service answers", async || {
            let info: ServiceInfo = self.cli.json(&["service", "info", "web", "--cluster", "demo"]).await?;
            let Some(endpoint) = info.endpoints.first() else { return Ok(false) };
            let answer = http::get(&format!("{}:{}", endpoint.address, endpoint.published), "/").await;
            Ok(answer.is_ok_and(|(status, body)| status == 200 && body.starts_with("Good day")))
        })
        .await
    }

    /// Whether the cluster is in this phase.
    ///
    /// # Errors
    /// If the daemon does not say.
    pub async fn phase_is(&self, phase: &str) -> Result<bool> {
        let clusters = self.clusters().await?;
        Ok(clusters.iter().any(|cluster| cluster.name.as_str() == "demo" && cluster.phase.as_str() == phase))
    }

    /// Whether the daemon knows any cluster.
    ///
    /// # Errors
    /// If the daemon does not say.
    pub async fn is_known(&self) -> Result<bool> {
        Ok(!self.clusters().await?.is_empty())
    }

    async fn clusters(&self) -> Result<Vec<ClusterSummary>> {
        self.cli.json(&["cluster", "list"]).await
    }

    /// Asks until it is so.
    ///
    /// # Errors
    /// If it is not so in time, with what is known of the cluster then, and if it cannot be asked.
    pub async fn until(&self, what: &str, is_so: impl AsyncFn() -> Result<bool>) -> Result<()> {
        let deadline = Instant::now() + self.limit;
        while !is_so().await? {
            if Instant::now() >= deadline {
                let info = self.cli.run(&["cluster", "info", "demo"]).await?;
                bail!("{what}: not after {} s: {}", self.limit.as_secs(), info.stdout);
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }
}
