//! A small EC2 whose instances boot: moto, a proxy before it, and a hypervisor behind it.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, Result};

use super::hypervisor::Hypervisor;
use super::{Moto, Proxy, REGION};
use crate::machine_container::neighbour;

/// An EC2 that ends with this value, with all machines.
pub struct Cloud {
    /// The API's server.
    pub moto: Arc<Moto>,
    /// What stands before the API.
    pub proxy: Arc<Proxy>,
    hypervisor: Hypervisor,
    image: String,
}

impl Cloud {
    /// Starts one with an image of Debian.
    ///
    /// # Errors
    /// If moto is not installed or does not answer, or Docker refuses.
    pub async fn start() -> Result<Self> {
        let moto = Arc::new(Moto::start().await?);
        let proxy = Arc::new(Proxy::start(&moto).await?);
        let image = moto.register_image("debian-12-amd64-20260101-1").await?;
        let hypervisor = Hypervisor::start(Arc::clone(&moto), Arc::clone(&proxy)).await?;
        Ok(Self { moto, proxy, hypervisor, image })
    }

    /// Where an account finds it.
    pub fn endpoint(&self) -> String {
        self.proxy.endpoint()
    }

    /// What an account has to say of it for clusters beside those of the first account: all machines are in one network here,
    /// where those of EC2 are apart.
    pub fn defaults_beside(&self) -> BTreeMap<String, String> {
        let mut defaults = self.defaults();
        defaults.extend(neighbour(self.hypervisor.vpc_cidr()).map(|cidr| ("vpcCidr".to_owned(), cidr)));
        defaults
    }

    /// What an account has to say of it for its clusters.
    pub fn defaults(&self) -> BTreeMap<String, String> {
        let gateway = format!("{}/32", self.hypervisor.gateway());
        [
            ("region", REGION),
            ("imageId", &self.image),
            ("vpcCidr", self.hypervisor.vpc_cidr()),
            ("allowedCidrs", &gateway),
            ("sshUser", "root"),
            ("connect", "private"),
            ("listingLagSeconds", "2"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
    }

    /// The containers that stand for instances and load balancers.
    ///
    /// # Errors
    /// If Docker refuses.
    pub async fn containers(&self) -> Result<Vec<String>> {
        let (instances, balancers) = (self.hypervisor.containers().await?, self.hypervisor.balancers().await?);
        Ok(instances.into_values().chain(balancers.into_values()).collect())
    }

    /// The only load balancer's container.
    ///
    /// # Errors
    /// If Docker refuses, or there is none.
    pub async fn balancer(&self) -> Result<String> {
        let found = self.hypervisor.balancers().await?.into_values().next();
        found.context("there is no load balancer")
    }

    /// The container that stands for an instance.
    ///
    /// # Errors
    /// If there is none.
    pub async fn container_of(&self, instance: &str) -> Result<String> {
        let found = self.hypervisor.containers().await?.remove(instance);
        found.with_context(|| format!("{instance} has no machine"))
    }

    /// Ends an instance, as its owner can in the console.
    ///
    /// # Errors
    /// If moto refuses.
    pub async fn terminate(&self, instance: &str) -> Result<()> {
        self.moto.call(&[("Action", "TerminateInstances"), ("InstanceId.1", instance)]).await.map(drop)
    }

    /// Stops an instance, as its owner can in the console.
    ///
    /// # Errors
    /// If moto refuses.
    pub async fn stop(&self, instance: &str) -> Result<()> {
        self.moto.call(&[("Action", "StopInstances"), ("InstanceId.1", instance)]).await.map(drop)
    }
}
