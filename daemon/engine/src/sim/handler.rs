//! The simulated orchestrator behind its trait.

use std::sync::Arc;

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use muster_protocol::model::service::{LogLine, LogSource, ServiceSpec};
use muster_protocol::{Error, ErrorCode, Name};

use super::faults::CallKind;
use super::things::Things;
use super::world::SimWorld;
use crate::context::ClusterContext;
use crate::failure::Failure;
use crate::handler::{Handler, Member, ServiceOrder};
use crate::ledger::{Present, ResourceKey};
use crate::observed::{ObservedContainer, OrchestratorView};

/// See the module.
pub(super) struct SimHandler {
    world: SimWorld,
    cluster: Arc<ClusterContext>,
}

impl SimHandler {
    pub(super) fn new(world: SimWorld, cluster: Arc<ClusterContext>) -> Self {
        Self { world, cluster }
    }
}

#[async_trait]
impl Handler for SimHandler {
    fn validate(&self, _service: &ServiceSpec) -> Result<(), Error> {
        // Nothing runs, so everything can be honoured.
        Ok(())
    }

    async fn form(&self, first: &Member) -> Result<Present, Failure> {
        let cluster = self.cluster.cluster;
        let effect = |things: &mut Things| things.form(cluster, first);
        self.world.call(CallKind::Form, cluster, Some(&ResourceKey::Orchestrator), effect).await
    }

    async fn look_up_cluster(&self, first: &Member) -> Result<Option<Present>, Failure> {
        let cluster = self.cluster.cluster;
        let effect = |things: &mut Things| things.look_up_cluster(cluster, first);
        self.world.call(CallKind::LookUpCluster, cluster, Some(&ResourceKey::Orchestrator), effect).await
    }

    async fn join(&self, members: &[Member], machine: &Member) -> Result<Present, Failure> {
        let cluster = self.cluster.cluster;
        let key = ResourceKey::Node(machine.machine.clone());
        let effect = |things: &mut Things| things.join(cluster, members, machine);
        self.world.call(CallKind::Join, cluster, Some(&key), effect).await
    }

    async fn look_up_node(&self, members: &[Member], machine: &Member) -> Result<Option<Present>, Failure> {
        let cluster = self.cluster.cluster;
        let key = ResourceKey::Node(machine.machine.clone());
        let effect = |things: &mut Things| things.look_up_node(cluster, members, machine);
        self.world.call(CallKind::LookUpNode, cluster, Some(&key), effect).await
    }

    async fn remove_node(&self, members: &[Member], node_id: &str, machine: Option<&Member>) -> Result<(), Failure> {
        let cluster = self.cluster.cluster;
        let key = machine.map(|member| ResourceKey::Node(member.machine.clone()));
        let effect = |things: &mut Things| things.remove_node(cluster, members, node_id);
        self.world.call(CallKind::RemoveNode, cluster, key.as_ref(), effect).await
    }

    async fn deploy(&self, members: &[Member], order: &ServiceOrder) -> Result<Present, Failure> {
        let cluster = self.cluster.cluster;
        let key = ResourceKey::Service(order.spec.name.clone());
        let effect = |things: &mut Things| things.deploy(cluster, members, order);
        self.world.call(CallKind::Deploy, cluster, Some(&key), effect).await
    }

    async fn look_up_service(&self, members: &[Member], service: &Name) -> Result<Option<Present>, Failure> {
        let cluster = self.cluster.cluster;
        let key = ResourceKey::Service(service.clone());
        let effect = |things: &mut Things| things.look_up_service(cluster, members, service);
        self.world.call(CallKind::LookUpService, cluster, Some(&key), effect).await
    }

    async fn remove_service(&self, members: &[Member], service: &Name) -> Result<(), Failure> {
        let cluster = self.cluster.cluster;
        let key = ResourceKey::Service(service.clone());
        let effect = |things: &mut Things| things.remove_service(cluster, members, service);
        self.world.call(CallKind::RemoveService, cluster, Some(&key), effect).await
    }

    async fn observe(&self, members: &[Member]) -> Result<OrchestratorView, Failure> {
        let cluster = self.cluster.cluster;
        let rollout = self.world.options().rollout;
        let effect = |things: &mut Things| things.view(cluster, members, rollout);
        self.world.call(CallKind::ObserveOrchestrator, cluster, None, effect).await
    }

    async fn logs(
        &self,
        members: &[Member],
        service: &Name,
        follow: bool,
        tail: Option<u32>,
    ) -> Result<BoxStream<'static, Result<LogLine, Failure>>, Failure> {
        let cluster = self.cluster.cluster;
        let key = ResourceKey::Service(service.clone());
        let rollout = self.world.options().rollout;
        let effect = |things: &mut Things| things.view(cluster, members, rollout);
        let view = self.world.call(CallKind::Logs, cluster, Some(&key), effect).await?;
        if !view.services.contains_key(service) {
            let message = format!("service {service} is not known to the orchestrator");
            return Err(Failure::not_applied(ErrorCode::NotFound, message).permanent());
        }
        let containers = view.containers.into_iter().filter(|container| container.service == *service);
        let lines: Vec<Result<LogLine, Failure>> =
            containers.flat_map(|container| last_lines(&container, tail)).map(Ok).collect();
        let written = stream::iter(lines);
        // Simulated services have nothing more to say.
        Ok(if follow { written.chain(stream::pending()).boxed() } else { written.boxed() })
    }
}

/// What a container has written, or the end of it.
fn last_lines(container: &ObservedContainer, tail: Option<u32>) -> Vec<LogLine> {
    let ObservedContainer { id, name, phase, image, .. } = container;
    let texts = [format!("{name} has image {image}"), format!("{name} is {phase} with image {image}")];
    let left_out = tail.map_or(0, |tail| texts.len().saturating_sub(usize::try_from(tail).unwrap_or(usize::MAX)));
    let line = |text| LogLine { container: id.clone(), name: name.clone(), source: LogSource::Stdout, at: None, text };
    texts.into_iter().skip(left_out).map(line).collect()
}
