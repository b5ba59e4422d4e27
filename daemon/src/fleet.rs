//! The fleet: one supervisor per cluster, started again with growing delays when it fails.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use muster_engine::state::ClusterState;
use muster_engine::words;
use muster_protocol::{ClusterId, Error, ErrorCode};
use ractor::{Actor, ActorId, ActorProcessingErr, ActorRef, RpcReplyPort, SupervisionEvent};
use tokio::time::Instant;
use tracing::{error, info};

use crate::cluster::message::SupervisorMessage;
use crate::cluster::supervisor::Supervisor;
use crate::cluster::{RENEWED, RETIRED};
use crate::provisioner::{Loaded, Provisioner};
use crate::reloads::Reloads;
use crate::vital::pong;

/// What the fleet is told.
pub enum FleetMessage {
    /// Supervise this cluster: it is on disk.
    Start(Arc<ClusterState>),
    /// Supervise these clusters: they are pinned up as they are on disk. Some at a time, so that whatever else the fleet is
    /// told need not wait for thousands.
    Resume(Vec<ClusterId>),
    /// Supervise the next of those.
    ResumeMore,
    /// There is nothing to supervise them with, and there will not be.
    CannotResume(Error),
    /// Supervise this one of those before the others: somebody waits for it.
    ResumeFirst(ClusterId),
    /// Supervise it again, from what is on disk.
    Restart(ClusterId),
    /// This is on disk of clusters that were to be read again.
    Loaded(Vec<(ClusterId, Loaded)>),
    /// Supervise it with other tools: its account was replaced. Calls under way are cut off, as by a crash.
    Renew(ClusterId),
    /// Answer, to show that the fleet lives.
    Ping(RpcReplyPort<()>),
    /// Have all supervisors finish what they do; answer when that is so.
    Drain(RpcReplyPort<()>),
}

/// The actor.
pub struct Fleet;

/// Its state.
pub struct FleetState {
    provisioner: Arc<Provisioner>,
    supervised: HashMap<ActorId, Supervised>,
    /// Failures in a row.
    failures: HashMap<ClusterId, u32>,
    reloads: Reloads,
    /// Clusters that are to be supervised again after a start.
    unresumed: BTreeSet<ClusterId>,
    is_draining: bool,
}

struct Supervised {
    cluster: ClusterId,
    supervisor: ActorRef<SupervisorMessage>,
    since: Instant,
}

/// Supervisors that start in one go after a start of the daemon.
const RESUMED_AT_ONCE: usize = 16;
/// The delay before the first restart; it doubles with each failure in a row.
const FIRST_DELAY: Duration = Duration::from_millis(100);
const LONGEST_DELAY: Duration = Duration::from_secs(30);
/// A supervisor that lived so long was well: its failure is not one in a row.
const WELL_AFTER: Duration = Duration::from_secs(60);

impl Actor for Fleet {
    type Msg = FleetMessage;
    type State = FleetState;
    type Arguments = Arc<Provisioner>;

    async fn pre_start(
        &self,
        _myself: ActorRef<Self::Msg>,
        provisioner: Self::Arguments,
    ) -> Result<Self::State, ActorProcessingErr> {
        Ok(FleetState {
            provisioner,
            supervised: HashMap::new(),
            failures: HashMap::new(),
            reloads: Reloads::default(),
            unresumed: BTreeSet::new(),
            is_draining: false,
        })
    }

    async fn handle(
        &self,
        myself: ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            FleetMessage::Start(cluster) => state.start(&myself, cluster).await,
            FleetMessage::Resume(clusters) => {
                state.unresumed.extend(clusters);
                let (provisioner, fleet) = (state.provisioner.clone(), myself.clone());
                tokio::spawn(async move {
                    let message = match provisioner.opened().await {
                        Ok(()) => FleetMessage::ResumeMore,
                        Err(error) => FleetMessage::CannotResume(error),
                    };
                    let _ = fleet.cast(message);
                });
            }
            FleetMessage::CannotResume(error) => return Err(error.message.into()),
            FleetMessage::ResumeMore => {
                for _ in 0..RESUMED_AT_ONCE {
                    let Some(cluster) = state.unresumed.pop_first() else { break };
                    state.resume(&myself, cluster).await;
                }
                if !state.unresumed.is_empty() {
                    myself.cast(FleetMessage::ResumeMore)?;
                }
            }
            FleetMessage::ResumeFirst(cluster) => {
                if state.unresumed.remove(&cluster) {
                    state.resume(&myself, cluster).await;
                }
            }
            FleetMessage::Restart(cluster) => state.restart(&myself, cluster),
            FleetMessage::Loaded(clusters) => state.start_again(&myself, clusters).await,
            FleetMessage::Renew(cluster) => {
                let supervised = state.supervised.values().find(|supervised| supervised.cluster == cluster);
                match supervised {
                    Some(Supervised { supervisor, .. }) => supervisor.stop(Some(RENEWED.to_owned())),
                    // What is pinned up of it was made with the earlier tools.
                    None if state.unresumed.remove(&cluster) => state.restart(&myself, cluster),
                    // One that waits for its restart finds the new tools by itself.
                    None => state.reloads.want_anew(cluster),
                }
            }
            FleetMessage::Ping(reply) => pong(reply),
            FleetMessage::Drain(reply) => {
                state.is_draining = true;
                state.unresumed.clear();
                let limit = state.provisioner.shared.pace.drain;
                let supervisors: Vec<_> =
                    state.supervised.values().map(|supervised| supervised.supervisor.clone()).collect();
                tokio::spawn(async move {
                    let drained =
                        supervisors.iter().map(|supervisor| supervisor.call(SupervisorMessage::Drain, Some(limit)));
                    // One that does not end its calls in time is no worse than a crash: its ledger says what to look up.
                    futures::future::join_all(drained).await;
                    let _ = reply.send(());
                });
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
        match event {
            SupervisionEvent::ActorStarted(_) | SupervisionEvent::ProcessGroupChanged(_) => {}
            SupervisionEvent::ActorTerminated(cell, _, reason) => {
                let Some(ended) = state.supervised.remove(&cell.get_id()) else { return Ok(()) };
                match reason.as_deref() {
                    Some(RETIRED) => {
                        state.failures.remove(&ended.cluster);
                    }
                    Some(RENEWED) if !state.is_draining => {
                        state.provisioner.shared.board.set_supervisor(ended.cluster, None);
                        state.restart(&myself, ended.cluster);
                    }
                    _ => state.schedule_restart(&myself, ended.cluster),
                }
            }
            SupervisionEvent::ActorFailed(cell, cause) => {
                if let Some(Supervised { cluster, since, .. }) = state.supervised.remove(&cell.get_id()) {
                    if since.elapsed() >= WELL_AFTER {
                        state.failures.remove(&cluster);
                    }
                    error!(%cluster, %cause, "supervisor failed");
                    metrics::counter!("muster_supervisor_failures_total").increment(1);
                    state.schedule_restart(&myself, cluster);
                }
            }
        }
        Ok(())
    }
}

impl FleetState {
    /// Supervises a cluster as it is pinned up. One that is in trouble is read again, for that may pass.
    async fn resume(&mut self, myself: &ActorRef<FleetMessage>, cluster: ClusterId) {
        let board = &self.provisioner.shared.board;
        let Some(pinned) = board.cluster_by_id(cluster) else { return };
        if pinned.trouble.is_some() {
            // Noted, so that it is in this trouble since now as long as it stays the same.
            board.set_trouble(cluster, pinned.trouble);
            return self.restart(myself, cluster);
        }
        self.start(myself, pinned.state).await;
    }

    async fn start(&mut self, myself: &ActorRef<FleetMessage>, state: Arc<ClusterState>) {
        let cluster = state.id();
        let (workshop, trouble) = match self.provisioner.workshop(&state.record).await {
            Ok(equipped) => equipped,
            Err(error) => return self.restart_later(myself, cluster, error),
        };
        match Actor::spawn_linked(None, Supervisor, (Arc::new(workshop), state), myself.get_cell()).await {
            Ok((supervisor, _)) => {
                self.provisioner.shared.board.set_supervisor(cluster, Some(supervisor.clone()));
                self.provisioner.note_trouble(cluster, trouble);
                let since = Instant::now();
                self.supervised.insert(supervisor.get_id(), Supervised { cluster, supervisor, since });
            }
            Err(error) => self.restart_later(myself, cluster, Error::new(ErrorCode::Internal, words::chain(&error))),
        }
    }

    /// Has a cluster read from disk and supervised, together with others that wait for the same.
    fn restart(&mut self, myself: &ActorRef<FleetMessage>, cluster: ClusterId) {
        self.reloads.want(cluster);
        self.load(myself);
    }

    /// Reading takes a while, and new clusters do not wait for it.
    fn load(&mut self, myself: &ActorRef<FleetMessage>) {
        let Some(clusters) = self.reloads.begin() else { return };
        let (provisioner, fleet) = (self.provisioner.clone(), myself.clone());
        tokio::spawn(async move {
            let wanted = clusters.clone();
            // A task of its own, so that a panic in it is an answer and not a silence.
            let reading = tokio::spawn(async move { provisioner.load(&wanted).await });
            let loaded = reading.await.unwrap_or_else(|lost| {
                let unread = || Loaded::Unread(Error::new(ErrorCode::Internal, words::chain(&lost)));
                clusters.into_iter().map(|cluster| (cluster, unread())).collect()
            });
            let _ = fleet.cast(FleetMessage::Loaded(loaded));
        });
    }

    async fn start_again(&mut self, myself: &ActorRef<FleetMessage>, clusters: Vec<(ClusterId, Loaded)>) {
        self.reloads.end();
        for (cluster, loaded) in clusters {
            if self.is_draining || self.reloads.is_wanted(cluster) {
                continue;
            }
            match loaded {
                Loaded::Found(state, None) => {
                    info!(%cluster, "supervisor starts again");
                    let state = Arc::new(*state);
                    self.provisioner.shared.board.publish(state.clone(), None);
                    self.start(myself, state).await;
                }
                Loaded::Found(state, Some(trouble)) => {
                    self.provisioner.shared.board.publish(Arc::new(*state), Some(Arc::default()));
                    self.restart_later(myself, cluster, trouble);
                }
                Loaded::Gone => {
                    // It was gone, and its record too: only the last word was lost.
                    self.failures.remove(&cluster);
                    self.provisioner.shared.board.remove(cluster);
                }
                Loaded::Unread(error) => self.restart_later(myself, cluster, error),
            }
        }
        self.load(myself);
    }

    /// The cluster cannot be supervised now: says why, and tries again after a while.
    fn restart_later(&mut self, myself: &ActorRef<FleetMessage>, cluster: ClusterId, why: Error) {
        self.provisioner.note_trouble(cluster, Some(why));
        self.schedule_restart(myself, cluster);
    }

    fn schedule_restart(&mut self, myself: &ActorRef<FleetMessage>, cluster: ClusterId) {
        self.provisioner.shared.board.set_supervisor(cluster, None);
        if self.is_draining {
            return;
        }
        let failures = self.failures.entry(cluster).or_default();
        let delay = FIRST_DELAY.saturating_mul(1 << (*failures).min(10)).min(LONGEST_DELAY);
        *failures += 1;
        myself.send_after(delay, move || FleetMessage::Restart(cluster));
    }
}
