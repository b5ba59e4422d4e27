//! Machine preparation: from a plain host reachable by SSH to one on which the orchestrator can be formed or joined.

use async_trait::async_trait;
use muster_protocol::model::cluster::ClusterSpec;
use muster_protocol::model::host::Role;
use muster_protocol::{Error, Name};

use crate::context::{ClusterContext, Material};
use crate::failure::Failure;
use crate::ledger::MachineAccess;

/// Prepares machines for one orchestrator.
#[async_trait]
pub trait Preparer: Send + Sync {
    /// Refuses a cluster whose machines cannot be prepared as it asks, by the field; pure.
    fn validate(&self, spec: &ClusterSpec) -> Result<(), Error>;

    /// Keys and certificates for a new cluster.
    fn material(&self, spec: &ClusterSpec) -> Result<Material, Failure>;

    /// Names what a prepared machine has. A machine that was prepared under another name is prepared again.
    fn recipe(&self, spec: &ClusterSpec) -> String;

    /// Brings a machine to what [`Preparer::recipe`] names. May be run again at any time, also after it broke off.
    async fn prepare(
        &self,
        cluster: &ClusterContext,
        machine: &Name,
        role: Role,
        access: &MachineAccess,
    ) -> Result<(), Failure>;
}
