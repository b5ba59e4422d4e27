//! The root of the actor tree. Its children are all that the daemon cannot be without: if one fails, the daemon ends and its
//! service manager starts it anew, from what is on disk.
//!
//! ```text
//! Root
//! ├── Fleet        one supervisor per cluster
//! ├── Gateway      the socket and its sessions
//! └── Collector    leftovers, expired things, exports
//! ```
//! The store's writer is a task of the store.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use metrics_exporter_prometheus::PrometheusHandle;
use muster_engine::state::ClusterState;
use muster_protocol::ClusterId;
use muster_store::Store;
use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::collector::{Collector, Habits};
use crate::config::Config;
use crate::daemon::notify;
use crate::fleet::{Fleet, FleetMessage};
use crate::gateway::actor::{Gateway, GatewayMessage};
use crate::gateway::catalog::shelf::Shelf;
use crate::gateway::context::Context;
use crate::gateway::listener::Listener;
use crate::gateway::permits::Permits;
use crate::provisioner::Provisioner;

/// How often metrics are tidied up.
const UPKEEP: Duration = Duration::from_secs(5);

/// What the root is told.
pub enum RootMessage {
    /// Tell systemd that the tree lives.
    Ping,
    /// Tidy up the metrics.
    Upkeep,
}

/// The actor.
pub struct Root;

/// What the tree is made from.
pub struct Parts {
    /// Equips clusters.
    pub provisioner: Arc<Provisioner>,
    /// The store.
    pub store: Store,
    /// The configuration.
    pub config: Config,
    /// Where the store lies.
    pub state_dir: PathBuf,
    /// The folder of the user's templates.
    pub catalog: PathBuf,
    /// The socket.
    pub listener: Listener,
    /// Clusters to supervise.
    pub clusters: Vec<Arc<ClusterState>>,
    /// Clusters that could not be loaded yet.
    pub unreadable: Vec<ClusterId>,
    /// The metrics of the process.
    pub metrics: Option<PrometheusHandle>,
    /// Where the cause is left if the tree fails.
    pub failure: Arc<OnceLock<String>>,
    /// Told when the children run.
    pub ready: oneshot::Sender<(ActorRef<GatewayMessage>, ActorRef<FleetMessage>)>,
}

/// Its state.
pub struct RootState {
    metrics: Option<PrometheusHandle>,
    failure: Arc<OnceLock<String>>,
}

impl Actor for Root {
    type Msg = RootMessage;
    type State = RootState;
    type Arguments = Parts;

    async fn pre_start(&self, myself: ActorRef<Self::Msg>, parts: Parts) -> Result<Self::State, ActorProcessingErr> {
        let Parts { provisioner, store, config, state_dir, catalog, listener, .. } = parts;
        let cell = myself.get_cell();
        let (fleet, _) = Actor::spawn_linked(None, Fleet, provisioner.clone(), cell.clone()).await?;
        let context = Arc::new(Context {
            provisioner,
            store,
            fleet: fleet.clone(),
            shelf: tokio::task::spawn_blocking(move || Shelf::load(catalog)).await?,
            access: config.access.as_access(),
            limits: config.limits.as_limits(),
            keys: Permits::new(1),
            changes: Permits::new(config.limits.changes_per_cluster),
            accounts: tokio::sync::RwLock::new(()),
            findings: Mutex::default(),
            state_dir,
            stopping: CancellationToken::new(),
        });
        let (gateway, _) = Actor::spawn_linked(None, Gateway, (context.clone(), listener), cell.clone()).await?;
        let habits = Habits::from(&config);
        Actor::spawn_linked(None, Collector, (context, habits), cell).await?;

        // The gateway answers already, from the board; supervisors start behind it.
        for cluster in parts.clusters {
            fleet.cast(FleetMessage::Start(cluster))?;
        }
        for cluster in parts.unreadable {
            fleet.cast(FleetMessage::Restart(cluster))?;
        }
        let _ = parts.ready.send((gateway, fleet));
        if let Some(limit) = sd_notify::watchdog_enabled() {
            myself.send_interval(limit / 2, || RootMessage::Ping);
        }
        if parts.metrics.is_some() {
            myself.send_interval(UPKEEP, || RootMessage::Upkeep);
        }
        Ok(RootState { metrics: parts.metrics, failure: parts.failure })
    }

    async fn handle(
        &self,
        _myself: ActorRef<Self::Msg>,
        message: Self::Msg,
        state: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            RootMessage::Ping => notify(&[sd_notify::NotifyState::Watchdog]),
            RootMessage::Upkeep => {
                if let Some(metrics) = &state.metrics {
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
