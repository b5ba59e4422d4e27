//! Forming the swarm, on its first manager.

use bollard::models::{LocalNodeState, Swarm, SwarmInfo, SwarmInitRequest, SwarmSpec};
use muster_engine::context::ClusterContext;
use muster_engine::failure::Failure;
use muster_engine::ledger::{Facts, Present};
use muster_engine::member::Member;
use muster_material::networks::TAKEN;
use muster_protocol::{ErrorCode, Name};

use super::{nodes, pool};
use crate::connect::{Engine, authority};
use crate::failures::Answer as _;
use crate::managers::{foreign_swarm, labels};
use crate::marks;
use crate::services::network;

/// Where managers listen for each other and for workers.
const SWARM_PORT: u16 = 2377;

/// Forms the swarm, or finds that it is formed.
pub(crate) async fn form(cluster: &ClusterContext, engine: &Engine, first: &Member) -> Result<Present, Failure> {
    if let Some(swarm) = existing(cluster, engine, first).await? {
        return finish(cluster, engine, first, swarm).await;
    }
    let address = ip_of(&first.access.address).await?;
    let pools = pool::of(cluster, &address)?;
    let request = SwarmInitRequest {
        listen_addr: Some(listen_addr(&address)),
        advertise_addr: Some(address.clone()),
        data_path_addr: Some(address),
        subnet_size: pools.as_ref().map(|_| TAKEN),
        default_addr_pool: pools,
        // The marks are made in the call that makes the swarm, so that after a crash it is known to be ours.
        spec: Some(SwarmSpec { labels: Some(marks::of_cluster(cluster)), ..Default::default() }),
        ..Default::default()
    };
    engine.api().init_swarm(request).await.writing("form the swarm")?;
    let swarm = read(engine).await?;
    finish(cluster, engine, first, swarm).await
}

/// The swarm, if this machine manages it.
pub(crate) async fn look_up_cluster(
    cluster: &ClusterContext,
    engine: &Engine,
    first: &Member,
) -> Result<Option<Present>, Failure> {
    Ok(existing(cluster, engine, first).await?.map(present))
}

async fn existing(cluster: &ClusterContext, engine: &Engine, first: &Member) -> Result<Option<Swarm>, Failure> {
    let report = nodes::self_report(engine, &first.machine).await?;
    match report.local_node_state {
        Some(LocalNodeState::INACTIVE | LocalNodeState::EMPTY) | None => Ok(None),
        Some(LocalNodeState::ACTIVE) if report.control_available == Some(true) => {
            let swarm = read(engine).await?;
            if marks::are_ours(cluster, labels(&swarm)) { Ok(Some(swarm)) } else { Err(foreign_swarm(&first.machine)) }
        }
        Some(LocalNodeState::ACTIVE) => Err(foreign_swarm(&first.machine)),
        Some(LocalNodeState::PENDING | LocalNodeState::ERROR | LocalNodeState::LOCKED) => {
            Err(unusable(&first.machine, &report))
        }
    }
}

/// The engine takes part in a swarm, but cannot just now.
pub(super) fn unusable(machine: &Name, report: &SwarmInfo) -> Failure {
    let why = report.error.as_deref().filter(|error| !error.is_empty()).unwrap_or("it is starting");
    let failure =
        Failure::not_applied(ErrorCode::Orchestrator, format!("the swarm part of {machine} is not up: {why}"));
    if report.local_node_state == Some(LocalNodeState::LOCKED) {
        return failure.permanent().with_remedy(format!("run `docker swarm unlock` on {machine}"));
    }
    failure
}

async fn read(engine: &Engine) -> Result<Swarm, Failure> {
    engine.api().inspect_swarm().await.reading("read the swarm")
}

async fn finish(cluster: &ClusterContext, engine: &Engine, first: &Member, swarm: Swarm) -> Result<Present, Failure> {
    let report = nodes::self_report(engine, &first.machine).await?;
    if let Some(id) = nodes::active_id(&report) {
        nodes::mark(engine, cluster, id, first).await?;
    }
    network::fit_mesh(cluster, engine).await?;
    Ok(present(swarm))
}

fn present(swarm: Swarm) -> Present {
    Present { id: swarm.id.unwrap_or_default(), facts: Facts::None }
}

pub(super) fn listen_addr(address: &str) -> String {
    authority(address, SWARM_PORT)
}

/// The engine wants a number where a host may have been given by name.
pub(super) async fn ip_of(address: &str) -> Result<String, Failure> {
    let unresolved = |why: String| {
        Failure::not_applied(ErrorCode::Unreachable, format!("`{address}` has no address: {why}"))
            .with_remedy("give the host by its address, or make its name resolve where the daemon runs")
    };
    let mut found =
        tokio::net::lookup_host((address, SWARM_PORT)).await.map_err(|error| unresolved(error.to_string()))?;
    let first = found.next().ok_or_else(|| unresolved("none was found".to_owned()))?;
    Ok(first.ip().to_string())
}
