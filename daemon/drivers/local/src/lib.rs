//! Machines on the local Docker Engine: systemd containers that behave like small cloud VMs.
//!
//! Every cluster has a bridge network with a subnet of its own; every machine has a fixed address in it, so that it comes
//! back where it was after a stop. Networks, containers and volumes carry the owner marks from the call that makes them,
//! and everything that is listed or removed is found by those marks.

mod address;
mod capabilities;
mod check;
mod docker_error;
mod host_limits;
mod kernel;
mod keys;
mod machine;
mod mark;
mod network;
mod owned;
mod parameters;
mod power;
mod rekey;
mod reservations;
mod turns;

use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use async_trait::async_trait;
use bollard::{API_DEFAULT_VERSION, Docker};
use muster_engine::context::ClusterContext;
use muster_engine::desired::Desired;
use muster_engine::driver::{Driver, InfraOrder, Marked, Need, Needs, Owned, Promised, network_and_machines};
use muster_engine::failure::Failure;
use muster_engine::ledger::{InfraKey, InfraKind, Present};
use muster_engine::observed::ObservedResource;
use muster_protocol::model::account::Finding;
use muster_protocol::model::cluster::ClusterSpec;
use muster_protocol::{ClusterId, ErrorCode, InstanceId};

use crate::address::POOL;
use crate::docker_error::failure;
use crate::reservations::Reservations;
use crate::turns::Turns;

/// The image of a machine that has its Docker Engine installed already.
pub const MACHINE_IMAGE: &str = "muster/machine:bookworm";
/// The image of a plain machine, as a cloud would give it: the recipes install everything.
pub const PLAIN_IMAGE: &str = "muster/machine-plain:bookworm";

/// What a cluster's machines stand on: a network of the Docker Engine.
pub const NETWORK: InfraKind = InfraKind::new("network");

/// How long the engine may work on a creation before it lists what it made: well under a second on an idle host.
const CREATION_LIMIT: Duration = Duration::from_secs(10);

/// Where the Docker Engine is and what machines are made from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LocalOptions {
    /// The Docker Engine's Unix socket.
    pub docker_socket: PathBuf,
    /// The image of machines whose shape names none; without it, Muster's own.
    pub image: Option<String>,
    /// Whether Muster's own image is the plain one, so that recipes really install.
    pub plain: bool,
    /// How long the Docker Engine may take to answer one request.
    pub request_limit: Duration,
}

impl Default for LocalOptions {
    fn default() -> Self {
        Self {
            docker_socket: PathBuf::from("/var/run/docker.sock"),
            image: None,
            plain: false,
            request_limit: Duration::from_secs(120),
        }
    }
}

/// The driver for machines on the local Docker Engine.
pub struct LocalDriver {
    options: LocalOptions,
    docker: OnceLock<Docker>,
    reservations: Reservations,
    turns: Turns,
}

impl LocalDriver {
    /// A driver with these options. Nothing is asked yet: the engine may not even run.
    pub fn new(options: LocalOptions) -> Self {
        Self { options, docker: OnceLock::new(), reservations: Reservations::default(), turns: Turns::default() }
    }

    /// The client; made at the first use, because that fails as long as the socket is not there.
    fn docker(&self) -> Result<&Docker, Failure> {
        if let Some(docker) = self.docker.get() {
            return Ok(docker);
        }
        let socket = self.options.docker_socket.to_string_lossy();
        let seconds = whole_seconds(self.options.request_limit);
        let docker = Docker::connect_with_unix(&socket, seconds, API_DEFAULT_VERSION)
            .map_err(|error| failure("connect to the Docker Engine", error))?;
        Ok(self.docker.get_or_init(|| docker))
    }

    fn image<'a>(&'a self, asked: Option<&'a str>) -> &'a str {
        let own = if self.options.plain { PLAIN_IMAGE } else { MACHINE_IMAGE };
        asked.or(self.options.image.as_deref()).unwrap_or(own)
    }
}

impl Needs for LocalDriver {
    fn needs(&self, desired: &Desired) -> Vec<Need> {
        network_and_machines(NETWORK, desired)
    }
}

#[async_trait]
impl Driver for LocalDriver {
    /// The engine takes a container's name at once but lists it when its file system and volumes are made,
    /// and goes on with that when nobody waits for the answer any more.
    fn listing_lag(&self) -> Duration {
        CREATION_LIMIT
    }

    fn machine_networks(&self) -> Vec<String> {
        vec![POOL.to_string()]
    }

    async fn check(&self) -> Vec<Finding> {
        self.findings().await
    }

    async fn preflight(&self, spec: &ClusterSpec, _promised: Promised<'_>) -> Result<(), Failure> {
        self.refuse_what_cannot_be(spec).await
    }

    async fn create(&self, cluster: &ClusterContext, order: &InfraOrder) -> Result<Present, Failure> {
        match &order.machine {
            Some(machine) => self.create_machine(cluster, &machine.name, &machine.shape).await,
            None if is_network(&order.key) => self.create_network(cluster).await,
            None => Err(not_ours(&order.key)),
        }
    }

    async fn look_up(&self, cluster: &ClusterContext, key: &InfraKey) -> Result<Option<Present>, Failure> {
        match key.machine() {
            Some(machine) => self.look_up_machine(cluster, machine).await,
            None if is_network(key) => self.look_up_network(cluster).await,
            None => Err(not_ours(key)),
        }
    }

    async fn start(&self, cluster: &ClusterContext, key: &InfraKey, _id: &str) -> Result<Present, Failure> {
        match key.machine() {
            Some(machine) => self.start_machine(cluster, machine).await,
            None => Err(not_ours(key)),
        }
    }

    /// Removes by marks, not by id: whatever carries the key's marks goes, also what a broken-off creation left.
    async fn remove(&self, cluster: &ClusterContext, key: &InfraKey, _id: &str) -> Result<(), Failure> {
        match key.machine() {
            Some(machine) => self.remove_machine(cluster, machine).await,
            None if is_network(key) => self.remove_network(cluster).await,
            None => Err(not_ours(key)),
        }
    }

    async fn observe(&self, cluster: &ClusterContext) -> Result<Vec<ObservedResource>, Failure> {
        self.observe_machines(cluster).await
    }

    async fn list_owned(&self, instance: InstanceId, cluster: Option<ClusterId>) -> Result<Vec<Owned>, Failure> {
        self.everything_owned(instance, cluster).await
    }

    async fn list_marked(&self) -> Result<Vec<Marked>, Failure> {
        self.everything_marked(&mark::filter_of_anybody()).await
    }

    /// The engine puts files into machines and runs commands there, whatever their keys are.
    fn gives_keys_anew(&self) -> bool {
        true
    }
}

/// As the client of the Docker Engine counts: rounded up, since no second at all would end every request at once.
fn whole_seconds(limit: Duration) -> u64 {
    limit.as_secs() + u64::from(limit.subsec_nanos() > 0)
}

fn is_network(key: &InfraKey) -> bool {
    *key == InfraKey::only(NETWORK)
}

fn not_ours(key: &InfraKey) -> Failure {
    Failure::not_applied(ErrorCode::Internal, format!("`{key}` is nothing that machines on this host have")).permanent()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_second_counts_as_a_whole_one() {
        let seconds = |milliseconds| whole_seconds(Duration::from_millis(milliseconds));
        assert_eq!([seconds(1), seconds(1_000), seconds(1_500)], [1, 1, 2]);
    }
}
