//! The core: everything of the daemon but its edges (socket, signals, collector). Tests start it without them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use metrics_exporter_prometheus::PrometheusHandle;
use muster_engine::blueprint::Blueprint;
use muster_engine::desired::ClusterRecord;
use muster_engine::operation::OperationRecord;
use muster_engine::state::{ClusterState, Deadlines};
use muster_protocol::{ClusterId, Error, InstanceId, OperationId};
use muster_provision::logins::Logins;
use muster_store::{Batch, BatchError, CommitError, Found, ReadError, Sealer, Store};
use ractor::{Actor, ActorRef, SpawnErr};
use tokio::sync::RwLock;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::board::{Board, OnDisk};
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
use crate::journal::load::{Heads, load_heads, load_rest};
use crate::journal::records::StoredInstance;
use crate::journal::vault::Vault;
use crate::kinds::Kinds;
use crate::permits::Permits;
use crate::provisioner::{Provisioner, trouble_of, unread};
use crate::unmanaged;

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
    /// Clusters that are not supervised yet; see [`Core::resume`].
    waiting: Vec<ClusterId>,
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
        let waiting = pin_up(&provisioner, &parts.store).await?;
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
        Ok(Self { app: Arc::new(app), fleet, waiting })
    }

    /// Has every cluster supervised again that was on disk.
    pub fn resume(&mut self) {
        // A fleet that is gone already means that the daemon stops.
        let _ = self.fleet.cast(FleetMessage::Resume(std::mem::take(&mut self.waiting)));
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

/// Pins up every cluster, of which only the head is decoded now. Which they are.
async fn pin_up(provisioner: &Provisioner, store: &Store) -> Result<Vec<ClusterId>, StartError> {
    let found = store.found().await?;
    let Heads { clusters, operations, mut running } = load_heads(&found)?;
    let shared = &provisioner.shared;
    for operation in &operations {
        shared.board.publish_operation(operation);
    }
    let mut waiting = Vec::new();
    for record in clusters {
        let (id, name) = (record.id, record.desired.spec.name.clone());
        let operations = running.remove(&id).unwrap_or_default();
        let (blueprint, deadlines, trouble) = match provisioner.known_of(&record).await {
            Ok((blueprint, deadlines)) => (blueprint, deadlines, None),
            // It can be seen, it keeps its name and its account, and it is taken up when what is missing is there again.
            Err(error) => {
                let trouble = trouble_of(id, error, &shared.clock);
                (unmanaged::blueprint(record.recipe.clone()), provisioner.deadlines, Some(trouble))
            }
        };
        let (found, clock) = (found.clone(), shared.clock.clone());
        let decode = move || {
            let (state, undecoded) = on_disk(&found, record, operations, blueprint, deadlines);
            let undecoded = undecoded.map(|error| trouble_of(id, error, &clock));
            OnDisk { state: Arc::new(state), trouble: undecoded.or(trouble) }
        };
        shared.board.publish_stored(id, name, Box::new(decode));
        waiting.push(id);
    }
    Ok(waiting)
}

/// A cluster as it is on disk. Of one that cannot be decoded the head is shown, and why.
fn on_disk(
    found: &Found,
    record: ClusterRecord,
    operations: BTreeMap<OperationId, OperationRecord>,
    blueprint: Blueprint,
    deadlines: Deadlines,
) -> (ClusterState, Option<Error>) {
    match load_rest(found, record.clone(), operations) {
        Ok(parts) => (parts.state(blueprint, deadlines), None),
        Err(error) => {
            let blueprint = unmanaged::blueprint(record.recipe.clone());
            (ClusterState::loaded(record, blueprint, deadlines), Some(unread(&error)))
        }
    }
}
