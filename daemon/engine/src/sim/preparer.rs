//! The simulated preparation of machines. Its steps are not idempotent: the world notes it if one runs twice.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use muster_protocol::model::cluster::ClusterSpec;
use muster_protocol::model::host::Role;
use muster_protocol::{ClusterId, Error, ErrorCode, SecretString};
use tokio::time::Instant;

use super::audit::Violation;
use super::faults::CallKind;
use super::state::{BegunStep, Change, machine_at};
use super::things::Things;
use super::world::{SimOptions, SimWorld};
use crate::context::{ClusterContext, Material};
use crate::failure::Failure;
use crate::ledger::ResourceKey;
use crate::options::refuse_pool_labels;
use crate::preparer::{Preparer, StepOrder};
use crate::recipe::{MachineStep, Peer, Recipe, Recipes};

/// See the module.
pub(super) struct SimPreparer {
    world: SimWorld,
}

impl SimPreparer {
    pub(super) fn new(world: SimWorld) -> Self {
        Self { world }
    }
}

impl Recipes for SimPreparer {
    fn offered(&self, spec: &ClusterSpec) -> Recipe {
        Recipe { version: spec.version.clone(), revision: "sim-1".to_owned() }
    }

    fn peers(&self, _spec: &ClusterSpec, _role: Role, peers: &[Peer]) -> String {
        if !self.name_peers() {
            return String::new();
        }
        let control_planes = peers.iter().filter(|peer| peer.role == Role::ControlPlane);
        control_planes.map(|peer| peer.private_address.as_str()).collect::<Vec<_>>().join(",")
    }

    fn name_peers(&self) -> bool {
        self.world.options().is_kubeadm
    }
}

/// Numbers with dots between them: strict as real orchestrators are, though there is nothing behind any of them.
fn is_version(text: &str) -> bool {
    text.split('.').all(|part| !part.is_empty() && part.chars().all(|c| c.is_ascii_digit()))
}

#[async_trait]
impl Preparer for SimPreparer {
    fn validate(&self, spec: &ClusterSpec) -> Result<(), Error> {
        if let Some(version) = spec.version.as_ref().filter(|version| !is_version(version)) {
            return Err(Error::invalid("version", format!("`{version}` is no version of the simulated orchestrator"))
                .with_remedy("use a number, for example `2` or `2.1`"));
        }
        refuse_pool_labels(spec)
    }

    fn material(&self, spec: &ClusterSpec) -> Result<Material, Failure> {
        // Not secret, but kept as if: so the way of secrets is walked too.
        let token = SecretString::new(format!("join-token-of-{}", spec.name));
        Ok(Material(BTreeMap::from([("sim.token".to_owned(), token)])))
    }

    fn takes_keys_anew(&self) -> bool {
        true
    }

    async fn perform(&self, cluster: &ClusterContext, order: &StepOrder) -> Result<(), Failure> {
        let (cluster, SimOptions { step: length, is_kubeadm, .. }) = (cluster.cluster, self.world.options());
        let key = ResourceKey::for_machine(order.machine.clone());
        let begin = |things: &mut Things| {
            if is_kubeadm {
                things.note_broken_rule(cluster, order);
            }
            things.begin_or_find_step(cluster, order, length)
        };
        let ends_at = self.world.call(CallKind::Prepare, cluster, Some(&key), begin).await;
        // Whatever kept this call away: a step that was begun before may be running.
        let ends_at = ends_at.map_err(Failure::in_doubt)?;
        tokio::time::sleep_until(ends_at).await;
        Ok(())
    }
}

impl Things {
    /// When the step ends: it is found by its number, or begun now.
    fn begin_or_find_step(
        &mut self,
        cluster: ClusterId,
        order: &StepOrder,
        length: Duration,
    ) -> Result<Instant, Failure> {
        let machine = &order.machine;
        let found = machine_at(&order.access).and_then(|id| {
            let resource = self.bucket(cluster)?.resources.get(&id)?;
            resource.running.then(|| (id, resource.clone()))
        });
        let Some((id, mut resource)) = found else {
            let message = format!("{machine} does not answer at {}", order.access.address);
            return Err(Failure::not_applied(ErrorCode::Unreachable, message));
        };
        if let Some(known) = resource.steps.get(&order.run.run) {
            return Ok(known.ends_at);
        }
        let now = Instant::now();
        let what = format!("{} of {machine} of cluster {cluster}", order.run.step.as_str());
        if resource.steps.values().any(|other| other.ends_at > now) {
            self.note(Violation::Step(format!("{what} began while another step was running")));
        }
        // To go back to an earlier target is no repetition, nor to mend what is broken; to be brought twice to the same one is.
        let last = resource.steps.values().rfind(|other| other.step == order.run.step);
        let mends = resource.faltered && order.run.step == MachineStep::Prepare;
        resource.faltered &= !mends;
        if !mends && last.is_some_and(|last| last.target == order.run.target) {
            self.note(Violation::Step(format!("{what} ran a second time")));
        }
        let ends_at = now + length;
        let step = BegunStep { step: order.run.step, target: order.run.target.clone(), ends_at };
        resource.steps.insert(order.run.run, Box::new(step));
        self.apply(Change::Resource { cluster, id, now: Some(resource) });
        Ok(ends_at)
    }
}
