//! What the tests of the bridge share.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use muster_tests::bridge::Bridge;
use muster_tests::daemon::Daemon;
use muster_tests::http::Http;
use serde_json::{Value, json};

/// The bridge runs as the user of these tests, who may speak for the holders of tokens.
pub const TRUSTED: &str = "[access]\ntrusted = [\"0\", \"root\"]\n";

/// A daemon with a bridge before it, and a caller for each role.
pub struct World {
    pub admin: Http,
    pub operator: Http,
    pub viewer: Http,
    pub operator_token: String,
    pub bridge: Bridge,
    pub daemon: Daemon,
}

impl World {
    pub async fn start() -> Result<Self> {
        Self::start_with("", "").await
    }

    pub async fn start_with(daemon: &str, bridge: &str) -> Result<Self> {
        let sim = if daemon.is_empty() { "[sim]\nrollout_ms = 20\n" } else { daemon };
        let daemon = Daemon::start(&format!("{sim}{TRUSTED}")).await?;
        let bridge = Bridge::start(&daemon, bridge).await?;
        let operator_token = daemon.token("olga", "operator", &[]).await?;
        let http = bridge.http();
        let operator = http.with_token(&operator_token)?;
        let admin = http.with_token(&daemon.token("ada", "admin", &[]).await?)?;
        let viewer = http.with_token(&daemon.token("vera", "viewer", &[]).await?)?;
        Ok(Self { admin, operator, viewer, operator_token, bridge, daemon })
    }

    /// Until this caller is not known any more, which takes moments.
    pub async fn until_refused(&self, caller: &Http) -> Result<()> {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let answer = caller.get("/v1/whoami").await?;
            if answer.status == 401 {
                answer.problem(401, "unauthenticated")?;
                return Ok(());
            }
            anyhow::ensure!(Instant::now() < deadline, "a revoked token is still known: {}", answer.text());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// A cluster that is ready.
    pub async fn cluster(&self, name: &str, workers: u32) -> Result<Value> {
        let body = json!({"name": name, "orchestrator": "sim", "infrastructure": "sim", "workers": workers});
        self.done("POST", "/v1/orchestrators", Some(body)).await
    }

    /// A service that runs.
    pub async fn service(&self, cluster: &str, name: &str) -> Result<Value> {
        let body = json!({"spec": {"name": name, "image": "web:1", "replicas": 2}});
        self.done("POST", &format!("/v1/orchestrators/{cluster}/services"), Some(body)).await
    }

    /// A change that is made and waited for: its operation.
    pub async fn done(&self, method: &str, path: &str, body: Option<Value>) -> Result<Value> {
        let answer = self.operator.with("prefer", "wait=60")?.send(method, path, body).await?.expect(200)?;
        let operation: Value = answer.json()?;
        let phase = operation["phase"].as_str().context("no phase")?;
        anyhow::ensure!(phase == "succeeded", "{}: {operation}", answer.line);
        Ok(operation)
    }
}

/// The names of the items of a list.
pub fn names(list: &Value) -> Vec<&str> {
    let items = list["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    items.iter().map(|item| item["name"].as_str().or(item["spec"]["name"].as_str()).unwrap_or_default()).collect()
}
