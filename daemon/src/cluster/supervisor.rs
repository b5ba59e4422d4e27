//! The supervisor actor of one cluster: the only one that changes its state.
//!
//! Everything that happens comes as a message: a request, the result of a call, something that was seen, a time that
//! came. Each is the same: change a copy of the state, draw the conclusions, note what is begun, write all that as one
//! difference, believe it, and only then make the calls.

use std::sync::Arc;
use std::time::Duration;

use muster_engine::action::{Action, Outcome};
use muster_engine::looks::Looks;
use muster_engine::plan::Plan;
use muster_engine::state::{Advance, ClusterState};
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
use super::intent::Turn;
use super::message::SupervisorMessage;
use super::workshop::Workshop;

/// The actor.
pub struct Supervisor;

/// Its state.
pub struct SupervisorState {
    pub(super) workshop: Workshop,
    /// As it is on disk.
    pub(super) current: Arc<ClusterState>,
    /// What is done about it.
    pub(super) plan: Arc<Plan>,
    pub(super) driver: ActorRef<DriverMessage>,
    pub(super) handler: ActorRef<HandlerMessage>,
    pub(super) looks: Looks,
    alarm: Option<Alarm>,
    draining: Vec<RpcReplyPort<()>>,
    is_draining: bool,
    /// Nothing is left of the cluster, not even on disk.
    pub(super) is_retired: bool,
}

/// A [`SupervisorMessage::Wake`] that is on its way.
struct Alarm {
    at: Timestamp,
    timer: JoinHandle<Result<(), ractor::MessagingErr<SupervisorMessage>>>,
}

/// Somebody who waits for the answer to a request.
struct Asker {
    admitted: OperationInfo,
    _turn: Option<Turn>,
    reply: RpcReplyPort<Result<OperationInfo, Error>>,
}

impl Asker {
    /// The operation as it is after the conclusions were drawn; it may have ended already.
    fn with_conclusions(self, next: &ClusterState) -> Self {
        let operation = next.operations.get(&self.admitted.id);
        Self { admitted: operation.map_or(self.admitted, |operation| operation.info.clone()), ..self }
    }
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
        let looks = Looks::new(workshop.shared.pace.looks, workshop.shared.clock.now());
        Ok(SupervisorState {
            workshop,
            current,
            plan: Arc::default(),
            driver,
            handler,
            looks,
            alarm: None,
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
        let mut next = (*state.current).clone();
        let mut batch = Batch::new();
        let mut asker = None;
        match message {
            SupervisorMessage::Asked(mut intent, reply) => {
                let turn = intent.turn.take();
                match intent.admit(&state.workshop, &mut next, &mut batch).await {
                    Ok(admitted) => asker = Some(Asker { admitted, _turn: turn, reply }),
                    Err(refusal) => {
                        let _ = reply.send(Err(refusal));
                        return Ok(());
                    }
                }
            }
            SupervisorMessage::Finished(action, outcome) => state.note_result(&mut next, &action, outcome),
            SupervisorMessage::Observed(observation, began) => {
                state.looks.note_seen(&observation);
                next.observe(*observation, began, state.now());
            }
            // Whether it came on time or a moment early: it will not come again.
            SupervisorMessage::Wake => state.alarm = None,
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
        state.advance(&myself, next, batch, asker).await
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
            alarm.timer.abort();
        }
        Ok(())
    }
}

impl SupervisorState {
    fn now(&self) -> Timestamp {
        self.workshop.shared.clock.now()
    }

    fn note_result(&mut self, next: &mut ClusterState, action: &Action, outcome: Outcome) {
        // A call that was not begun by this incarnation concerns it only through the ledger.
        if next.in_flight.get(&action.key()).is_none_or(|call| call.action != *action) {
            return;
        }
        let name = self.workshop.context.name();
        let failed = match &outcome {
            Outcome::Failed(failure) => {
                warn!(cluster = %name, %action, code = %failure.code, cause = %failure.message, "step failed");
                true
            }
            Outcome::Present(_) | Outcome::Absent | Outcome::Done | Outcome::Swept(_) => {
                debug!(cluster = %name, %action, "step done");
                false
            }
        };
        metrics::counter!("muster_steps_total", "result" => if failed { "failed" } else { "done" }).increment(1);
        self.looks.note_result(&outcome, self.now());
        next.finish(action, outcome, self.now());
    }

    /// Draws the conclusions and begins what the plan allows, all in one write with what has happened. Then, and only
    /// then, makes the calls, breaks off those that the plan does not want any more, and sets the alarm for the next time.
    async fn advance(
        &mut self,
        myself: &ActorRef<SupervisorMessage>,
        next: ClusterState,
        batch: Batch,
        asker: Option<Asker>,
    ) -> Result<(), ActorProcessingErr> {
        let now = self.now();
        // While it drains, nothing new is begun.
        let calls = if self.is_draining { 0 } else { self.workshop.shared.pace.calls_per_cluster };
        let Advance { next, plan, begun, unwanted } = next.advance(&self.current, &self.plan, calls, now);
        let asker = asker.map(|asker| asker.with_conclusions(&next));
        match (self.commit(next, plan, batch).await, asker) {
            (Ok(()), None) => {}
            (Ok(()), Some(Asker { admitted, reply, _turn })) => {
                // A caller that has gone away finds the operation in the list.
                let _ = reply.send(Ok(admitted));
            }
            (Err(Uncommitted::Refused(error)), Some(Asker { reply, .. })) => {
                // Nothing of it is so, and the alarm for what was so before is still set.
                let _ = reply.send(Err(error));
                return Ok(());
            }
            // What has happened cannot be refused. Whatever the reason, this incarnation cannot go on: the next one
            // starts from what is on disk.
            (Err(Uncommitted::Refused(error)), None) => return Err(error.into()),
            (Err(Uncommitted::InDoubt(error)), _) => return Err(error.into()),
        }
        for action in unwanted {
            self.driver.cast(DriverMessage::Cancel(action.clone()))?;
            self.handler.cast(HandlerMessage::Cancel(action))?;
        }
        for begun in begun {
            dispatch::perform(self, myself, begun)?;
        }
        if self.is_retired {
            myself.stop(Some(super::RETIRED.to_owned()));
            return Ok(());
        }
        dispatch::look(self, now)?;
        self.set_alarm(myself, now);
        if self.is_draining && self.current.in_flight.is_empty() {
            for reply in self.draining.drain(..) {
                let _ = reply.send(());
            }
        }
        Ok(())
    }

    fn set_alarm(&mut self, myself: &ActorRef<SupervisorMessage>, now: Timestamp) {
        let at = self.current.wakes_at(&self.plan, &self.looks, now);
        if self.alarm.as_ref().is_some_and(|alarm| alarm.at == at) {
            return;
        }
        if let Some(alarm) = self.alarm.take() {
            alarm.timer.abort();
        }
        let wait = at.since(now).max(Duration::from_millis(1));
        self.alarm = Some(Alarm { at, timer: myself.send_after(wait, || SupervisorMessage::Wake) });
    }
}
