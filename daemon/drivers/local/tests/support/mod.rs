//! One throw-away cluster on the real Docker Engine a test, removed by its marks whatever happens.

#![allow(dead_code, reason = "not every test file uses everything")]

pub mod guest;
pub mod proxy;
#[path = "../../../../../tests/src/skip.rs"]
mod skip;

use std::future::Future;
use std::sync::Arc;

use muster_driver_local::{LocalDriver, LocalOptions, NETWORK};
use muster_engine::context::ClusterContext;
use muster_engine::driver::{Driver, InfraOrder, MachineOrder};
use muster_engine::ledger::{Facts, InfraKey, MachineAccess, Present, ResourceKey};
use muster_engine::observed::Power;
use muster_protocol::model::cluster::{ClusterSpec, Infrastructure, MachineShape, Orchestrator};
use muster_protocol::model::host::Role;
use muster_protocol::{ClusterId, InstanceId, Name};
use muster_provision::material;
use muster_provision::ssh::Session;

/// A cluster that only this test knows.
#[derive(Clone)]
pub struct Lab {
    pub driver: Arc<LocalDriver>,
    pub cluster: ClusterContext,
}

/// Runs a test on a new cluster and leaves nothing behind. Without Docker the test says that it was skipped.
pub async fn with_cluster<T: Future<Output = ()> + Send + 'static>(
    test: &str,
    plain: bool,
    body: impl FnOnce(Lab) -> T,
) {
    if !skip::docker_is_wanted(test) {
        return;
    }
    let spec = ClusterSpec::new(name("lab"), Orchestrator::Swarm, Infrastructure::Local);
    let cluster = ClusterContext {
        instance: InstanceId::generate(),
        cluster: ClusterId::generate(),
        material: material::create(&spec.name).unwrap(),
        spec,
    };
    let driver = Arc::new(LocalDriver::new(LocalOptions { plain, ..LocalOptions::default() }));
    let lab = Lab { driver, cluster };

    let ended = tokio::spawn(body(lab.clone())).await;
    lab.remove_everything().await;
    if let Err(error) = ended {
        std::panic::resume_unwind(error.into_panic());
    }
}

impl Lab {
    pub async fn create_network(&self) -> Present {
        self.driver.create(&self.cluster, &self.order(network())).await.unwrap()
    }

    pub async fn create_machine(&self, machine: &str) -> Present {
        self.driver.create(&self.cluster, &self.order(key(machine))).await.unwrap()
    }

    pub fn order(&self, key: InfraKey) -> InfraOrder {
        let shape = MachineShape::default();
        let machine = key.machine().map(|name| MachineOrder { name: name.clone(), role: Role::Worker, shape });
        InfraOrder { key, machine, present: None, known: Default::default(), attempt: 1 }
    }

    pub async fn powers(&self) -> Vec<(String, Power)> {
        let observed = self.driver.observe(&self.cluster).await.unwrap();
        let mut powers: Vec<_> =
            observed.into_iter().map(|seen| (seen.key.machine().unwrap().to_string(), seen.power.unwrap())).collect();
        powers.sort_by(|one, other| one.0.cmp(&other.0));
        powers
    }

    pub async fn log_in(&self, access: &MachineAccess) -> Session {
        let key = self.cluster.material.get(material::SSH_KEY).unwrap();
        Session::open(access, key, std::time::Duration::from_secs(60)).await.unwrap()
    }

    async fn remove_everything(&self) {
        let list = || self.driver.list_owned(self.cluster.instance, None);
        let mut owned = list().await.unwrap();
        // Machines before the network that they are in.
        owned.sort_by_key(|owned| owned.key == Some(ResourceKey::Infra(network())));
        for owned in owned {
            self.driver.remove(&self.cluster, owned.key.unwrap().infra().unwrap(), &owned.present.id).await.unwrap();
        }
        assert_eq!(list().await.unwrap(), []);
    }
}

pub fn name(text: &str) -> Name {
    text.parse().unwrap()
}

pub fn key(machine: &str) -> InfraKey {
    InfraKey::for_machine(name(machine))
}

pub fn network() -> InfraKey {
    InfraKey::only(NETWORK)
}

pub fn access(present: &Present) -> MachineAccess {
    match &present.facts {
        Facts::Machine(access) => access.clone(),
        Facts::None | Facts::Service { .. } | Facts::Other(_) => panic!("{present:?} is no machine"),
    }
}
