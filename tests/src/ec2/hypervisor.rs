//! Boots a machine container for every instance that moto says is running: with the instance's own address and key, and
//! its host key on the instance's console. What is stopped or terminated there is stopped or removed here. Load balancers
//! get containers too: see `balancer.rs` beside this file.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use base64::Engine as _;
use tokio::task::JoinHandle;

use super::account::{self, Instance};
use super::balancer::Balancers;
use super::moto::Moto;
use super::proxy::Proxy;
use super::sshd::console_with;
use crate::images::docker::docker;
use crate::machine_container::{LABEL, MACHINE_IMAGE, MachineContainer, let_in, make_network, remove_all_of};

const POLL: Duration = Duration::from_millis(500);

/// A hypervisor that ends with this value, and everything that it made with it.
pub struct Hypervisor {
    name: String,
    vpc_cidr: String,
    stop: Arc<AtomicBool>,
    task: Option<JoinHandle<()>>,
}

impl Hypervisor {
    /// Starts one: the clusters' VPC has to have the range of [`Hypervisor::vpc_cidr`].
    ///
    /// # Errors
    /// If Docker refuses.
    pub async fn start(moto: Arc<Moto>, proxy: Arc<Proxy>) -> Result<Self> {
        let name = format!("muster-hypervisor-{}-{}", std::process::id(), moto.address().replace([':', '.'], "-"));
        let vpc_cidr = make_network(&name, 215).await?;
        let stop = Arc::new(AtomicBool::new(false));
        let balancers = Balancers::new(&name, &vpc_cidr);
        let worker = Worker { name: name.clone(), moto, proxy, balancers };
        let stopped = Arc::clone(&stop);
        let task = tokio::spawn(async move {
            while !stopped.load(Ordering::Relaxed) {
                if let Err(error) = worker.turn().await {
                    // Told with the test's output; the next turn tries again.
                    let _ = std::io::Write::write_fmt(&mut std::io::stderr(), format_args!("hypervisor: {error:#}\n"));
                }
                tokio::time::sleep(POLL).await;
            }
        });
        Ok(Self { name, vpc_cidr, stop, task: Some(task) })
    }

    /// The range in which instances get their addresses.
    pub fn vpc_cidr(&self) -> &str {
        &self.vpc_cidr
    }

    /// The address at which machines reach this host.
    pub fn gateway(&self) -> String {
        self.vpc_cidr.replace(".0/24", ".1")
    }

    /// The containers that it has now, by their instances.
    ///
    /// # Errors
    /// If Docker refuses.
    pub async fn containers(&self) -> Result<BTreeMap<String, String>> {
        Ok(list(&self.name).await?.into_iter().map(|(instance, container)| (instance, container.id)).collect())
    }

    /// The containers that stand for load balancers, by these.
    ///
    /// # Errors
    /// If Docker refuses.
    pub async fn balancers(&self) -> Result<BTreeMap<String, String>> {
        super::balancer::containers(&self.name).await
    }
}

impl Drop for Hypervisor {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(task) = self.task.take() {
            task.abort();
        }
        remove_all_of(&self.name);
    }
}

struct Worker {
    name: String,
    moto: Arc<Moto>,
    proxy: Arc<Proxy>,
    balancers: Balancers,
}

impl Worker {
    /// Makes containers as instances are.
    async fn turn(&self) -> Result<()> {
        let instances = account::instances(&self.moto).await?;
        let containers = list(&self.name).await?;
        let alive: BTreeSet<&String> = instances.iter().map(|instance| &instance.id).collect();
        for (instance, container) in containers.iter().filter(|(instance, _)| !alive.contains(instance)) {
            docker(&["rm", "-fv", &container.id]).await.with_context(|| format!("cannot remove {instance}"))?;
        }
        // Somebody else's instances have no key pair of Muster's and no container.
        for instance in instances.iter().filter(|instance| instance.tags.contains_key("io.muster.instance")) {
            match (containers.get(&instance.id), instance.state.as_str()) {
                (None, "running") => self.boot(instance).await?,
                (Some(there), "running") if !there.running => {
                    docker(&["start", &there.id]).await?;
                }
                (Some(there), "stopped") if there.running => {
                    docker(&["stop", "-t", "20", &there.id]).await?;
                }
                (_, _) => {}
            }
        }
        self.balancers.follow(account::balancers(&self.moto).await?).await
    }

    async fn boot(&self, instance: &Instance) -> Result<()> {
        let key_name = instance.key_name.as_deref().context("an instance without a key pair")?;
        let encoded = self.proxy.public_key(key_name).with_context(|| format!("nobody imported {key_name}"))?;
        let key = base64::engine::general_purpose::STANDARD.decode(encoded).context("a damaged public key")?;
        let key = String::from_utf8(key).context("a damaged public key")?;
        // As cloud-init does.
        let user_data = account::user_data(&self.moto, &instance.id).await?;
        let host_name = user_data.lines().find_map(|line| line.strip_prefix("hostname: ")).unwrap_or(&instance.id);
        let label = format!("{LABEL}={}", self.name);
        let instance_label = format!("{LABEL}.instance={}", instance.id);
        let name = format!("{}-{}", self.name, instance.id);
        let machine = MachineContainer {
            name: &name,
            host_name,
            network: &self.name,
            address: Some(&instance.private_address),
            labels: &[label, instance_label],
            image: MACHINE_IMAGE,
            with_volumes: true,
        };
        let container = machine.boot().await?;
        let host_key = let_in(&container, &key).await?;
        self.proxy.set_console(&instance.id, &console_with(&host_key));
        Ok(())
    }
}

/// A container that stands for an instance.
struct Container {
    id: String,
    running: bool,
}

async fn list(name: &str) -> Result<BTreeMap<String, Container>> {
    let (filter, kind) = (format!("label={LABEL}={name}"), format!("label={LABEL}.instance"));
    let format = format!("{{{{.ID}}}} {{{{.State}}}} {{{{.Label \"{LABEL}.instance\"}}}}");
    let listed =
        docker(&["ps", "-a", "--no-trunc", "--filter", &filter, "--filter", &kind, "--format", &format]).await?;
    let lines = listed.lines().filter_map(|line| {
        let mut words = line.split(' ');
        let (id, state, instance) = (words.next()?, words.next()?, words.next()?);
        Some((instance.to_owned(), Container { id: id.to_owned(), running: state == "running" }))
    });
    Ok(lines.collect())
}
