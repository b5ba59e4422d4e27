//! The simulated preparation of machines.

use std::collections::BTreeMap;

use async_trait::async_trait;
use muster_protocol::model::cluster::ClusterSpec;
use muster_protocol::model::host::Role;
use muster_protocol::{Error, ErrorCode, Name, SecretString};

use super::faults::CallKind;
use super::state::{Change, Resource, machine_at};
use super::things::Things;
use super::world::SimWorld;
use crate::context::{ClusterContext, Material};
use crate::failure::Failure;
use crate::ledger::{MachineAccess, ResourceKey};
use crate::preparer::Preparer;

/// See the module.
pub(super) struct SimPreparer {
    world: SimWorld,
}

impl SimPreparer {
    pub(super) fn new(world: SimWorld) -> Self {
        Self { world }
    }
}

#[async_trait]
impl Preparer for SimPreparer {
    fn validate(&self, _spec: &ClusterSpec) -> Result<(), Error> {
        Ok(())
    }

    fn material(&self, spec: &ClusterSpec) -> Result<Material, Failure> {
        // Not secret, but kept as if: so the way of secrets is walked too.
        let token = SecretString::new(format!("join-token-of-{}", spec.name));
        Ok(Material(BTreeMap::from([("sim.token".to_owned(), token)])))
    }

    fn recipe(&self, spec: &ClusterSpec) -> String {
        format!("sim-{}", spec.version.as_deref().unwrap_or("1"))
    }

    async fn prepare(
        &self,
        cluster: &ClusterContext,
        machine: &Name,
        _role: Role,
        access: &MachineAccess,
    ) -> Result<(), Failure> {
        let cluster = cluster.cluster;
        let effect = |things: &mut Things| {
            let machine_id = machine_at(access);
            let found = machine_id.and_then(|id| {
                let resource = things.bucket(cluster)?.resources.get(&id)?;
                resource.running.then(|| (id, resource.clone()))
            });
            let Some((id, resource)) = found else {
                let message = format!("{machine} does not answer at {}", access.address);
                return Err(Failure::not_applied(ErrorCode::Unreachable, message));
            };
            things.apply(Change::Resource { cluster, id, now: Some(Resource { prepared: true, ..resource }) });
            Ok(())
        };
        self.world.call(CallKind::Prepare, cluster, Some(&ResourceKey::Machine(machine.clone())), effect).await
    }
}
