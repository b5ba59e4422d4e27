//! The handler actor: makes the calls to the orchestrator.

use std::time::Duration;

use muster_engine::action::{Action, Outcome};
use muster_engine::failure::Failure;
use muster_engine::handler::{Member, ServiceOrder};
use muster_engine::ledger::ResourceKey;
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
    Perform(Action, Box<HandlerOrder>, Duration),
    /// Break it off.
    Cancel(Action),
    /// Look at nodes, services and containers.
    Observe(Vec<Member>, Timestamp),
    /// Open a service's output.
    Logs(Vec<Member>, LogRequest, RpcReplyPort<Result<Lines, Failure>>),
}

/// What is needed for an action, as of the moment in which it was begun.
pub struct HandlerOrder {
    /// Machines that can be asked.
    pub members: Vec<Member>,
    /// The machine that it is about, if it is there.
    pub machine: Option<Member>,
    /// The orchestrator's id of the node or service, where known.
    pub id: Option<String>,
    /// The service that it is about, without the values of its secrets.
    pub service: Option<ServiceOrder>,
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
                let call = perform(state.workshop.clone(), action.clone(), *order);
                state.calls.start(action, limit, call);
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

async fn perform(workshop: Workshop, action: Action, order: HandlerOrder) -> Outcome {
    let handler = &workshop.handler;
    let HandlerOrder { members, machine, id, service } = order;
    let found = |found: Option<_>| found.map_or(Outcome::Absent, Outcome::Present);
    let performed = match (&action, machine) {
        (Action::Create(ResourceKey::Orchestrator), Some(machine)) => {
            handler.form(&machine).await.map(Outcome::Present)
        }
        (Action::LookUp(ResourceKey::Orchestrator), Some(machine)) => {
            handler.look_up_cluster(&machine).await.map(found)
        }
        (Action::Create(ResourceKey::Node(_)), Some(machine)) => {
            handler.join(&members, &machine).await.map(Outcome::Present)
        }
        (Action::LookUp(ResourceKey::Node(_)), Some(machine)) => {
            handler.look_up_node(&members, &machine).await.map(found)
        }
        (Action::Remove(ResourceKey::Node(_)), machine) => {
            let Some(id) = id else { return not_performed(&action) };
            handler.remove_node(&members, &id, machine.as_ref()).await.map(|()| Outcome::Done)
        }
        (Action::Create(ResourceKey::Service(_)) | Action::Update(_), _) => {
            let Some(order) = service else { return not_performed(&action) };
            match with_secrets(&workshop.shared.vault, order).await {
                Ok(order) => handler.deploy(&members, &order).await.map(Outcome::Present),
                Err(failure) => Err(failure),
            }
        }
        (Action::LookUp(ResourceKey::Service(name)), _) => handler.look_up_service(&members, name).await.map(found),
        (Action::Remove(ResourceKey::Service(name)), _) => {
            handler.remove_service(&members, name).await.map(|()| Outcome::Done)
        }
        (
            Action::Create(_)
            | Action::LookUp(_)
            | Action::Remove(_)
            | Action::Start(_)
            | Action::Prepare(_)
            | Action::Sweep
            | Action::Await(_),
            _,
        ) => return not_performed(&action),
    };
    performed.unwrap_or_else(Outcome::Failed)
}

/// The values of secrets are taken from the vault at the last moment and kept nowhere else.
async fn with_secrets(vault: &Vault, mut order: ServiceOrder) -> Result<ServiceOrder, Failure> {
    if order.secrets_version == 0 {
        return Ok(order);
    }
    let mut values = vault.secrets(order.id, order.secrets_version).await.map_err(|error| {
        Failure::not_applied(ErrorCode::Store, format!("cannot read the service's secrets: {error}"))
    })?;
    for secret in &mut order.spec.secrets {
        secret.value = values.remove(&secret.name);
    }
    Ok(order)
}

/// The order does not fit the action: the machine that it is about is not there any more. The next plan knows.
fn not_performed(action: &Action) -> Outcome {
    Outcome::Failed(Failure::not_applied(ErrorCode::Unreachable, format!("`{action}` has no machine to ask")))
}

async fn observe(workshop: Workshop, supervisor: ActorRef<SupervisorMessage>, members: Vec<Member>, began: Timestamp) {
    let look = workshop.handler.observe(&members);
    let seen = tokio::time::timeout(workshop.deadlines.orchestrator_call, look)
        .await
        .unwrap_or_else(|_| Err(Failure::not_applied(ErrorCode::Unreachable, "the orchestrator does not answer")));
    let observation = Observation { machines: None, orchestrator: Some(seen) };
    let _ = supervisor.cast(SupervisorMessage::Observed(Box::new(observation), began));
}
