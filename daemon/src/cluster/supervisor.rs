//! The supervisor actor of one cluster: the only one that changes its state.
//!
//! Everything that happens comes as a message: a request, the result of a call, something that was seen, a time that
//! came. Each is the same: change a copy of the state, draw the conclusions, note what is begun, write all that as one
//! difference, believe it, and only then make the calls.

use std::sync::Arc;
use std::time::Duration;

use muster_engine::action::{Action, Outcome};
use muster_engine::cycle::Advance;
use muster_engine::looks::Looks;
use muster_engine::member::Member;
use muster_engine::plan::Plan;
use muster_engine::state::ClusterState;
use muster_protocol::Timestamp;
use muster_store::Batch;
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort, SupervisionEvent};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tracing::{debug, warn};

use super::commit::Uncommitted;
use super::dispatch;
use super::driver::{DriverActor, DriverMessage};
use super::handler::{HandlerActor, HandlerMessage};
use super::message::SupervisorMessage;
use super::pending_reply::PendingReply;
use super::workshop::Workshop;

/// The actor.
pub struct Supervisor;

/// Its state.
pub struct SupervisorState {
    pub(super) workshop: Arc<Workshop>,
    /// As it is on disk.
    pub(super) current: Arc<ClusterState>,
    /// What is done about it.
    pub(super) plan: Arc<Plan>,
    pub(super) driver: ActorRef<DriverMessage>,
    pub(super) handler: ActorRef<HandlerMessage>,
    pub(super) looks: Looks,
    /// The machines that can be asked, for the handler's session.
    pub(super) members: watch::Sender<Vec<Member>>,
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

impl Actor for Supervisor {
    type Msg = SupervisorMessage;
    type State = SupervisorState;
    type Arguments = (Arc<Workshop>, Arc<ClusterState>);

    async fn pre_start(
        &self,
        myself: ActorRef<Self::Msg>,
        (workshop, current): Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        let arguments = (workshop.clone(), myself.clone());
        let (driver, _) = Actor::spawn_linked(None, DriverActor, arguments, myself.get_cell()).await?;
        let (members, watched) = watch::channel(current.members());
        let arguments = (workshop.clone(), myself.clone(), watched);
        let (handler, _) = Actor::spawn_linked(None, HandlerActor, arguments, myself.get_cell()).await?;
        let looks = Looks::new(workshop.shared.pace.looks, workshop.shared.clock.now());
        Ok(SupervisorState {
            workshop,
            current,
            plan: Arc::default(),
            driver,
            handler,
            looks,
            members,
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
        // In a box, so that each of thousands of supervisors has room for its work only while it works.
        Box::pin(state.react(&myself, message)).await
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

    /// Does what follows from a message.
    async fn react(
        &mut self,
        myself: &ActorRef<SupervisorMessage>,
        message: SupervisorMessage,
    ) -> Result<(), ActorProcessingErr> {
        let mut next = (*self.current).clone();
        let mut batch = Batch::new();
        let mut pending = None;
        match message {
            SupervisorMessage::Change(mut intent, reply) => {
                let turn = intent.turn.take();
                match intent.admit(&self.workshop, &mut next, &mut batch).await {
                    Ok(admitted) => pending = Some(PendingReply::Change { admitted, _turn: turn, reply }),
                    Err(refusal) => {
                        let _ = reply.send(Err(refusal));
                        return Ok(());
                    }
                }
            }
            SupervisorMessage::Finished(action, outcome) => self.note_result(&mut next, &action, outcome),
            SupervisorMessage::Observed(observation, began) => {
                self.looks.note_seen(&observation);
                next.observe(*observation, began, self.now());
            }
            SupervisorMessage::LookNow => self.looks.note_hint(),
            SupervisorMessage::Keep(key, value, reply) => {
                match self.keep(&mut next, &mut batch, &key, value.as_ref()) {
                    Ok(()) => pending = Some(PendingReply::Session(reply)),
                    Err(refusal) => {
                        let _ = reply.send(Err(refusal));
                        return Ok(());
                    }
                }
            }
            SupervisorMessage::Kept(reply) => {
                let _ = reply.send(self.kept().await);
                return Ok(());
            }
            // Whether it came on time or a moment early: it will not come again.
            SupervisorMessage::Wake => self.alarm = None,
            SupervisorMessage::Open(request, reply) => {
                let members = self.current.members();
                self.handler.cast(HandlerMessage::Open(members, request, reply))?;
                return Ok(());
            }
            SupervisorMessage::Access(order, reply) => {
                let members = self.current.members();
                self.handler.cast(HandlerMessage::Access(members, order, reply))?;
                return Ok(());
            }
            SupervisorMessage::Drain(reply) => {
                self.is_draining = true;
                self.draining.push(reply);
            }
        }
        self.advance(myself, next, batch, pending).await
    }

    /// Draws the conclusions and begins what the plan allows, all in one write with what has happened. Then, and only
    /// then, makes the calls, breaks off those that the plan does not want any more, and sets the alarm for the next time.
    async fn advance(
        &mut self,
        myself: &ActorRef<SupervisorMessage>,
        next: ClusterState,
        batch: Batch,
        pending: Option<PendingReply>,
    ) -> Result<(), ActorProcessingErr> {
        let now = self.now();
        // While it drains, nothing new is begun.
        let calls = if self.is_draining { 0 } else { self.workshop.shared.pace.calls_per_cluster };
        let Advance { next, plan, begun, unwanted } = next.advance(&self.current, &self.plan, calls, now);
        let pending = pending.map(|pending| pending.with_conclusions(&next));
        match (self.commit(next, plan, batch).await, pending) {
            (Ok(()), None) => {}
            (Ok(()), Some(pending)) => pending.confirm(),
            (Err(Uncommitted::Refused(error)), Some(pending)) => {
                // Nothing of it is so, and the alarm for what was so before is still set.
                pending.refuse(error);
                return Ok(());
            }
            // A result or observation has no caller to refuse. If it cannot be stored, this supervisor stops; the next
            // one starts from what is on disk.
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
