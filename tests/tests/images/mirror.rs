//! The registry as a mirror of Docker Hub, asked by a second engine that has nothing but a `daemon.json`.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use muster_tests::images::docker::docker;
use tempfile::TempDir;

use crate::deployment::{LABEL, registry_with, wanted};

/// A Docker Engine of its own, without images and without network.
struct Engine {
    daemon: Child,
    folder: TempDir,
}

impl Engine {
    async fn start(daemon_json: &str) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let path = |name: &str| folder.path().join(name).display().to_string();
        std::fs::write(folder.path().join("daemon.json"), daemon_json)?;
        let daemon = Command::new("dockerd")
            .args(["--config-file", &path("daemon.json"), "--data-root", &path("data"), "--exec-root", &path("exec")])
            .args(["--pidfile", &path("pid"), "--host", &format!("unix://{}", path("socket"))])
            .args(["--bridge", "none", "--iptables=false", "--ip6tables=false"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(folder.path().join("log"))?)
            .spawn()
            .context("cannot start dockerd")?;
        let engine = Self { daemon, folder };
        let deadline = Instant::now() + Duration::from_secs(30);
        while engine.docker(&["version"]).await.is_err() {
            if Instant::now() >= deadline {
                bail!("dockerd does not answer: {}", std::fs::read_to_string(engine.folder.path().join("log"))?);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(engine)
    }

    async fn docker(&self, arguments: &[&str]) -> Result<String> {
        let socket = format!("unix://{}", socket(self.folder.path()));
        docker(&[&["--host", &socket], arguments].concat()).await
    }
}

/// A network, for the address that this host has in it.
struct Network {
    id: String,
    gateway: String,
}

impl Network {
    async fn create(name: &str) -> Result<Self> {
        let id = docker(&["network", "create", "--label", LABEL, name]).await?;
        let mut network = Self { id, gateway: String::new() };
        let format = "{{(index .IPAM.Config 0).Gateway}}";
        network.gateway = docker(&["network", "inspect", &network.id, "--format", format]).await?;
        Ok(network)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        let _ = Command::new("docker").args(["network", "rm", &self.id]).output();
    }
}

fn socket(folder: &Path) -> String {
    folder.join("socket").display().to_string()
}

impl Drop for Engine {
    fn drop(&mut self) {
        // Asked to end, it takes its containerd with it and unmounts what it mounted.
        let _ = Command::new("kill").arg(self.daemon.id().to_string()).status();
        let _ = self.daemon.wait();
    }
}

#[tokio::test]
async fn an_engine_pulls_official_names_from_the_registry_by_its_daemon_json() -> Result<()> {
    if !wanted("an_engine_pulls_official_names_from_the_registry_by_its_daemon_json") {
        return Ok(());
    }
    let registry = registry_with(&["busybox:1.36"]).await?;
    // Not loopback, where plain HTTP would be allowed anyway: as machines on a network reach this host.
    let network = Network::create("muster-test-mirror").await?;
    let engine = Engine::start(&registry.daemon_json(&network.gateway)).await?;
    engine.docker(&["pull", "--quiet", "busybox:1.36"]).await?;
    let names = engine.docker(&["image", "ls", "--format", "{{.Repository}}:{{.Tag}}"]).await?;
    assert_eq!(names, "busybox:1.36");
    let direct = format!("{}:{}/library/busybox:1.36", network.gateway, registry.port());
    engine.docker(&["pull", "--quiet", &direct]).await?;
    Ok(())
}
