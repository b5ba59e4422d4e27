//! Hands begun actions to the actor whose calls they are, and has the cluster looked at when that is due.

use std::time::Duration;

use muster_engine::action::{Action, Outcome};
use muster_engine::ledger::ResourceKey;
use muster_engine::order::Order;
use muster_engine::plan::Gate;
use muster_protocol::Timestamp;
use ractor::{ActorProcessingErr, ActorRef};

use super::driver::DriverMessage;
use super::handler::HandlerMessage;
use super::message::SupervisorMessage;
use super::supervisor::SupervisorState;

/// Has an action performed that was begun and is on disk as begun.
pub(super) fn perform(
    state: &SupervisorState,
    myself: &ActorRef<SupervisorMessage>,
    action: Action,
) -> Result<(), ActorProcessingErr> {
    let Some(call) = state.current.in_flight.get(&action.key()) else { return Ok(()) };
    let limit = call.deadline.since(call.since);
    match state.current.order(&action) {
        Ok(Order::Driver(order)) => state.driver.cast(DriverMessage::Perform(action, order, limit))?,
        Ok(Order::Preparer(order)) => state.driver.cast(DriverMessage::Prepare(action, order, limit))?,
        Ok(Order::Handler(order)) => state.handler.cast(HandlerMessage::Perform(action, order, limit))?,
        Err(failure) => myself.cast(SupervisorMessage::Finished(action, Outcome::Failed(failure)))?,
    }
    Ok(())
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
