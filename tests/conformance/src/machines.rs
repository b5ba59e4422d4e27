//! How an owner lays hands on his machines past Muster, at each infrastructure.

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use muster_client::protocol::model::host::HostInfo;
use muster_tests::ec2::cloud::Cloud;
use muster_tests::images::docker::docker;
use muster_tests_hosts::lab::Lab;

/// Where the machines of a stage are.
#[derive(Clone)]
pub enum Machines {
    /// In the simulated twin: nobody can lay hands on them.
    Simulated,
    /// Containers of this host's Docker Engine, by the id that the driver tells.
    Containers,
    /// Instances at a small EC2.
    Cloud(Arc<Cloud>),
    /// Hosts of a lab, by their address.
    Lab(Arc<Lab>),
}

impl Machines {
    /// The container that plays this machine.
    ///
    /// # Errors
    /// If there is none.
    pub async fn container(&self, host: &HostInfo) -> Result<String> {
        match self {
            Self::Simulated => bail!("{} is simulated", host.name),
            Self::Containers => Ok(provider_id(host)?.to_owned()),
            Self::Cloud(cloud) => cloud.container_of(provider_id(host)?).await,
            Self::Lab(lab) => {
                let found = lab.hosts().iter().find(|one| Some(&one.address) == host.address.as_ref());
                Ok(found.with_context(|| format!("{} is no host of the lab", host.name))?.container.clone())
            }
        }
    }

    /// Takes a machine away, as a fire would.
    ///
    /// # Errors
    /// If it is not there.
    pub async fn lose(&self, host: &HostInfo) -> Result<()> {
        match self {
            Self::Cloud(cloud) => cloud.terminate(provider_id(host)?).await,
            Self::Lab(_) => bail!("{} would be waited for, and the other cases need it", host.name),
            Self::Simulated | Self::Containers => {
                docker(&["rm", "--force", "--volumes", &self.container(host).await?]).await.map(drop)
            }
        }
    }

    /// Switches a machine off.
    ///
    /// # Errors
    /// If it is not there.
    pub async fn stop(&self, host: &HostInfo) -> Result<()> {
        match self {
            Self::Cloud(cloud) => cloud.stop(provider_id(host)?).await,
            Self::Simulated | Self::Containers | Self::Lab(_) => {
                docker(&["stop", "--time", "5", &self.container(host).await?]).await.map(drop)
            }
        }
    }

    /// Switches a machine on that only its owner can switch on.
    ///
    /// # Errors
    /// If it is not there.
    pub async fn start_if_nobody_else_can(&self, host: &HostInfo) -> Result<()> {
        match self {
            Self::Lab(_) => docker(&["start", &self.container(host).await?]).await.map(drop),
            Self::Simulated | Self::Containers | Self::Cloud(_) => Ok(()),
        }
    }
}

fn provider_id(host: &HostInfo) -> Result<&str> {
    host.provider_id.as_deref().with_context(|| format!("{} was not made", host.name))
}
