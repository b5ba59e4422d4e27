//! The collector's actor: an alarm clock for the work beside it. Each kind of work is done once at a time.

use std::sync::Arc;
use std::time::Duration;

use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::sync::Mutex;

use super::leftovers::Leftovers;
use super::{Habits, export, forget, look};
use crate::gateway::context::Context;

/// What the collector is told: that it is time for something.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CollectorMessage {
    /// Export the store.
    Export,
    /// Forget old history.
    Forget,
    /// Look for leftovers.
    Look,
}

/// The actor.
pub struct Collector;

/// Its state.
pub struct CollectorState {
    context: Arc<Context>,
    habits: Habits,
    leftovers: Arc<Mutex<Leftovers>>,
}

impl Actor for Collector {
    type Msg = CollectorMessage;
    type State = CollectorState;
    type Arguments = (Arc<Context>, Habits);

    async fn pre_start(
        &self,
        myself: ActorRef<Self::Msg>,
        (context, habits): Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        if let Some(interval) = habits.export {
            myself.send_after(interval, || CollectorMessage::Export);
        }
        myself.send_after(habits.first, || CollectorMessage::Forget);
        myself.send_after(habits.first, || CollectorMessage::Look);
        Ok(CollectorState { context, habits, leftovers: Arc::default() })
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        let (context, leftovers) = (state.context.clone(), state.leftovers.clone());
        let history = state.habits.history;
        let again = state.interval(message);
        tokio::spawn(async move {
            match message {
                CollectorMessage::Export => export::export(&context).await,
                CollectorMessage::Forget => forget::forget(&context, history).await,
                CollectorMessage::Look => look::look(&context, &mut *leftovers.lock().await).await,
            }
            // Counted from the end, so that slow work does not pile up.
            myself.send_after(again, move || message);
        });
        Ok(())
    }
}

impl CollectorState {
    fn interval(&self, message: CollectorMessage) -> Duration {
        match message {
            CollectorMessage::Export => self.habits.export.unwrap_or(Duration::MAX),
            CollectorMessage::Forget => self.habits.forget,
            CollectorMessage::Look => self.habits.look,
        }
    }
}
