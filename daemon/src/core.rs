//! The core: everything of the daemon but its edges (socket, signals, collector). Tests start it without them.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use metrics_exporter_prometheus::PrometheusHandle;
use muster_engine::state::{ClusterState, Deadlines};
use muster_protocol::{ClusterId, InstanceId};
use muster_provision::logins::Logins;
use muster_store::{Batch, BatchError, CommitError, ReadError, Sealer, Store};
use ractor::{Actor, ActorRef, SpawnErr};
use tokio::sync::RwLock;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::board::Board;
use crate::clock::Clock;
use crate::cluster::workshop::{Pace, SharedParts};
use crate::fleet::{Fleet, FleetMessage};
use crate::gateway::catalog::shelf::Shelf;
use crate::gateway::idempotency;
use crate::gateway::limits::GatewayLimits;
use crate::gateway::policy::Policy;
use crate::gateway::roles::Roles;
use crate::gateway::token::book::TokenBook;
use crate::journal::Journal;
use crate::journal::load::load_all;
use crate::journal::records::StoredInstance;
use crate::journal::vault::Vault;
use crate::kinds::Kinds;
use crate::permits::Permits;
use crate::provisioner::Provisioner;

/// What a core is made of.
pub struct CoreParts {
    /// The time.
    pub clock: Clock,
    /// The store, open.
    pub store: Store,
    /// Where changes are written: the store, or what tests put before it.
    pub journal: Arc<dyn Journal>,
    /// Seals secrets.
    pub sealer: Sealer,
    /// Orchestrators and infrastructures.
    pub kinds: Arc<dyn Kinds>,
    /// Logins at image registries.
    pub logins: Logins,
    /// How much may be done at once, and how often is looked.
    pub pace: Pace,
    /// Limits in time.
    pub deadlines: Deadlines,
    /// How much is let in.
    pub limits: GatewayLimits,
    /// Who may do what.
    pub roles: Roles,
    /// What operators may do on the machines themselves.
    pub policy: Policy,
    /// The metrics of the process, if it records any.
    pub metrics: Option<PrometheusHandle>,
    /// The user's own templates.
    pub catalog_dir: PathBuf,
    /// Where the store lies.
    pub state_dir: PathBuf,
}

/// The running core.
pub struct Core {
    /// What every operation of the gateway works with.
    pub app: Arc<App>,
    /// Supervises the clusters.
    pub fleet: ActorRef<FleetMessage>,
    /// Clusters as they were on disk, not supervised yet; see [`Core::resume`].
    waiting: Vec<Arc<ClusterState>>,
    /// Clusters that cannot be taken care of; the fleet tries again.
    unmanaged: Vec<ClusterId>,
}

/// Why a core does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The store could not be read.
    #[error("cannot read the store")]
    Read(#[from] ReadError),
    /// The store could not be written.
    #[error("cannot write the store")]
    Commit(#[from] CommitError),
    /// A record could not be made.
    #[error("cannot make a record")]
    Batch(#[from] BatchError),
    /// The fleet did not start.
    #[error("cannot start the fleet")]
    Fleet(#[from] SpawnErr),
}

impl Core {
    /// Reads all clusters and pins them up: from here on reads are answered. [`Core::resume`] has them supervised.
    pub async fn start(parts: CoreParts) -> Result<Self, StartError> {
        let instance = instance(&parts.store, parts.journal.as_ref()).await?;
        let board = Arc::new(Board::default());
        let shared = SharedParts {
            clock: parts.clock,
            journal: parts.journal,
            vault: Vault::new(parts.store.clone(), parts.sealer),
            logins: Arc::new(parts.logins),
            board: board.clone(),
            pace: parts.pace,
        };
        let provisioner = Provisioner::new(shared, instance, parts.deadlines, parts.kinds, parts.store.clone());
        let provisioner = Arc::new(provisioner);
        let (waiting, unmanaged) = pin_up(&provisioner, &parts.store).await?;
        let (fleet, _) = Actor::spawn(None, Fleet, provisioner.clone()).await?;
        let recent_keys = idempotency::recent_keys(&parts.store, provisioner.shared.clock.now()).await?;
        let tokens = TokenBook::load(&parts.store).await?;
        let app = App {
            provisioner,
            store: parts.store,
            fleet: fleet.clone(),
            shelf: Shelf::load(parts.catalog_dir),
            roles: parts.roles,
            policy: parts.policy,
            tokens,
            metrics: parts.metrics,
            keys: Permits::new(1),
            recent_keys,
            changes_of_user: Permits::new(parts.limits.changes_per_user),
            changes: Permits::new(parts.limits.changes_per_cluster),
            limits: parts.limits,
            accounts: RwLock::new(()),
            findings: Mutex::default(),
            state_dir: parts.state_dir,
            stopping: CancellationToken::new(),
        };
        Ok(Self { app: Arc::new(app), fleet, waiting, unmanaged })
    }

    /// Has every cluster supervised again that was on disk.
    pub fn resume(&mut self) {
        for state in self.waiting.drain(..) {
            // A fleet that is gone already means that the daemon stops.
            let _ = self.fleet.cast(FleetMessage::Start(state));
        }
        for cluster in self.unmanaged.drain(..) {
            let _ = self.fleet.cast(FleetMessage::Restart(cluster));
        }
    }
}

/// Who this installation is; decided at its first start, for ever.
async fn instance(store: &Store, journal: &dyn Journal) -> Result<InstanceId, StartError> {
    if let Some(stored) = store.get::<StoredInstance>(StoredInstance::KEY).await? {
        return Ok(stored.id);
    }
    let stored = StoredInstance { id: InstanceId::generate() };
    let mut batch = Batch::new();
    batch.put(&stored)?;
    journal.write(batch).await?;
    Ok(stored.id)
}

type PinnedUp = (Vec<Arc<ClusterState>>, Vec<ClusterId>);

async fn pin_up(provisioner: &Provisioner, store: &Store) -> Result<PinnedUp, StartError> {
    let stored = load_all(store).await?;
    let board = &provisioner.shared.board;
    for operation in &stored.operations {
        board.publish_operation(&operation.info);
    }
    let (mut states, mut unmanaged) = (Vec::new(), Vec::new());
    for parts in stored.clusters {
        let (state, trouble) = provisioner.assemble(parts).await;
        let (id, state) = (state.id(), Arc::new(state));
        if trouble.is_some() {
            // It can be seen, it keeps its name and its account, and it is taken up when what is missing is there again.
            board.publish(state, Some(Arc::default()));
            provisioner.note_trouble(id, trouble);
            unmanaged.push(id);
        } else {
            board.publish(state.clone(), None);
            states.push(state);
        }
    }
    Ok((states, unmanaged))
}
