//! What a case can do: ask the daemon as any program does, and wait for what it says.

mod expect;
mod hands;
mod inside;
mod services;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use futures::TryStreamExt;
use muster_client::Client;
use muster_client::protocol::Name;
use muster_client::protocol::model::account::AccountSpec;
use muster_client::protocol::model::cluster::{ClusterSpec, Infrastructure, Orchestrator};
use muster_client::protocol::model::host::HostInfo;

use crate::machines::Machines;

pub use expect::{field_of, refused, succeeded};
pub use inside::Said;

const POLL: Duration = Duration::from_millis(50);

/// One case's view of the stage. Its services are its own; the cluster is everybody's.
#[derive(Clone)]
pub struct World {
    /// The way to the daemon.
    pub client: Client,
    /// The cluster that all cases share.
    pub cluster: Name,
    /// What it runs.
    pub orchestrator: Orchestrator,
    /// Where its machines are.
    pub infrastructure: Infrastructure,
    /// How their owner lays hands on them.
    pub machines: Machines,
    /// The account at the infrastructure for what comes beside the shared cluster, if it is one that needs an account.
    pub account_beside: Option<AccountSpec>,
    /// An image with busybox.
    pub image: String,
    /// The same image at a registry that wants a login, which the daemon has.
    pub behind_login: Option<String>,
    /// The same at one for which the daemon has no login.
    pub without_login: Option<String>,
    /// How long anything that is awaited may take.
    pub patience: Duration,
    /// The case's number: the mark of its names and ports.
    pub number: u16,
    /// The services that it has asked for.
    pub made: Arc<Mutex<BTreeSet<Name>>>,
}

impl World {
    /// A name that no other case has.
    ///
    /// # Errors
    /// If it would be too long.
    pub fn name(&self, short: &str) -> Result<Name> {
        format!("{short}-{}", self.number).parse().context("cannot make a name of it")
    }

    /// A port of machines that no other case has: the first, second, third or fourth of this case.
    pub fn host_port(&self, place: u16) -> u16 {
        21_000 + self.number * 4 + place
    }

    /// The same for ports that every machine has; Kubernetes has its own range for these.
    pub fn ingress_port(&self, place: u16) -> u16 {
        30_100 + self.number * 4 + place
    }

    /// What a new cluster like the shared one would be.
    ///
    /// # Errors
    /// If the name would be too long.
    pub fn cluster_like_this(&self, short: &str) -> Result<ClusterSpec> {
        let account = self.account_beside.as_ref().map(|account| account.name.clone());
        Ok(ClusterSpec { account, ..ClusterSpec::new(self.name(short)?, self.orchestrator, self.infrastructure) })
    }

    /// The machines of the cluster.
    ///
    /// # Errors
    /// If the daemon does not say.
    pub async fn hosts(&self) -> Result<Vec<HostInfo>> {
        self.client.hosts(Some(&self.cluster)).try_collect().await.context("cannot list the machines")
    }

    /// Asks again and again until there is an answer that is enough.
    ///
    /// # Errors
    /// If there is none in time, with what was said last.
    pub async fn until<T>(&self, what: &str, mut look: impl AsyncFnMut() -> Result<Option<T>>) -> Result<T> {
        let deadline = Instant::now() + self.patience;
        loop {
            let seen = look().await;
            if let Ok(Some(found)) = seen {
                return Ok(found);
            }
            if Instant::now() >= deadline {
                let waited = format!("not in {} s: {what}", self.patience.as_secs());
                seen.context(waited.clone())?;
                bail!(waited);
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// The case asks for a service of this name, so that it is removed when the case has ended.
    pub fn owns(&self, service: &Name) {
        self.made.lock().unwrap_or_else(PoisonError::into_inner).insert(service.clone());
    }
}
