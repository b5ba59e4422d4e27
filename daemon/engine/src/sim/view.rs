//! What the simulated orchestrator shows. Everything is computed from what was submitted and the time since:
//! copies come up evenly over [`super::SimOptions::rollout`].
//!
//! Images whose name begins with `sim/broken` never become healthy, with `sim/unpullable` never start.

use std::time::Duration;

use muster_protocol::model::container::ContainerPhase;
use muster_protocol::model::host::Role;
use muster_protocol::model::service::{Attribute, Constraint, Endpoint, Exposure, ServiceMode};
use muster_protocol::quantity::{Bytes, CpuMillis};
use muster_protocol::{ClusterId, Name};
use tokio::time::Instant;

use super::cluster::node_id;
use super::state::{ClusterThings, Node, Orchestrator, Resource, Service};
use super::things::Things;
use crate::failure::Failure;
use crate::ledger::Facts;
use crate::member::Member;
use crate::observed::{ObservedContainer, ObservedNode, ObservedService, Obstacle, OrchestratorView, Trouble};

const VERSION: &str = "1";
const FIRST_CHOSEN_PORT: u16 = 30_000;

/// The beginning of images that cannot be pulled, and never will.
const UNPULLABLE: &str = "sim/unpullable";

/// How far a service is.
struct Rollout {
    wanted: u32,
    /// Copies that were started.
    started: u32,
    /// Copies that are well.
    ready: u32,
    message: Option<String>,
}

impl Things {
    pub(super) fn view(
        &self,
        cluster: ClusterId,
        members: &[Member],
        rollout: Duration,
    ) -> Result<OrchestratorView, Failure> {
        let id = self.reach(cluster, members)?;
        let Some((bucket, formed)) = self.formed(cluster, id) else { return Ok(OrchestratorView::default()) };
        let mut view = OrchestratorView { version: Some(VERSION.to_owned()), ..OrchestratorView::default() };
        for (id, node) in &formed.nodes {
            let up = bucket.is_up(node);
            if up && node.role == Role::ControlPlane {
                view.endpoints.extend(address(bucket, node).map(|address| format!("sim://{address}")));
            }
            // The node of a lost machine is listed beside that of its successor, and says less.
            if up || !view.nodes.contains_key(&node.name) {
                view.nodes.insert(node.name.clone(), observed_node(*id, node, bucket, up));
            }
        }
        for (name, service) in &formed.services {
            let places = places(bucket, formed, &service.constraints);
            let state = progress(service, places.len(), rollout);
            let copies = (0..state.wanted).map(|copy| container(name, service, &state, copy, &places));
            view.containers.extend(copies);
            view.services.insert(name.clone(), observed_service(bucket, service, &state, &places));
        }
        Ok(view)
    }
}

fn address(bucket: &ClusterThings, node: &Node) -> Option<String> {
    let machine: &Resource = bucket.resources.get(&node.machine)?;
    match machine.present(node.machine).facts {
        Facts::Machine(access) => Some(access.address),
        Facts::None | Facts::Service { .. } | Facts::Other(_) => None,
    }
}

fn observed_node(id: u64, node: &Node, bucket: &ClusterThings, up: bool) -> ObservedNode {
    let prepared = bucket.resources.get(&node.machine).and_then(Resource::version);
    ObservedNode {
        id: node_id(id),
        role: node.role,
        ready: up,
        version: Some(prepared.unwrap_or_else(|| VERSION.to_owned())),
        cpu: Some(CpuMillis(2_000)),
        memory: Some(Bytes(4 << 30)),
        labels: std::collections::BTreeMap::new(),
        message: (!up).then(|| "the machine does not answer".to_owned()),
    }
}

/// The nodes that are up and that all constraints allow.
fn places<'a>(bucket: &ClusterThings, formed: &'a Orchestrator, constraints: &[Constraint]) -> Vec<&'a Node> {
    let holds = |node: &Node, constraint: &Constraint| {
        let equal = match &constraint.attribute {
            Attribute::Role => node.role.to_string() == constraint.value,
            Attribute::Host => node.name.as_str() == constraint.value,
            // Simulated nodes have no labels.
            Attribute::Label(_) => false,
        };
        equal == constraint.equal
    };
    let allowed = |node: &&Node| bucket.is_up(node) && constraints.iter().all(|constraint| holds(node, constraint));
    formed.nodes.values().filter(allowed).collect()
}

fn progress(service: &Service, places: usize, rollout: Duration) -> Rollout {
    let places = u32::try_from(places).unwrap_or(u32::MAX);
    let wanted = match service.mode {
        ServiceMode::Replicated | ServiceMode::Job => service.replicas,
        ServiceMode::Global => places,
    };
    if wanted > 0 && places == 0 {
        let message = Some("no node that is up meets the constraints".to_owned());
        return Rollout { wanted, started: 0, ready: 0, message };
    }
    if service.image.starts_with(UNPULLABLE) {
        let message = Some(format!("no such image: {}", service.image));
        return Rollout { wanted, started: 0, ready: 0, message };
    }
    let elapsed = Instant::now().saturating_duration_since(service.since);
    let share = if elapsed >= rollout { 1.0 } else { elapsed.as_secs_f64() / rollout.as_secs_f64() };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and `wanted`")]
    let started = (f64::from(wanted) * share) as u32;
    if service.image.starts_with("sim/broken") {
        let message = (started > 0).then(|| "its containers end with exit code 1".to_owned());
        return Rollout { wanted, started, ready: 0, message };
    }
    Rollout { wanted, started, ready: started, message: None }
}

fn observed_service(bucket: &ClusterThings, service: &Service, state: &Rollout, places: &[&Node]) -> ObservedService {
    let published = service.ports.iter().filter(|port| port.exposure != Exposure::Cluster);
    let numbered = published.zip(FIRST_CHOSEN_PORT..);
    let addresses: Vec<String> = places.iter().filter_map(|node| address(bucket, node)).collect();
    let ready = usize::try_from(state.ready).unwrap_or(usize::MAX);
    let endpoints = numbered.flat_map(|(port, chosen)| {
        // Copies take the places in their order, so the first ones have a port of the machine.
        let reached = if port.exposure == Exposure::Host { ready } else { usize::MAX };
        addresses.iter().take(reached).map(move |address| Endpoint {
            address: address.clone(),
            published: port.published.unwrap_or(chosen),
            port: port.port,
            protocol: port.protocol,
        })
    });
    ObservedService {
        id: service.id.to_string(),
        generation: service.generation,
        wanted: state.wanted,
        ready: state.ready,
        updating: service.replaces && state.ready < state.wanted,
        digest: None,
        image_health: None,
        endpoints: endpoints.collect(),
        trouble: state.message.clone().map(|words| {
            let hopeless = service.image.starts_with(UNPULLABLE);
            Trouble { words, obstacle: if hopeless { Obstacle::Image } else { Obstacle::Program }, hopeless }
        }),
        under_way: (state.started < state.wanted).then(|| format!("{} pending", state.wanted - state.started)),
    }
}

fn container(name: &Name, service: &Service, state: &Rollout, copy: u32, places: &[&Node]) -> ObservedContainer {
    let phase = match (copy < state.started, copy < state.ready, service.mode) {
        (false, _, _) => ContainerPhase::Pending,
        (true, false, _) => ContainerPhase::Failed,
        (true, true, ServiceMode::Job) => ContainerPhase::Complete,
        (true, true, ServiceMode::Replicated | ServiceMode::Global) => ContainerPhase::Running,
    };
    let place = usize::try_from(copy).ok().and_then(|copy| places.get(copy.checked_rem(places.len())?));
    let exit_code = match phase {
        ContainerPhase::Failed => Some(1),
        ContainerPhase::Complete => Some(0),
        ContainerPhase::Pending
        | ContainerPhase::Starting
        | ContainerPhase::Running
        | ContainerPhase::Stopped
        | ContainerPhase::Unknown(_) => None,
    };
    ObservedContainer {
        id: format!("{}-{}-{}", service.id.short(), service.generation, copy + 1),
        name: format!("{name}.{}", copy + 1),
        service: name.clone(),
        machine: place.map(|node| node.name.clone()),
        phase,
        healthy: None,
        address: None,
        image: service.image.clone(),
        since: None,
        exit_code,
        message: state.message.clone(),
    }
}
