//! The registry as a mirror of Docker Hub, asked by another engine that has nothing but a `daemon.json`.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use muster_tests::images::docker::docker;
use muster_tests::skip::docker_is_wanted;

use crate::deployment::{LABEL, registry_with};

/// A Docker Engine in a container, without images.
struct Engine {
    container: String,
}

impl Engine {
    /// As little of a machine as it takes to pull. Never an engine beside the host's own: a second one in the same network
    /// namespace takes the first one's bridge `docker0` for a leftover and removes it.
    async fn start(network: &Network, daemon_json: &str) -> Result<Self> {
        let script = format!(
            "mkdir -p /etc/docker && echo '{daemon_json}' > /etc/docker/daemon.json && \
             exec dockerd --bridge none --iptables=false"
        );
        let arguments = [
            &["run", "--detach", "--label", LABEL, "--network", &network.id][..],
            &["--cap-add", "SYS_ADMIN", "--cap-add", "NET_ADMIN"],
            &["--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined"],
            &["--tmpfs", "/run", "--volume", "/var/lib/docker"],
            &["--entrypoint", "sh", "muster/machine:bookworm", "-c", &script],
        ];
        let engine = Self { container: docker(&arguments.concat()).await? };
        let deadline = Instant::now() + Duration::from_secs(120);
        while engine.docker(&["version"]).await.is_err() {
            if Instant::now() >= deadline {
                bail!("dockerd does not answer: {}", docker(&["logs", "--tail", "20", &engine.container]).await?);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(engine)
    }

    /// The docker command line inside.
    async fn docker(&self, arguments: &[&str]) -> Result<String> {
        docker(&[&["exec", &self.container, "docker"], arguments].concat()).await
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let _ = Command::new("docker").args(["rm", "-fv", &self.container]).output();
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

#[tokio::test]
async fn an_engine_pulls_official_names_from_the_registry_by_its_daemon_json() -> Result<()> {
    if !docker_is_wanted("an_engine_pulls_official_names_from_the_registry_by_its_daemon_json") {
        return Ok(());
    }
    let registry = registry_with(&["busybox:1.36"]).await?;
    // Not loopback, where plain HTTP would be allowed anyway: as machines on a network reach this host.
    let network = Network::create(&format!("muster-test-mirror-{}", std::process::id())).await?;
    let engine = Engine::start(&network, &registry.daemon_json(&network.gateway)).await?;
    engine.docker(&["pull", "--quiet", "busybox:1.36"]).await.context("not by its official name")?;
    let names = engine.docker(&["image", "ls", "--format", "{{.Repository}}:{{.Tag}}"]).await?;
    assert_eq!(names, "busybox:1.36");
    let direct = format!("{}:{}/library/busybox:1.36", network.gateway, registry.port());
    engine.docker(&["pull", "--quiet", &direct]).await?;
    Ok(())
}
