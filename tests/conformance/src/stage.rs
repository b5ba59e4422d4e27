//! The daemon and the cluster on which cases are performed.

mod infrastructure;
mod private;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use muster_client::Client;
use muster_client::protocol::Name;
use muster_client::protocol::model::account::AccountSpec;
use muster_client::protocol::model::cluster::{ClusterSpec, Infrastructure, Orchestrator};
use muster_tests::daemon::Daemon;
use muster_tests::images;
use muster_tests::kubernetes::{KubernetesParts, kubernetes_parts};
use muster_tests::registry::{self, Registry, cached_storage};

use crate::machines::Machines;
use crate::world::{World, succeeded};
use private::Private;

/// A daemon with one cluster of one control plane and two workers. Dropping it removes both.
pub struct Stage {
    /// The orchestrator under test.
    pub orchestrator: Orchestrator,
    /// How many cases it takes at once.
    pub at_once: usize,
    /// The infrastructure under test.
    pub infrastructure: Infrastructure,
    machines: Machines,
    account: Option<AccountSpec>,
    account_beside: Option<AccountSpec>,
    cluster: Name,
    image: String,
    patience: Duration,
    client: Client,
    daemon: Daemon,
    private: Option<Private>,
    _parts: Parts,
}

/// What machines pull from. Ends with the stage, behind the daemon.
#[expect(dead_code, reason = "held until the end of the stage")]
enum Parts {
    None,
    Registry(Registry),
    Kubernetes(Box<KubernetesParts>),
}

/// The one image that all cases run.
const IMAGE: &str = "busybox:1.36";

const LIMITS: &str = "[limits]\nlook_when_idle_ms = 1000\n";

impl Stage {
    /// The stage of an orchestrator.
    ///
    /// # Errors
    /// If there is none, or it cannot be set up.
    pub async fn of(orchestrator: Orchestrator) -> Result<Self> {
        match orchestrator {
            Orchestrator::Sim => Self::sim().await,
            Orchestrator::Swarm => Self::swarm().await,
            Orchestrator::Kubernetes => Self::kubernetes().await,
            Orchestrator::Mesos | Orchestrator::Unknown(_) => bail!("there is no stage for `{orchestrator}`"),
        }
    }

    /// The simulated twin: quick, and needs nothing.
    ///
    /// # Errors
    /// If the daemon does not start, or the cluster does not become ready.
    pub async fn sim() -> Result<Self> {
        let configuration =
            "[sim]\nrollout_ms = 50\nstep_ms = 1000\n[limits]\nlook_when_busy_ms = 50\nlook_when_idle_ms = 200\n";
        let stage = Self {
            at_once: 16,
            image: IMAGE.to_owned(),
            patience: Duration::from_secs(30),
            ..Self::with(Daemon::start(configuration).await?).await?
        };
        stage.make_cluster().await
    }

    /// A real Swarm on machines of this host.
    ///
    /// # Errors
    /// If the registry or the daemon does not start, or the cluster does not become ready.
    pub async fn swarm() -> Result<Self> {
        Self::swarm_without_cluster().await?.make_cluster().await
    }

    async fn swarm_without_cluster() -> Result<Self> {
        let registry = Registry::start(&cached_storage()?).await?;
        images::ensure(&registry, &[IMAGE]).await?;
        // Named outright, so that an image which is not there is looked for nowhere else.
        let address = format!("{}:{}", registry::host_address()?, registry.port());
        let private = Private::start().await?;
        let registries = [&[address.as_str()], &private.registries()[..]].concat();
        let configuration =
            format!("{LIMITS}[preparation]\ninsecure_registries = {registries:?}\n{}", private.configuration());
        Ok(Self {
            orchestrator: Orchestrator::Swarm,
            infrastructure: Infrastructure::Local,
            machines: Machines::Containers,
            at_once: 5,
            image: format!("{address}/library/{IMAGE}"),
            patience: Duration::from_secs(60),
            private: Some(private),
            _parts: Parts::Registry(registry),
            ..Self::with(Daemon::start(&configuration).await?).await?
        })
    }

    /// A real Kubernetes on machines of this host.
    ///
    /// # Errors
    /// As [`Stage::swarm`].
    pub async fn kubernetes() -> Result<Self> {
        let parts = kubernetes_parts(&[IMAGE]).await?;
        let private = Private::start().await?;
        let places = parts.places.configuration_beside(&private.registries())?;
        let configuration = format!("{LIMITS}{places}{}", private.configuration());
        let stage = Self {
            orchestrator: Orchestrator::Kubernetes,
            infrastructure: Infrastructure::Local,
            machines: Machines::Containers,
            at_once: 5,
            image: format!("{}/library/{IMAGE}", parts.places.registry),
            patience: Duration::from_secs(90),
            private: Some(private),
            _parts: Parts::Kubernetes(Box::new(parts)),
            ..Self::with(Daemon::start(&configuration).await?).await?
        };
        stage.make_cluster().await
    }

    async fn with(daemon: Daemon) -> Result<Self> {
        let client = Client::connect(daemon.socket()).await?;
        Ok(Self {
            orchestrator: Orchestrator::Sim,
            infrastructure: Infrastructure::Sim,
            machines: Machines::Simulated,
            account: None,
            account_beside: None,
            at_once: 1,
            cluster: "conformance".parse().context("cannot name the cluster")?,
            image: String::new(),
            patience: Duration::from_secs(30),
            client,
            daemon,
            private: None,
            _parts: Parts::None,
        })
    }

    async fn make_cluster(self) -> Result<Self> {
        let spec = ClusterSpec {
            workers: 2,
            labels: [("purpose".to_owned(), "conformance".to_owned())].into(),
            account: self.account.as_ref().map(|account| account.name.clone()),
            ..ClusterSpec::new(self.cluster.clone(), self.orchestrator, self.infrastructure)
        };
        let made = async {
            for account in self.account.iter().chain(&self.account_beside) {
                self.client.account_add(account.clone()).await?;
            }
            let asked = self.client.cluster_create(spec, None).await?;
            succeeded(self.client.wait(asked.id).await?)
        };
        let made = made.await;
        self.daemon.show_log_of_failure(&made);
        made?;
        Ok(self)
    }

    /// What a case of this number sees of it.
    pub fn world(&self, number: u16, made: Arc<Mutex<BTreeSet<Name>>>) -> World {
        World {
            client: self.client.clone(),
            cluster: self.cluster.clone(),
            orchestrator: self.orchestrator,
            infrastructure: self.infrastructure,
            machines: self.machines.clone(),
            account_beside: self.account_beside.clone(),
            image: self.image.clone(),
            behind_login: self.private.as_ref().map(|private| private.image(IMAGE)),
            without_login: self.private.as_ref().map(|private| private.image_without_login(IMAGE)),
            patience: self.patience,
            number,
            made,
        }
    }
}
