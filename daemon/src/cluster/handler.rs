//! The handler actor: makes the calls to the orchestrator.

use std::time::Duration;

use muster_engine::action::{Action, Outcome};
use muster_engine::failure::Failure;
use muster_engine::handler::{Member, ServiceOrder};
use muster_engine::order::HandlerOrder;
use muster_engine::state::Observation;
use muster_protocol::{ErrorCode, Timestamp};
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};

use super::calls::Calls;
use super::message::{Lines, LogRequest, SupervisorMessage};
use super::workshop::Workshop;
use crate::journal::vault::Vault;

/// What the supervisor asks for.
pub enum HandlerMessage {
    /// Perform this action within this time.
    Perform(Action, HandlerOrder, Duration),
    /// Break it off.
    Cancel(Action),
    /// Look at nodes, services and containers.
    Observe(Vec<Member>, Timestamp),
    /// Open a service's output.
    Logs(Vec<Member>, LogRequest, RpcReplyPort<Result<Lines, Failure>>),
}

/// The actor.
pub struct HandlerActor;

/// Its state.
pub struct HandlerState {
    workshop: Workshop,
    supervisor: ActorRef<SupervisorMessage>,
    calls: Calls,
}

impl Actor for HandlerActor {
    type Msg = HandlerMessage;
    type State = HandlerState;
    type Arguments = (Workshop, ActorRef<SupervisorMessage>);

    async fn pre_start(
        &self,
        _myself: ActorRef<Self::Msg>,
        (workshop, supervisor): Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        let calls = Calls::new(supervisor.clone());
        Ok(HandlerState { workshop, supervisor, calls })
    }

    async fn handle(
        &self,
        _myself: ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            HandlerMessage::Perform(action, order, limit) => {
                state.calls.start(action, limit, perform(state.workshop.clone(), order));
            }
            HandlerMessage::Cancel(action) => state.calls.cancel(&action),
            HandlerMessage::Observe(members, began) => {
                tokio::spawn(observe(state.workshop.clone(), state.supervisor.clone(), members, began));
            }
            HandlerMessage::Logs(members, request, reply) => {
                let handler = state.workshop.handler.clone();
                tokio::spawn(async move {
                    let lines = handler.logs(&members, &request.service, request.follow, request.tail).await;
                    // The caller may have gone away meanwhile.
                    let _ = reply.send(lines);
                });
            }
        }
        Ok(())
    }
}

async fn perform(workshop: Workshop, mut order: HandlerOrder) -> Outcome {
    if let HandlerOrder::Deploy(_, service) = &mut order
        && let Err(failure) = put_secrets_in(service, &workshop.shared.vault).await
    {
        return Outcome::Failed(failure);
    }
    order.perform(&*workshop.handler).await
}

/// The values of secrets are taken from the vault at the last moment and kept nowhere else.
async fn put_secrets_in(order: &mut ServiceOrder, vault: &Vault) -> Result<(), Failure> {
    if order.secrets_version == 0 {
        return Ok(());
    }
    let mut values = vault.secrets(order.id, order.secrets_version).await.map_err(|error| {
        Failure::not_applied(ErrorCode::Store, format!("cannot read the service's secrets: {error}"))
    })?;
    for secret in &mut order.spec.secrets {
        secret.value = values.remove(&secret.name);
    }
    Ok(())
}

async fn observe(workshop: Workshop, supervisor: ActorRef<SupervisorMessage>, members: Vec<Member>, began: Timestamp) {
    let look = workshop.handler.observe(&members);
    let seen = tokio::time::timeout(workshop.deadlines.orchestrator_call, look)
        .await
        .unwrap_or_else(|_| Err(Failure::not_applied(ErrorCode::Unreachable, "the orchestrator does not answer")));
    let observation = Observation { machines: None, orchestrator: Some(seen) };
    let _ = supervisor.cast(SupervisorMessage::Observed(Box::new(observation), began));
}
