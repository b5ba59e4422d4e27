//! The root of the actor tree. Its children are all that the daemon cannot be without: if one fails, the daemon ends and its
//! service manager starts it anew, from what is on disk.
//!
//! ```text
//! Root
//! ├── Fleet        one supervisor per cluster
//! ├── Gateway      the socket and its sessions
//! └── Collector    leftovers, expired things, exports
//! ```
//! The store's writer is a thread of the store. When it stops, the daemon ends as if a child had failed.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use metrics_exporter_prometheus::PrometheusHandle;
use muster_protocol::model::cluster::ClusterPhase;
use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};
use tokio::sync::oneshot;
use tracing::error;

use crate::board::Board;
use crate::collector::Schedule;
use crate::collector::actor::Collector;
use crate::core::Core;
use crate::gateway::actor::{Gateway, GatewayMessage};
use crate::gateway::listener::Listener;
use crate::systemd::notify;
use crate::vital::Vital;

/// How often metrics are tidied up.
const UPKEEP: Duration = Duration::from_secs(5);

/// The phases of clusters that exist.
const PHASES: [ClusterPhase; 6] = [
    ClusterPhase::Creating,
    ClusterPhase::Ready,
    ClusterPhase::Updating,
    ClusterPhase::Degraded,
    ClusterPhase::Deleting,
    ClusterPhase::Released,
];

/// What the root is told.
pub enum RootMessage {
    /// Tell systemd that the daemon lives, if it does: its watchdog waits for so long.
    Ping(Duration),
    /// Count what is there, and tidy up the metrics.
    Upkeep,
}

/// The actor.
pub struct Root;

/// What the tree is made from.
pub struct RootParts {
    /// The fleet, running, and what all share.
    pub core: Core,
    /// The socket.
    pub listener: Listener,
    /// What the collector does how often.
    pub schedule: Schedule,
    /// The metrics of the process.
    pub metrics: Option<PrometheusHandle>,
    /// Where the cause is left if the tree fails.
    pub failure: Arc<OnceLock<String>>,
    /// Told when the children run.
    pub ready: oneshot::Sender<ActorRef<GatewayMessage>>,
}

/// Its state.
pub struct RootState {
    board: Arc<Board>,
    vital: Vital,
    metrics: Option<PrometheusHandle>,
    failure: Arc<OnceLock<String>>,
}

impl Actor for Root {
    type Msg = RootMessage;
    type State = RootState;
    type Arguments = RootParts;

    async fn pre_start(
        &self,
        myself: ActorRef<Self::Msg>,
        parts: RootParts,
    ) -> Result<Self::State, ActorProcessingErr> {
        let RootParts { mut core, listener, schedule, metrics, failure, ready } = parts;
        let cell = myself.get_cell();
        core.fleet.link(cell.clone());
        let context = core.app.clone();
        let board = context.provisioner.shared.board.clone();
        let (gateway, _) = Actor::spawn_linked(None, Gateway, (context.clone(), listener), cell.clone()).await?;
        let vital = Vital { fleet: core.fleet.clone(), gateway: gateway.clone(), store: context.store.clone() };
        Actor::spawn_linked(None, Collector, (context, schedule), cell).await?;
        // The gateway answers already, from the board; supervisors start behind it.
        core.resume();
        // Without a receiver the start was given up, and the tree ends with its handle.
        let _ = ready.send(gateway);
        if let Some(limit) = sd_notify::watchdog_enabled() {
            myself.send_interval(limit / 2, move || RootMessage::Ping(limit));
        }
        if metrics.is_some() {
            myself.send_interval(UPKEEP, || RootMessage::Upkeep);
        }
        Ok(RootState { board, vital, metrics, failure })
    }

    async fn handle(
        &self,
        _myself: ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            RootMessage::Ping(limit) => {
                let vital = state.vital.clone();
                // The next ping comes whether or not this one is answered.
                tokio::spawn(async move {
                    match vital.silent(limit).await {
                        None => notify(&[sd_notify::NotifyState::Watchdog]),
                        Some(part) => error!(part, "a part of the daemon does not answer; the watchdog will end it"),
                    }
                });
            }
            RootMessage::Upkeep => {
                if let Some(metrics) = &state.metrics {
                    count_clusters(&state.board);
                    metrics.run_upkeep();
                }
            }
        }
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<Self::Msg>,
        event: SupervisionEvent,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        let cause = match event {
            SupervisionEvent::ActorFailed(_, cause) => cause.to_string(),
            SupervisionEvent::ActorTerminated(..) => "a part ended that should not".to_owned(),
            SupervisionEvent::ActorStarted(_) | SupervisionEvent::ProcessGroupChanged(_) => return Ok(()),
        };
        let _ = state.failure.set(cause.clone());
        myself.stop(Some(cause));
        Ok(())
    }
}

fn count_clusters(board: &Board) {
    let mut counts: BTreeMap<ClusterPhase, u32> = PHASES.iter().map(|phase| (*phase, 0)).collect();
    for pinned in board.all() {
        *counts.entry(pinned.state.record.phase).or_default() += 1;
    }
    for (phase, count) in counts {
        metrics::gauge!("muster_clusters", "phase" => phase.as_str()).set(f64::from(count));
    }
}
