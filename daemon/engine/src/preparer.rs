//! Machine preparation: from a plain host reachable by SSH to one on which the orchestrator can be formed or joined.

use async_trait::async_trait;
use muster_protocol::model::cluster::ClusterSpec;
use muster_protocol::model::host::Role;
use muster_protocol::{Error, Name};

use crate::context::{ClusterContext, Material};
use crate::failure::Failure;
use crate::ledger::{MachineAccess, StepRun};
use crate::options::KnownOption;
use crate::recipe::{Peer, Recipes};

/// Prepares machines for one orchestrator.
#[async_trait]
pub trait Preparer: Recipes {
    /// Refuses a cluster whose machines cannot be prepared as it asks, by the field; pure.
    fn validate(&self, spec: &ClusterSpec) -> Result<(), Error>;

    /// The options that this orchestrator knows.
    fn options(&self) -> &'static [KnownOption] {
        &[]
    }

    /// Whether a new cluster's machines could be given what it asks for: asks the places that it names, and changes nothing.
    /// `machine_networks` are the networks (`10.0.0.0/16`) that the machines may be in, as far as that is known before.
    async fn preflight(&self, _spec: &ClusterSpec, _machine_networks: &[String]) -> Result<(), Error> {
        Ok(())
    }

    /// Keys and certificates for a new cluster.
    fn material(&self, spec: &ClusterSpec) -> Result<Material, Failure>;

    /// Whether a machine that was prepared with other keys and certificates of its cluster can be prepared again with new
    /// ones: those that it has were lost with the store.
    fn takes_keys_anew(&self) -> bool {
        false
    }

    /// Performs a step on a machine, or finds it there by its number and waits for its end. A step of a higher number never
    /// begins before an earlier one has ended. A failure that was certainly not applied means that the step is over; after
    /// any other it may be running.
    async fn perform(&self, cluster: &ClusterContext, order: &StepOrder) -> Result<(), Failure>;
}

/// The order for one step on one machine.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StepOrder {
    /// Which machine.
    pub machine: Name,
    /// What it is for.
    pub role: Role,
    /// How it is reached.
    pub access: MachineAccess,
    /// What is done, and what the machine has then.
    pub run: StepRun,
    /// The cluster's machines that are there, this one among them.
    pub peers: Vec<Peer>,
    /// Where the infrastructure lets all control planes be reached, as `host:port`; none if it does not, and the machines
    /// have to find them by themselves.
    pub endpoint: Option<String>,
    /// The renewal of the cluster's certificates that the machine has then; see [`crate::desired::ClusterRecord::renewal`].
    pub renewal: u64,
}
