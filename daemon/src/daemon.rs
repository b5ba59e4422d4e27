//! The daemon as a value: started, used, shut down. A process may have several; tests do.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures::future::BoxFuture;
use metrics_exporter_prometheus::PrometheusHandle;
use muster_protocol::InstanceId;
use muster_store::{
    BatchError, CommitError, KeyError, KeySource, NotApplied, OpenError, OpenOptions, ReadError, Sealer, Store,
};
use ractor::{Actor, ActorRef};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tracing::{error, info, warn};

use crate::app::App;
use crate::board::Board;
use crate::clock::Clock;
use crate::collector::Schedule;
use crate::config::{Config, Places};
use crate::core::{self, Core};
use crate::fleet::FleetMessage;
use crate::gateway::actor::GatewayMessage;
use crate::gateway::listener::{ListenError, Listener};
use crate::journal::load::newest_event;
use crate::kinds::Kinds;
use crate::own_events;
use crate::root::{Root, RootMessage, RootParts};
use crate::state_dir::{self, StateDirError, make_private, refuse_lost_store};
use crate::systemd::notify;

/// What a daemon is started with.
pub struct Options {
    /// The configuration.
    pub config: Config,
    /// Where things lie of which the configuration says nothing.
    pub places: Places,
    /// Orchestrators and infrastructures; they may take their time while the store opens.
    pub kinds: BoxFuture<'static, Result<Arc<dyn Kinds>, DaemonError>>,
    /// The time.
    pub clock: Clock,
    /// A socket that was made already; without one, it is made.
    pub listener: Option<Listener>,
    /// The metrics of the process, if it has any.
    pub metrics: Option<PrometheusHandle>,
}

/// Why the daemon did not start, or did not stay.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// The state directory cannot be used.
    #[error(transparent)]
    StateDir(#[from] StateDirError),
    /// The orchestrators and infrastructures cannot be made.
    #[error(transparent)]
    Kinds(Box<dyn std::error::Error + Send + Sync>),
    /// The store does not open.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The core does not start.
    #[error(transparent)]
    Core(#[from] core::StartError),
    /// The store cannot be written.
    #[error("cannot write to the store")]
    Write(#[from] CommitError),
    /// A record does not fit into the store.
    #[error("cannot write to the store")]
    Batch(#[from] BatchError),
    /// The store cannot be read.
    #[error("cannot read the store")]
    Read(#[from] ReadError),
    /// The key for secrets is missing or wrong.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// There is no socket.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// An actor did not start.
    #[error("cannot start: {0}")]
    Spawn(#[from] ractor::SpawnErr),
    /// A part of the daemon failed that it cannot be without.
    #[error("{0}; start the daemon again: it goes on from what is on disk")]
    Failed(String),
}

/// A running daemon.
pub struct Daemon {
    /// The actor tree.
    root: ActorRef<RootMessage>,
    root_ended: JoinHandle<()>,
    failure: Arc<OnceLock<String>>,
    gateway: ActorRef<GatewayMessage>,
    fleet: ActorRef<FleetMessage>,
    app: Arc<App>,
    socket: PathBuf,
    metrics: Option<PrometheusHandle>,
}

impl Daemon {
    /// Starts a daemon. When this returns it answers; supervisors of its clusters are still starting.
    pub async fn start(options: Options) -> Result<Self, DaemonError> {
        let Options { config, places, kinds, clock, listener, metrics } = options;
        let state_dir = config.state_dir_or_usual(&places);
        make_private(&state_dir)?;
        refuse_lost_store(&config, &state_dir)?;
        let kinds = tokio::spawn(kinds);
        let (store, report) = Store::open(state_dir::store(&state_dir), store_options(&config)).await?;
        if let Some(event) = newest_event(&store).await? {
            clock.not_before(event.at);
        }
        let sealer = Sealer::load(&store, key_source(&config, &state_dir)).await?;
        // Before clusters are loaded: who connects meanwhile waits for a moment rather than being refused.
        let listener = Listener::of_config(listener, &config.socket, &places.socket)?;
        let socket = listener.path.clone();
        let core = Core::start(core::CoreParts {
            clock: clock.clone(),
            store: store.clone(),
            journal: Arc::new(store.clone()),
            sealer,
            kinds: kinds.await.map_err(|lost| DaemonError::Kinds(lost.into()))??,
            logins: config.as_logins(),
            pace: config.limits.pace(),
            deadlines: config.deadlines.as_deadlines(),
            limits: config.limits.as_limits(),
            metrics: metrics.clone(),
            roles: config.access.as_roles(),
            policy: config.policy.as_policy(),
            catalog_dir: config.catalog.dir.clone().unwrap_or(places.catalog),
            state_dir,
        });
        let core = core.await?;
        let opening_noted = own_events::note_opening(&store, &report, &clock)?;
        // A new store has nothing to build anew: its first event is there before anybody can ask for what comes after it.
        let first_write = if report.created {
            opening_noted.await?;
            None
        } else {
            Some(opening_noted)
        };
        let store_ended = store_ended(store.stopped(), first_write);
        let (fleet, app) = (core.fleet.clone(), core.app.clone());
        let failure = Arc::new(OnceLock::new());
        let (ready, started) = oneshot::channel();
        let schedule = Schedule::from(&config);
        let parts = RootParts { core, listener, schedule, metrics: metrics.clone(), failure: failure.clone(), ready };
        let (root, root_ended) = Actor::spawn(None, Root, parts).await?;
        let gateway = started.await.map_err(|_| DaemonError::Failed("the actors ended at once".to_owned()))?;
        tokio::spawn(end_with_the_store(store_ended, root.clone(), failure.clone()));
        info!(socket = %socket.display(), instance = %app.provisioner.instance, "answering");
        Ok(Self { root, root_ended, failure, gateway, fleet, app, socket, metrics })
    }

    /// Where it answers.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Which installation it is.
    pub fn instance(&self) -> InstanceId {
        self.app.provisioner.instance
    }

    /// What readers see, for tests and figures.
    pub fn board(&self) -> &Board {
        &self.app.provisioner.shared.board
    }

    /// What every operation of the gateway works with; for tests and figures.
    pub fn context(&self) -> Arc<App> {
        self.app.clone()
    }

    /// The metrics of the process, if it records any.
    pub fn metrics(&self) -> Option<&PrometheusHandle> {
        self.metrics.as_ref()
    }

    /// Returns when a part of the daemon has failed that it cannot be without.
    pub async fn failed(&mut self) -> DaemonError {
        let _ended = (&mut self.root_ended).await;
        let cause = self.failure.get().cloned();
        DaemonError::Failed(cause.unwrap_or_else(|| "the actor tree ended".to_owned()))
    }

    /// Stops in good order: accepts nothing more, ends sessions, lets calls under way end for a while, closes the store.
    pub async fn shutdown(self) {
        let limit = self.app.provisioner.shared.pace.drain;
        let longest = Some(limit + Duration::from_secs(1));
        if self.gateway.call(|reply| GatewayMessage::Stop(limit, reply), longest).await.is_err() {
            warn!("the gateway is gone already");
        }
        if self.fleet.call(FleetMessage::Drain, longest).await.is_err() {
            warn!("the fleet is gone already");
        }
        if let Err(cause) = self.root.stop_and_wait(None, longest).await {
            error!(%cause, "the actors do not end; going all the same");
        }
        own_events::note_stop(&self.app.store, &self.app.provisioner.shared.clock).await;
        self.app.store.close().await;
        info!("stopped");
    }
}

/// Runs a daemon until `shutdown` is done, and then stops it in good order.
pub async fn run(options: Options, shutdown: impl Future<Output = ()>) -> Result<(), DaemonError> {
    let mut daemon = Daemon::start(options).await?;
    notify(&[sd_notify::NotifyState::Ready, sd_notify::NotifyState::Status("answering")]);
    tokio::select! {
        failed = daemon.failed() => {
            error!(cause = %failed, "a part of the daemon failed");
            daemon.app.store.close().await;
            return Err(failed);
        }
        () = shutdown => {}
    }
    notify(&[sd_notify::NotifyState::Stopping]);
    info!("stopping");
    daemon.shutdown().await;
    Ok(())
}

pub(crate) fn store_options(config: &Config) -> OpenOptions {
    OpenOptions {
        cache_bytes: config.store.cache_mib << 20,
        exports_kept: config.store.exports_kept,
        accept_older_export: config.store.accept_older_export,
        accept_unwitnessed: config.store.accept_unwitnessed,
        ..OpenOptions::default()
    }
}

/// Why the store takes no changes any more, once that is so. A full disk is no such reason: it takes them again when there
/// is room.
async fn store_ended(
    stopped: impl Future<Output = NotApplied>,
    first_write: Option<impl Future<Output = Result<(), CommitError>>>,
) -> String {
    if let Some(first_write) = first_write {
        match first_write.await {
            Ok(()) => {}
            Err(CommitError::NotApplied(cause @ NotApplied::NoRoom { .. })) => warn!(%cause, "no change can be stored"),
            Err(cause) => return format!("the store takes no writes: {cause}"),
        }
    }
    stopped.await.to_string()
}

/// A store that has stopped takes nothing until it is opened again: better to end, and to be started again, than to
/// refuse every change.
async fn end_with_the_store(
    ended: impl Future<Output = String> + Send + 'static,
    root: ActorRef<RootMessage>,
    failure: Arc<OnceLock<String>>,
) {
    let cause = ended.await;
    let _ = failure.set(cause.clone());
    root.stop(Some(cause));
}

/// systemd's credential goes before a file of our own.
pub(crate) fn key_source(config: &Config, state_dir: &Path) -> KeySource {
    if let Some(file) = &config.store.key_file {
        return KeySource::KeyFile(file.clone());
    }
    let credential = std::env::var_os("CREDENTIALS_DIRECTORY").map(|dir| PathBuf::from(dir).join("muster-key"));
    match credential.filter(|file| file.exists()) {
        Some(file) => KeySource::Credential(file),
        None => KeySource::KeyFile(state_dir::own_key(state_dir)),
    }
}
