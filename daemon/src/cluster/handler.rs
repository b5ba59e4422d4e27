//! The handler actor: makes the calls to the orchestrator.

use std::sync::Arc;
use std::time::Duration;

use muster_engine::access::AccessOrder;
use muster_engine::action::{Action, Outcome};
use muster_engine::failure::Failure;
use muster_engine::handler::{Handler, ServiceOrder};
use muster_engine::member::Member;
use muster_engine::order::HandlerOrder;
use muster_engine::state::Observation;
use muster_engine::words;
use muster_protocol::model::access::AccessFile;
use muster_protocol::{ErrorCode, Timestamp};
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use super::calls::{Calls, guarded};
use super::message::{LogRequest, Opened, StreamRequest, SupervisorMessage};
use super::session;
use super::workshop::{SharedParts, Workshop};
use crate::journal::vault::Vault;

/// What the supervisor asks for.
pub enum HandlerMessage {
    /// Perform this action within this time.
    Perform(Action, HandlerOrder, Duration),
    /// Break it off.
    Cancel(Action),
    /// Look at nodes, services and containers.
    Observe(Vec<Member>, Timestamp),
    /// Open a stream.
    Open(Vec<Member>, StreamRequest, RpcReplyPort<Result<Opened, Failure>>),
    /// Make a file with which the cluster is reached.
    Access(Vec<Member>, AccessOrder, RpcReplyPort<Result<AccessFile, Failure>>),
}

/// The actor.
pub struct HandlerActor;

/// Its state.
pub struct HandlerState {
    workshop: Arc<Workshop>,
    supervisor: ActorRef<SupervisorMessage>,
    calls: Calls,
    /// Ends with this actor.
    _session: AbortOnDropHandle<()>,
}

impl Actor for HandlerActor {
    type Msg = HandlerMessage;
    type State = HandlerState;
    type Arguments = (Arc<Workshop>, ActorRef<SupervisorMessage>, watch::Receiver<Vec<Member>>);

    async fn pre_start(
        &self,
        _myself: ActorRef<Self::Msg>,
        (workshop, supervisor, members): Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        let calls = Calls::new(supervisor.clone());
        let (cluster, handler) = (workshop.context.name().clone(), workshop.handler.clone());
        let session = session::start(cluster, handler, supervisor.clone(), members);
        Ok(HandlerState { workshop, supervisor, calls, _session: session })
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
            HandlerMessage::Open(members, request, reply) => {
                let handler = state.workshop.handler.clone();
                tokio::spawn(async move {
                    let opened = open(&*handler, &members, request).await;
                    // The caller may have gone away meanwhile.
                    let _ = reply.send(opened);
                });
            }
            HandlerMessage::Access(members, order, reply) => {
                let handler = state.workshop.handler.clone();
                tokio::spawn(async move {
                    let file = handler.access(&members, &order).await;
                    // The caller may have gone away meanwhile.
                    let _ = reply.send(file);
                });
            }
        }
        Ok(())
    }
}

async fn open(handler: &dyn Handler, members: &[Member], request: StreamRequest) -> Result<Opened, Failure> {
    match request {
        StreamRequest::Logs(LogRequest { service, follow, tail }) => {
            handler.logs(members, &service, follow, tail).await.map(Opened::Lines)
        }
        StreamRequest::Exec(order) => handler.exec(members, &order).await.map(Opened::Duplex),
        StreamRequest::PortForward(order) => handler.port_forward(members, &order).await.map(Opened::Duplex),
    }
}

async fn perform(workshop: Arc<Workshop>, mut order: HandlerOrder) -> Outcome {
    if let HandlerOrder::Deploy(_, service) = &mut order
        && let Err(failure) = complete(service, &workshop.shared).await
    {
        return Outcome::Failed(failure);
    }
    order.perform(&*workshop.handler).await
}

/// Puts in what no state has.
async fn complete(order: &mut ServiceOrder, shared: &SharedParts) -> Result<(), Failure> {
    put_secrets_in(order, &shared.vault).await?;
    order.login = shared.logins.of_image(&order.spec.image).await?;
    Ok(())
}

/// The values of secrets are taken from the vault at the last moment and kept nowhere else.
async fn put_secrets_in(order: &mut ServiceOrder, vault: &Vault) -> Result<(), Failure> {
    if order.secrets_version == 0 {
        return Ok(());
    }
    let mut values = vault.secrets(order.id, order.secrets_version).await.map_err(|error| {
        Failure::not_applied(ErrorCode::Store, format!("cannot read the service's secrets: {}", words::chain(&error)))
    })?;
    for secret in &mut order.spec.secrets {
        secret.value = values.remove(&secret.name);
    }
    Ok(())
}

async fn observe(
    workshop: Arc<Workshop>,
    supervisor: ActorRef<SupervisorMessage>,
    members: Vec<Member>,
    began: Timestamp,
) {
    let handler = workshop.handler.clone();
    let look = guarded(async move { handler.observe(&members).await });
    let seen = tokio::time::timeout(workshop.deadlines.orchestrator_call, look)
        .await
        .unwrap_or_else(|_| Err(Failure::not_applied(ErrorCode::Unreachable, "the orchestrator does not answer")));
    let observation = Observation { infrastructure: None, orchestrator: Some(seen) };
    let _ = supervisor.cast(SupervisorMessage::Observed(Box::new(observation), began));
}
