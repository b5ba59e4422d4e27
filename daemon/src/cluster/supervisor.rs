//! The supervisor actor of one cluster: the only one that changes its state.
//!
//! Everything that happens comes as a message: a request, the result of a call, something that was seen, a time that
//! came. Each is the same: change a copy of the state, write the difference, believe it, and advance by the plan.

use std::sync::Arc;
use std::time::Duration;

use muster_engine::action::{Action, Outcome};
use muster_engine::plan::{Gate, plan};
use muster_engine::state::{ClusterState, Observation};
use muster_protocol::model::operation::OperationInfo;
use muster_protocol::{Error, Timestamp};
use muster_store::Batch;
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort, SupervisionEvent};
use tokio::task::JoinHandle;
use tracing::{debug, warn};

use super::commit::Uncommitted;
use super::dispatch;
use super::driver::{DriverActor, DriverMessage};
use super::handler::{HandlerActor, HandlerMessage};
use super::intent::Intent;
use super::message::SupervisorMessage;
use super::workshop::Workshop;

/// The actor.
pub struct Supervisor;

/// Its state.
pub struct SupervisorState {
    pub(super) workshop: Workshop,
    /// As it is on disk.
    pub(super) current: Arc<ClusterState>,
    pub(super) driver: ActorRef<DriverMessage>,
    pub(super) handler: ActorRef<HandlerMessage>,
    pub(super) looking: Looking,
    alarm: Option<JoinHandle<Result<(), ractor::MessagingErr<SupervisorMessage>>>>,
    draining: Vec<RpcReplyPort<()>>,
    is_draining: bool,
    /// Nothing is left of the cluster, not even on disk.
    pub(super) is_retired: bool,
}

/// Looks that are under way, and when the next one is due.
pub(super) struct Looking {
    pub(super) machines: bool,
    pub(super) orchestrator: bool,
    pub(super) next: Timestamp,
}

impl Actor for Supervisor {
    type Msg = SupervisorMessage;
    type State = SupervisorState;
    type Arguments = (Workshop, Arc<ClusterState>);

    async fn pre_start(
        &self,
        myself: ActorRef<Self::Msg>,
        (workshop, current): Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        let arguments = (workshop.clone(), myself.clone());
        let (driver, _) = Actor::spawn_linked(None, DriverActor, arguments.clone(), myself.get_cell()).await?;
        let (handler, _) = Actor::spawn_linked(None, HandlerActor, arguments, myself.get_cell()).await?;
        let next = workshop.shared.clock.now();
        let looking = Looking { machines: false, orchestrator: false, next };
        let alarm = None;
        Ok(SupervisorState {
            workshop,
            current,
            driver,
            handler,
            looking,
            alarm,
            draining: Vec::new(),
            is_draining: false,
            is_retired: false,
        })
    }

    async fn post_start(
        &self,
        myself: ActorRef<Self::Msg>,
        _state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        myself.cast(SupervisorMessage::Wake)?;
        Ok(())
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            SupervisorMessage::Asked(intent, reply) => state.answer(*intent, reply).await?,
            SupervisorMessage::Finished(action, outcome) => state.note_result(action, outcome).await?,
            SupervisorMessage::Observed(observation, began) => state.note_observation(*observation, began).await?,
            SupervisorMessage::Wake => {}
            SupervisorMessage::Logs(request, reply) => {
                let members = state.current.members();
                state.handler.cast(HandlerMessage::Logs(members, request, reply))?;
                return Ok(());
            }
            SupervisorMessage::Drain(reply) => {
                state.is_draining = true;
                state.draining.push(reply);
            }
        }
        state.advance(&myself).await
    }

    async fn handle_supervisor_evt(
        &self,
        _myself: ActorRef<Self::Msg>,
        event: SupervisionEvent,
        _state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match event {
            SupervisionEvent::ActorFailed(_, error) => Err(error),
            SupervisionEvent::ActorTerminated(..) => Err("a child ended while its cluster lives".into()),
            SupervisionEvent::ActorStarted(_) | SupervisionEvent::ProcessGroupChanged(_) => Ok(()),
        }
    }

    async fn post_stop(&self, _myself: ActorRef<Self::Msg>, state: &mut Self::State) -> Result<(), ActorProcessingErr> {
        if let Some(alarm) = state.alarm.take() {
            alarm.abort();
        }
        Ok(())
    }
}

impl SupervisorState {
    fn now(&self) -> Timestamp {
        self.workshop.shared.clock.now()
    }

    async fn answer(
        &mut self,
        intent: Intent,
        reply: RpcReplyPort<Result<OperationInfo, Error>>,
    ) -> Result<(), ActorProcessingErr> {
        let mut next = (*self.current).clone();
        let mut batch = Batch::new();
        let admitted = match intent.admit(&self.workshop, &mut next, &mut batch).await {
            Ok(admitted) => admitted,
            Err(refusal) => {
                let _ = reply.send(Err(refusal));
                return Ok(());
            }
        };
        match self.commit(next, batch).await {
            Ok(()) => {
                // A caller that has gone away finds the operation in the list.
                let _ = reply.send(Ok(admitted));
                Ok(())
            }
            Err(Uncommitted::Refused(error)) => {
                let _ = reply.send(Err(error));
                Ok(())
            }
            Err(Uncommitted::InDoubt(error)) => Err(error.into()),
        }
    }

    async fn note_result(&mut self, action: Action, outcome: Outcome) -> Result<(), ActorProcessingErr> {
        // A call that was not begun by this incarnation concerns it only through the ledger.
        if self.current.in_flight.get(&action.key()).is_none_or(|call| call.action != action) {
            return Ok(());
        }
        let failed = match &outcome {
            Outcome::Failed(failure) => {
                warn!(cluster = %self.workshop.context.name(), %action, code = %failure.code, cause = %failure.message, "step failed");
                true
            }
            Outcome::Present(_) | Outcome::Absent | Outcome::Done | Outcome::Swept(_) => {
                debug!(cluster = %self.workshop.context.name(), %action, "step done");
                false
            }
        };
        metrics::counter!("muster_steps_total", "result" => if failed { "failed" } else { "done" }).increment(1);
        let mut next = (*self.current).clone();
        next.finish(&action, outcome, self.now());
        self.must_commit(next).await?;
        if !failed {
            // What was just changed is worth a look.
            self.looking.next = self.now();
        }
        Ok(())
    }

    async fn note_observation(&mut self, observation: Observation, began: Timestamp) -> Result<(), ActorProcessingErr> {
        if observation.machines.is_some() {
            self.looking.machines = false;
        }
        if observation.orchestrator.is_some() {
            self.looking.orchestrator = false;
        }
        let mut next = (*self.current).clone();
        next.observe(observation, began, self.now());
        self.must_commit(next).await
    }

    /// Begins what the plan allows, breaks off what it does not want any more, and sets the alarm for the next time.
    async fn advance(&mut self, myself: &ActorRef<SupervisorMessage>) -> Result<(), ActorProcessingErr> {
        let now = self.now();
        let mut next = (*self.current).clone();
        next.settle(now);
        let plan = plan(&next, now);
        for call in self.current.in_flight.values() {
            let wanted = plan.steps.iter().any(|step| step.action == call.action && step.gate == Gate::Running);
            if !wanted {
                self.driver.cast(DriverMessage::Cancel(call.action.clone()))?;
                self.handler.cast(HandlerMessage::Cancel(call.action.clone()))?;
            }
        }
        let mut begun = Vec::new();
        if !self.is_draining {
            let room = self.workshop.shared.pace.calls_per_cluster.saturating_sub(next.in_flight.len());
            for action in plan.ready().take(room) {
                next.begin(action, now);
                begun.push(action.clone());
            }
        }
        self.must_commit(next).await?;
        for action in begun {
            dispatch::perform(self, action)?;
        }
        if self.is_retired {
            myself.stop(Some(super::RETIRED.to_owned()));
            return Ok(());
        }
        dispatch::look(self, &plan, now)?;
        self.set_alarm(myself, &plan, now);
        if self.is_draining && self.current.in_flight.is_empty() {
            for reply in self.draining.drain(..) {
                let _ = reply.send(());
            }
        }
        Ok(())
    }

    fn set_alarm(&mut self, myself: &ActorRef<SupervisorMessage>, plan: &muster_engine::plan::Plan, now: Timestamp) {
        if let Some(alarm) = self.alarm.take() {
            alarm.abort();
        }
        let deadlines = self.current.operations.values().map(|operation| operation.info.deadline);
        let times = deadlines.chain(self.current.record.removal_deadline).chain(plan.next_try());
        let soonest = times.filter(|time| *time > now).chain([self.looking.next]).min();
        let wait = soonest.map_or(Duration::ZERO, |time| time.since(now)).max(Duration::from_millis(1));
        self.alarm = Some(myself.send_after(wait, || SupervisorMessage::Wake));
    }
}
