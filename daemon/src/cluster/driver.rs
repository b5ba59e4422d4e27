//! The driver actor: makes the calls to the infrastructure and prepares machines.

use std::sync::Arc;
use std::time::Duration;

use muster_engine::action::{Action, Outcome};
use muster_engine::failure::Failure;
use muster_engine::order::DriverOrder;
use muster_engine::preparer::StepOrder;
use muster_engine::state::Observation;
use muster_protocol::{ErrorCode, Timestamp};
use ractor::{Actor, ActorProcessingErr, ActorRef};

use super::calls::{Calls, guarded};
use super::message::SupervisorMessage;
use super::workshop::Workshop;

/// What the supervisor asks for.
pub enum DriverMessage {
    /// Perform this action within this time.
    Perform(Action, DriverOrder, Duration),
    /// Perform a step on a machine within this time.
    Step(Action, StepOrder, Duration),
    /// Break it off.
    Cancel(Action),
    /// Look at the machines.
    Observe(Timestamp),
}

/// The actor.
pub struct DriverActor;

/// Its state.
pub struct DriverState {
    workshop: Arc<Workshop>,
    supervisor: ActorRef<SupervisorMessage>,
    calls: Calls,
}

impl Actor for DriverActor {
    type Msg = DriverMessage;
    type State = DriverState;
    type Arguments = (Arc<Workshop>, ActorRef<SupervisorMessage>);

    async fn pre_start(
        &self,
        _myself: ActorRef<Self::Msg>,
        (workshop, supervisor): Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        let calls = Calls::new(supervisor.clone());
        Ok(DriverState { workshop, supervisor, calls })
    }

    async fn handle(
        &self,
        _myself: ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            DriverMessage::Perform(action, order, limit) => {
                let call = perform(state.workshop.clone(), order, limit);
                state.calls.start(action, limit, call);
            }
            DriverMessage::Step(action, order, limit) => {
                state.calls.start(action, limit, step(state.workshop.clone(), order));
            }
            DriverMessage::Cancel(action) => state.calls.cancel(&action),
            DriverMessage::Observe(began) => {
                tokio::spawn(observe(state.workshop.clone(), state.supervisor.clone(), began));
            }
        }
        Ok(())
    }
}

async fn perform(workshop: Arc<Workshop>, order: DriverOrder, limit: Duration) -> Outcome {
    let call = order.perform(&*workshop.driver, &workshop.context);
    // A call that waited for all of its time would have none left.
    workshop.account.call(limit / 2, call).await.unwrap_or_else(|| {
        let message = "other calls to this account left no room for it";
        let remedy = "see what they wait for with `muster cluster list`, or raise `calls_per_account`";
        Outcome::Failed(Failure::not_applied(ErrorCode::Busy, message).with_remedy(remedy))
    })
}

/// It goes to the machine and asks nothing of the account.
async fn step(workshop: Arc<Workshop>, order: StepOrder) -> Outcome {
    order.perform(&*workshop.preparer, &workshop.context).await
}

async fn observe(workshop: Arc<Workshop>, supervisor: ActorRef<SupervisorMessage>, began: Timestamp) {
    let limit = workshop.deadlines.orchestrator_call;
    let (driver, context) = (workshop.driver.clone(), workshop.context.clone());
    let look = tokio::time::timeout(limit, guarded(async move { driver.observe(&context).await }));
    let unseen = |code, message: &str| Err(Failure::not_applied(code, message));
    let seen = match workshop.account.look(limit, look).await {
        Some(Ok(seen)) => seen,
        Some(Err(_)) => unseen(ErrorCode::Unreachable, "the infrastructure does not answer"),
        None => unseen(ErrorCode::Busy, "other looks at this account left no room for this one"),
    };
    let observation = Observation { infrastructure: Some(seen), orchestrator: None };
    let _ = supervisor.cast(SupervisorMessage::Observed(Box::new(observation), began));
}
