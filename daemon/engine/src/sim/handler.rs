//! The simulated orchestrator behind its trait.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use muster_protocol::model::container::ContainerPhase;
use muster_protocol::model::service::{LogLine, LogSource, ServiceSpec};
use muster_protocol::{Error, ErrorCode, Name};

use super::faults::CallKind;
use super::framework::Framework;
use super::shell;
use super::things::Things;
use super::world::SimWorld;
use crate::context::ClusterContext;
use crate::duplex::{Duplex, ExecOrder, ForwardOrder};
use crate::failure::Failure;
use crate::handler::{Handler, ServiceOrder};
use crate::ledger::{Present, ResourceKey};
use crate::member::Member;
use crate::observed::{ObservedContainer, OrchestratorView};
use crate::recipe::MachineStep;
use crate::session::{Kept, SessionHost};

/// See the module.
pub(super) struct SimHandler {
    world: SimWorld,
    cluster: Arc<ClusterContext>,
    /// Runs the services, if the orchestrator does not.
    framework: Option<Framework>,
}

impl SimHandler {
    pub(super) fn new(world: SimWorld, cluster: Arc<ClusterContext>) -> Self {
        let framework = world.options().is_framework.then(|| Framework::new(world.clone(), cluster.clone()));
        Self { world, cluster, framework }
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

    async fn step(&self, members: &[Member], machine: &Member, step: MachineStep) -> Result<(), Failure> {
        let cluster = self.cluster.cluster;
        let key = ResourceKey::Node(machine.machine.clone());
        // Simulated services move by themselves; all that can fail is to reach the control plane.
        let effect = |things: &mut Things| {
            things.reach(cluster, members)?;
            things.keep(cluster, &machine.machine, step);
            Ok(())
        };
        self.world.call(CallKind::Step, cluster, Some(&key), effect).await
    }

    async fn remove_node(&self, members: &[Member], node_id: &str, machine: Option<&Member>) -> Result<(), Failure> {
        let cluster = self.cluster.cluster;
        let key = machine.map(|member| ResourceKey::Node(member.machine.clone()));
        let effect = |things: &mut Things| things.remove_node(cluster, members, node_id);
        self.world.call(CallKind::RemoveNode, cluster, key.as_ref(), effect).await
    }

    async fn deploy(&self, members: &[Member], order: &ServiceOrder) -> Result<Present, Failure> {
        if let Some(framework) = &self.framework {
            return framework.deploy(members, order).await;
        }
        let cluster = self.cluster.cluster;
        let key = ResourceKey::Service(order.spec.name.clone());
        let effect = |things: &mut Things| things.deploy(cluster, members, order);
        self.world.call(CallKind::Deploy, cluster, Some(&key), effect).await
    }

    async fn look_up_service(&self, members: &[Member], service: &Name) -> Result<Option<Present>, Failure> {
        if let Some(framework) = &self.framework {
            return framework.look_up_service(members, service).await;
        }
        let cluster = self.cluster.cluster;
        let key = ResourceKey::Service(service.clone());
        let effect = |things: &mut Things| things.look_up_service(cluster, members, service);
        self.world.call(CallKind::LookUpService, cluster, Some(&key), effect).await
    }

    async fn remove_service(&self, members: &[Member], service: &Name) -> Result<(), Failure> {
        if let Some(framework) = &self.framework {
            return framework.remove_service(members, service).await;
        }
        let cluster = self.cluster.cluster;
        let key = ResourceKey::Service(service.clone());
        let effect = |things: &mut Things| things.remove_service(cluster, members, service);
        self.world.call(CallKind::RemoveService, cluster, Some(&key), effect).await
    }

    async fn observe(&self, members: &[Member]) -> Result<OrchestratorView, Failure> {
        if let Some(framework) = &self.framework {
            return framework.observe(members).await;
        }
        let cluster = self.cluster.cluster;
        let rollout = self.world.options().rollout;
        let effect = |things: &mut Things| things.view(cluster, members, rollout);
        self.world.call(CallKind::ObserveOrchestrator, cluster, None, effect).await
    }

    async fn session(&self, host: Arc<dyn SessionHost>, kept: BTreeMap<String, Kept>) -> Failure {
        match &self.framework {
            Some(framework) => framework.session(host, &kept).await,
            None => std::future::pending().await,
        }
    }

    async fn logs(
        &self,
        members: &[Member],
        service: &Name,
        follow: bool,
        tail: Option<u32>,
    ) -> Result<BoxStream<'static, Result<LogLine, Failure>>, Failure> {
        let containers = self.containers(members, service).await?;
        let lines: Vec<Result<LogLine, Failure>> =
            containers.iter().flat_map(|container| last_lines(container, tail)).map(Ok).collect();
        let written = stream::iter(lines);
        // Simulated services have nothing more to say.
        Ok(if follow { written.chain(stream::pending()).boxed() } else { written.boxed() })
    }

    async fn exec(&self, members: &[Member], order: &ExecOrder) -> Result<Duplex, Failure> {
        let containers = self.containers(members, &order.service).await?;
        let is_meant = |seen: &&ObservedContainer| order.container.as_ref().is_none_or(|id| seen.id == *id);
        let running = containers.iter().filter(|seen| seen.phase == ContainerPhase::Running).find(is_meant);
        running.map(|_| shell::command(order)).ok_or_else(|| {
            Failure::not_applied(ErrorCode::NotFound, "no such container of the service runs").permanent()
        })
    }

    async fn port_forward(&self, members: &[Member], order: &ForwardOrder) -> Result<Duplex, Failure> {
        self.containers(members, &order.service).await?;
        Ok(shell::echo())
    }
}

impl SimHandler {
    /// The containers of a service that must be there.
    async fn containers(&self, members: &[Member], service: &Name) -> Result<Vec<ObservedContainer>, Failure> {
        let cluster = self.cluster.cluster;
        let key = ResourceKey::Service(service.clone());
        let rollout = self.world.options().rollout;
        let effect = |things: &mut Things| things.view(cluster, members, rollout);
        let view = self.world.call(CallKind::Logs, cluster, Some(&key), effect).await?;
        if !view.services.contains_key(service) {
            let message = format!("service {service} is not known to the orchestrator");
            return Err(Failure::not_applied(ErrorCode::NotFound, message).permanent());
        }
        Ok(view.containers.into_iter().filter(|container| container.service == *service).collect())
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
