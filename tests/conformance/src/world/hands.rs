//! What somebody does to the cluster by hand, past Muster: on its machines, with the orchestrator's own tools.

use anyhow::{Context, Result, bail};
use muster_client::protocol::Name;
use muster_client::protocol::model::cluster::Orchestrator;
use muster_client::protocol::model::host::HostInfo;
use muster_tests::images::docker::docker;

use super::World;

/// Where the tools of the orchestrator are.
const CONTROL_PLANE: &str = "control-plane-1";
const KUBECTL: [&str; 3] = ["kubectl", "--kubeconfig", "/etc/kubernetes/admin.conf"];

impl World {
    /// A machine of the cluster.
    ///
    /// # Errors
    /// If there is none of this name.
    pub async fn host(&self, name: &str) -> Result<HostInfo> {
        let found = self.hosts().await?.into_iter().find(|host| host.name.as_str() == name);
        found.with_context(|| format!("there is no {name}"))
    }

    /// Runs a command on a machine.
    ///
    /// # Errors
    /// If it fails.
    pub async fn on_machine(&self, name: &str, command: &[&str]) -> Result<String> {
        let container = self.machines.container(&self.host(name).await?).await?;
        docker(&[&["exec", container.as_str()], command].concat()).await
    }

    /// Takes a machine away, as a fire would.
    ///
    /// # Errors
    /// If it is not there.
    pub async fn lose_machine(&self, name: &str) -> Result<()> {
        self.machines.lose(&self.host(name).await?).await
    }

    /// Switches a machine off.
    ///
    /// # Errors
    /// If it is not there.
    pub async fn stop_machine(&self, name: &str) -> Result<()> {
        self.machines.stop(&self.host(name).await?).await
    }

    /// Switches a machine on that only its owner can switch on.
    ///
    /// # Errors
    /// If it is not there.
    pub async fn start_machine_as_its_owner(&self, name: &str) -> Result<()> {
        self.machines.start_if_nobody_else_can(&self.host(name).await?).await
    }

    /// Whether a machine runs and has come up.
    ///
    /// # Errors
    /// If it was not made.
    pub async fn machine_is_up(&self, name: &str) -> Result<bool> {
        let container = self.machines.container(&self.host(name).await?).await?;
        // It fails while the machine is off, and while something is still being started.
        Ok(docker(&["exec", &container, "systemctl", "is-system-running"]).await.is_ok())
    }

    /// Takes a machine's node off the list with the orchestrator's own tool.
    ///
    /// # Errors
    /// If the tool fails.
    pub async fn strike_off_by_hand(&self, machine: &str) -> Result<()> {
        let node = self.host(machine).await?.node_id.with_context(|| format!("{machine} is no node"))?;
        match self.orchestrator {
            Orchestrator::Swarm => self.tool(&["docker", "node", "rm", "--force", &node]).await,
            Orchestrator::Kubernetes => {
                self.tool(&[&KUBECTL[..], &["delete", "node", machine, "--wait=false"]].concat()).await
            }
            Orchestrator::Mesos | Orchestrator::Sim | Orchestrator::Unknown(_) => self.no_tool(),
        }
    }

    /// Removes a service with the orchestrator's own tool.
    ///
    /// # Errors
    /// If the tool fails.
    pub async fn remove_service_by_hand(&self, service: &Name) -> Result<()> {
        let name = service.as_str();
        match self.orchestrator {
            Orchestrator::Swarm => self.tool(&["docker", "service", "rm", name]).await,
            Orchestrator::Kubernetes => {
                self.tool(&[&KUBECTL[..], &["--namespace", "muster", "delete", "deployment", name]].concat()).await
            }
            Orchestrator::Mesos | Orchestrator::Sim | Orchestrator::Unknown(_) => self.no_tool(),
        }
    }

    /// Takes copies off a machine and keeps them off, or lets them on it again, with the orchestrator's own tool.
    ///
    /// # Errors
    /// If the tool fails.
    pub async fn keep_off_by_hand(&self, machine: &str, off: bool) -> Result<()> {
        match self.orchestrator {
            Orchestrator::Swarm => {
                let node = self.host(machine).await?.node_id.context("it is no node")?;
                let availability = if off { "drain" } else { "active" };
                self.tool(&["docker", "node", "update", "--availability", availability, &node]).await
            }
            Orchestrator::Kubernetes => {
                // What is no service's stays: nothing else would be left for it on so few machines.
                let empty =
                    ["drain", "--ignore-daemonsets", "--delete-emptydir-data", "--pod-selector=io.muster.service"];
                let command = if off { &empty[..] } else { &["uncordon"] };
                self.tool(&[&KUBECTL[..], command, &[machine]].concat()).await
            }
            Orchestrator::Mesos | Orchestrator::Sim | Orchestrator::Unknown(_) => self.no_tool(),
        }
    }

    /// Takes a machine out of the orchestrator's cluster while it lives.
    ///
    /// # Errors
    /// If the tool fails.
    pub async fn leave_by_hand(&self, machine: &str) -> Result<()> {
        match self.orchestrator {
            Orchestrator::Swarm => self.on_machine(machine, &["docker", "swarm", "leave"]).await.map(drop),
            Orchestrator::Kubernetes => {
                self.tool(&[&KUBECTL[..], &["delete", "node", machine, "--wait=false"]].concat()).await
            }
            Orchestrator::Mesos | Orchestrator::Sim | Orchestrator::Unknown(_) => self.no_tool(),
        }
    }

    async fn tool(&self, command: &[&str]) -> Result<()> {
        self.on_machine(CONTROL_PLANE, command).await.map(drop)
    }

    fn no_tool<T>(&self) -> Result<T> {
        bail!("nobody has a tool for `{}`", self.orchestrator)
    }
}
