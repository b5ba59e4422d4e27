//! Hands begun calls to the actor whose calls they are, and has the cluster looked at when that is due.

use muster_engine::action::Outcome;
use muster_engine::cycle::Begun;
use muster_engine::looks::Look;
use muster_engine::order::Order;
use muster_protocol::Timestamp;
use ractor::{ActorProcessingErr, ActorRef};

use super::driver::DriverMessage;
use super::handler::HandlerMessage;
use super::message::SupervisorMessage;
use super::supervisor::SupervisorState;

/// Has a call made whose action is on disk as begun.
pub(super) fn perform(
    state: &SupervisorState,
    myself: &ActorRef<SupervisorMessage>,
    Begun { action, order, limit }: Begun,
) -> Result<(), ActorProcessingErr> {
    match order {
        Ok(Order::Driver(order)) => state.driver.cast(DriverMessage::Perform(action, order, limit))?,
        Ok(Order::Preparer(order)) => state.driver.cast(DriverMessage::Step(action, order, limit))?,
        Ok(Order::Handler(order)) => state.handler.cast(HandlerMessage::Perform(action, order, limit))?,
        Err(failure) => myself.cast(SupervisorMessage::Finished(action, Outcome::Failed(failure)))?,
    }
    Ok(())
}

/// Starts the looks at the cluster that are due.
pub(super) fn look(state: &mut SupervisorState, now: Timestamp) -> Result<(), ActorProcessingErr> {
    for look in state.looks.due(&state.current, &state.plan, now) {
        match look {
            Look::Machines => state.driver.cast(DriverMessage::Observe(now))?,
            Look::Orchestrator(members) => state.handler.cast(HandlerMessage::Observe(members, now))?,
        }
    }
    Ok(())
}
