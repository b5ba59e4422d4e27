//! The driver actor: makes the calls to the infrastructure and prepares machines.

use std::time::Duration;

use muster_engine::action::{Action, Outcome};
use muster_engine::driver::MachineOrder;
use muster_engine::failure::Failure;
use muster_engine::ledger::{MachineAccess, ResourceKey};
use muster_engine::state::Observation;
use muster_protocol::model::host::Role;
use muster_protocol::{ErrorCode, Name, Timestamp};
use ractor::{Actor, ActorProcessingErr, ActorRef};

use super::calls::Calls;
use super::message::SupervisorMessage;
use super::workshop::Workshop;

/// What the supervisor asks for.
pub enum DriverMessage {
    /// Perform this action within this time.
    Perform(Action, Box<DriverOrder>, Duration),
    /// Break it off.
    Cancel(Action),
    /// Look at the machines.
    Observe(Timestamp),
}

/// What is needed for an action, as of the moment in which it was begun.
pub struct DriverOrder {
    /// The order for a network or machine.
    pub order: Option<MachineOrder>,
    /// The provider's id of it, where known.
    pub id: Option<String>,
    /// How the machine is reached, where known.
    pub access: Option<MachineAccess>,
}

/// The actor.
pub struct DriverActor;

/// Its state.
pub struct DriverState {
    workshop: Workshop,
    supervisor: ActorRef<SupervisorMessage>,
    calls: Calls,
}

impl Actor for DriverActor {
    type Msg = DriverMessage;
    type State = DriverState;
    type Arguments = (Workshop, ActorRef<SupervisorMessage>);

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
                let call = perform(state.workshop.clone(), action.clone(), *order, limit);
                state.calls.start(action, limit, call);
            }
            DriverMessage::Cancel(action) => state.calls.cancel(&action),
            DriverMessage::Observe(began) => {
                tokio::spawn(observe(state.workshop.clone(), state.supervisor.clone(), began));
            }
        }
        Ok(())
    }
}

async fn perform(workshop: Workshop, action: Action, order: DriverOrder, limit: Duration) -> Outcome {
    if let Action::Prepare(name) = &action {
        // It goes to the machine and asks nothing of the account.
        return prepare(&workshop, name, order).await.unwrap_or_else(|| not_performed(&action));
    }
    // A call that waited for all of its time would have none left.
    let called = workshop.account.call(limit / 2, call(&workshop, &action, order)).await;
    called.unwrap_or_else(|| {
        let message = "other calls to this account left no room for it";
        let remedy = "see what they wait for with `muster cluster list`, or raise `calls_per_account`";
        Outcome::Failed(Failure::not_applied(ErrorCode::Busy, message).with_remedy(remedy))
    })
}

async fn prepare(workshop: &Workshop, machine: &Name, order: DriverOrder) -> Option<Outcome> {
    let role = order.order.and_then(|order| order.role).unwrap_or(Role::Worker);
    let prepared = workshop.preparer.prepare(&workshop.context, machine, role, &order.access?).await;
    Some(prepared.map_or_else(Outcome::Failed, |()| Outcome::Done))
}

async fn call(workshop: &Workshop, action: &Action, order: DriverOrder) -> Outcome {
    let (driver, context) = (&workshop.driver, &workshop.context);
    let called = match (action, order) {
        (Action::Create(_), DriverOrder { order: Some(order), .. }) => {
            driver.create(context, &order).await.map(Outcome::Present)
        }
        (Action::LookUp(key), _) => {
            driver.look_up(context, key).await.map(|found| found.map_or(Outcome::Absent, Outcome::Present))
        }
        (Action::Start(name), DriverOrder { id: Some(id), .. }) => {
            let key = ResourceKey::Machine(name.clone());
            driver.start(context, &key, &id).await.map(Outcome::Present)
        }
        (Action::Remove(key), DriverOrder { id: Some(id), .. }) => {
            driver.remove(context, key, &id).await.map(|()| Outcome::Done)
        }
        (Action::Sweep, _) => driver.list_owned(context.instance, Some(context.cluster)).await.map(Outcome::Swept),
        (
            Action::Create(_)
            | Action::Start(_)
            | Action::Remove(_)
            | Action::Prepare(_)
            | Action::Update(_)
            | Action::Await(_),
            _,
        ) => return not_performed(action),
    };
    called.unwrap_or_else(Outcome::Failed)
}

/// The order does not fit the action. The planner does not ask for such a thing; should it, nothing was called.
fn not_performed(action: &Action) -> Outcome {
    Outcome::Failed(Failure::not_applied(ErrorCode::Internal, format!("`{action}` lacks what it needs")))
}

async fn observe(workshop: Workshop, supervisor: ActorRef<SupervisorMessage>, began: Timestamp) {
    let limit = workshop.deadlines.orchestrator_call;
    let look = tokio::time::timeout(limit, workshop.driver.observe(&workshop.context));
    let unseen = |code, message: &str| Err(Failure::not_applied(code, message));
    let seen = match workshop.account.look(limit, look).await {
        Some(Ok(seen)) => seen,
        Some(Err(_)) => unseen(ErrorCode::Unreachable, "the infrastructure does not answer"),
        None => unseen(ErrorCode::Busy, "other looks at this account left no room for this one"),
    };
    let observation = Observation { machines: Some(seen), orchestrator: None };
    let _ = supervisor.cast(SupervisorMessage::Observed(Box::new(observation), began));
}
