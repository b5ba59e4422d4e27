//! The collector's actor: an alarm clock for the work beside it. Each kind of work is done once at a time.

use std::sync::Arc;
use std::time::Duration;

use ractor::{Actor, ActorProcessingErr, ActorRef};
use tokio::sync::Mutex;
use tracing::error;

use super::leftovers::Leftovers;
use super::{Schedule, adopt, export, forget, look};
use crate::app::App;

/// What the collector is told: that it is time for something.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CollectorMessage {
    /// Export the store.
    Export,
    /// Forget old history.
    Forget,
    /// Look for leftovers.
    Look,
    /// Have clusters adopt a newer recipe, so many at once.
    Adopt(usize),
}

/// The actor.
pub struct Collector;

/// Its state.
pub struct CollectorState {
    app: Arc<App>,
    schedule: Schedule,
    leftovers: Arc<Mutex<Leftovers>>,
}

impl Actor for Collector {
    type Msg = CollectorMessage;
    type State = CollectorState;
    type Arguments = (Arc<App>, Schedule);

    async fn pre_start(
        &self,
        myself: ActorRef<Self::Msg>,
        (app, schedule): Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        if let Some(interval) = schedule.export {
            myself.send_after(interval, || CollectorMessage::Export);
        }
        myself.send_after(schedule.first, || CollectorMessage::Forget);
        myself.send_after(schedule.first, || CollectorMessage::Look);
        if let Some(at_once) = schedule.adopt_at_once {
            myself.send_after(schedule.first, move || CollectorMessage::Adopt(at_once));
        }
        Ok(CollectorState { app, schedule, leftovers: Arc::default() })
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        let (app, leftovers) = (state.app.clone(), state.leftovers.clone());
        let history = state.schedule.history;
        let again = state.interval(message);
        let work = tokio::spawn(async move {
            match message {
                CollectorMessage::Export => export::export(&app).await,
                CollectorMessage::Forget => forget::forget(&app, history).await,
                CollectorMessage::Adopt(at_once) => adopt::adopt(&app, at_once).await,
                CollectorMessage::Look => look::look(&app, &mut *leftovers.lock().await).await,
            }
        });
        tokio::spawn(async move {
            if work.await.is_err() {
                error!(?message, "the collector's work broke off by a mistake in Muster");
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
            CollectorMessage::Export => self.schedule.export.unwrap_or(Duration::MAX),
            CollectorMessage::Forget => self.schedule.forget,
            CollectorMessage::Look => self.schedule.look,
            CollectorMessage::Adopt(_) => self.schedule.adopt,
        }
    }
}
