//! Hands begun actions to the actor whose calls they are, and has the cluster looked at when that is due.

use std::time::Duration;

use muster_engine::action::Action;
use muster_engine::handler::ServiceOrder;
use muster_engine::ledger::{ResourceKey, ResourceState};
use muster_engine::plan::Gate;
use muster_engine::state::ClusterState;
use muster_protocol::{Name, Timestamp};
use ractor::ActorProcessingErr;

use super::driver::{DriverMessage, DriverOrder};
use super::handler::{HandlerMessage, HandlerOrder};
use super::supervisor::SupervisorState;
use muster_engine::desired::machine_name;
use muster_protocol::model::host::Role;

/// Has an action performed that was begun and is on disk as begun.
pub(super) fn perform(state: &SupervisorState, action: Action) -> Result<(), ActorProcessingErr> {
    let cluster = &state.current;
    let Some(call) = cluster.in_flight.get(&action.key()) else { return Ok(()) };
    let limit = call.deadline.since(call.since);
    if action.is_infrastructure() {
        let order = Box::new(driver_order(cluster, &action));
        state.driver.cast(DriverMessage::Perform(action, order, limit))?;
    } else {
        let order = Box::new(handler_order(cluster, &action));
        state.handler.cast(HandlerMessage::Perform(action, order, limit))?;
    }
    Ok(())
}

fn driver_order(cluster: &ClusterState, action: &Action) -> DriverOrder {
    let Some(key) = action.key() else { return DriverOrder { order: None, id: None, access: None } };
    let entry = cluster.ledger.get(&key);
    DriverOrder {
        order: Some(cluster.machine_order(&key)),
        id: known_id(cluster, &key),
        access: entry.and_then(|entry| entry.access()).cloned(),
    }
}

fn handler_order(cluster: &ClusterState, action: &Action) -> HandlerOrder {
    let key = action.key();
    let machine = match &key {
        Some(ResourceKey::Orchestrator) => cluster.member(&machine_name(Role::ControlPlane, 1)),
        Some(ResourceKey::Node(name)) => cluster.member(name),
        Some(ResourceKey::Network | ResourceKey::Machine(_) | ResourceKey::Service(_)) | None => None,
    };
    let service = match &key {
        Some(ResourceKey::Service(name)) => service_order(cluster, name),
        Some(ResourceKey::Network | ResourceKey::Machine(_) | ResourceKey::Orchestrator | ResourceKey::Node(_))
        | None => None,
    };
    let id = key.as_ref().and_then(|key| known_id(cluster, key));
    HandlerOrder { members: cluster.members(), machine, id, service }
}

fn service_order(cluster: &ClusterState, name: &Name) -> Option<ServiceOrder> {
    let service = cluster.services.get(name)?;
    Some(ServiceOrder {
        id: service.id,
        generation: service.generation,
        spec: service.version.spec.clone(),
        secrets_version: service.version.secrets_version,
    })
}

fn known_id(cluster: &ClusterState, key: &ResourceKey) -> Option<String> {
    match &cluster.ledger.get(key)?.state {
        ResourceState::Present(present) | ResourceState::Removing(present) => Some(present.id.clone()),
        ResourceState::Unknown(known) => known.as_ref().map(|present| present.id.clone()),
        ResourceState::Wanted => None,
    }
}

/// Starts a look at the cluster if one is due and none is under way.
pub(super) fn look(state: &mut SupervisorState, now: Timestamp) -> Result<(), ActorProcessingErr> {
    if now < state.looking.next {
        return Ok(());
    }
    let pace = state.workshop.shared.pace;
    let cluster = &state.current;
    let awaited = state.plan.steps.iter().any(|step| !step.action.is_call() && step.gate == Gate::Running);
    let trouble = cluster.observed.orchestrator_cause.is_some() || cluster.observed.machines_cause.is_some();
    let next = if awaited && !trouble { now + pace.look_when_busy } else { next_idle_look(state, now) };
    let any_machine =
        cluster.ledger.iter().any(|(key, entry)| matches!(key, ResourceKey::Machine(_)) && entry.present().is_some());
    let leaving = cluster.desired().absent;
    if any_machine && !leaving && !state.looking.machines {
        state.driver.cast(DriverMessage::Observe(now))?;
        state.looking.machines = true;
    }
    let members = cluster.members();
    let joined = members.iter().any(|member| member.node_id.is_some());
    if joined && !leaving && !state.looking.orchestrator {
        state.handler.cast(HandlerMessage::Observe(members, now))?;
        state.looking.orchestrator = true;
    }
    state.looking.next = next;
    Ok(())
}

/// Clusters that started together are not all looked at together: each has its own shift, up to a quarter. But what is
/// due within the same second is done at once, so that an idle daemon sleeps in between.
fn next_idle_look(state: &SupervisorState, now: Timestamp) -> Timestamp {
    const SECOND: u64 = 1000;
    let idle = state.workshop.shared.pace.look_when_idle;
    let shift_per_mille = u32::from(state.current.id().as_bytes()[15]);
    let next = now + idle + idle * shift_per_mille / 1000;
    if idle < Duration::from_millis(10 * SECOND) {
        return next;
    }
    Timestamp::from_millis(next.as_millis().next_multiple_of(SECOND))
}
