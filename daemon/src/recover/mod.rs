//! `musterd recover`: the store is lost, and clusters with their ledgers are rebuilt from the owner marks of what is there.
//!
//! ```text
//!   accounts ──▶ survey: what carries marks, of which installation ──▶ plan: what becomes of each cluster
//!                                                                          │ with --yes
//!                                                     store ◀── one batch ─┘
//! ```
//!
//! It only asks infrastructures and writes to the store of a stopped daemon, all in one batch: killed at any point it has
//! done nothing or everything. What follows from it, new keys and the search for what was lost, is the daemon's usual loop
//! ([`muster_engine::state::ClusterState::recovered`]).

mod plan;
mod report;
mod survey;

use std::collections::BTreeMap;
use std::sync::Arc;

use muster_protocol::model::event::EventKind;
use muster_protocol::{ClusterId, Error, InstanceId, Name};
use muster_store::{Batch, BatchError, CommitError, KeyError, OpenError, ReadError, Sealer, Store};

use crate::board::Board;
use crate::clock::Clock;
use crate::cluster::workshop::{Pace, SharedParts};
use crate::config::{Config, Places};
use crate::daemon::{key_source, store_options};
use crate::journal::change;
use crate::journal::load::newest_event;
use crate::journal::records::{StoredCluster, StoredEvent, StoredInstance, StoredOperation};
use crate::journal::vault::Vault;
use crate::kinds::Kinds;
use crate::provisioner::Provisioner;
use crate::state_dir::{self, StateDirError, make_private};

pub use plan::{ClusterPlan, Verdict};
pub use report::Report;
pub use survey::{Sighting, Survey};

/// By clusters' ids.
type ById<T> = BTreeMap<ClusterId, T>;

/// What is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Wanted {
    /// The installation whose clusters are to be rebuilt; without one, what there is of each is shown.
    pub instance: Option<InstanceId>,
    /// Whether it is done. Else it is only shown what would be done.
    pub perform: bool,
}

/// Why nothing was recovered.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError {
    /// The state directory cannot be used.
    #[error("cannot use the state directory")]
    StateDir(#[from] StateDirError),
    /// The store cannot be opened, perhaps because the daemon runs.
    #[error("cannot open the store")]
    Open(#[from] OpenError),
    /// The key of the store's secrets is not there, or another one.
    #[error("the store's secrets cannot be sealed")]
    Key(#[from] KeyError),
    /// The store cannot be read.
    #[error("cannot read the store")]
    Read(#[from] ReadError),
    /// The store has clusters of another installation.
    #[error(
        "the store has clusters or a history of installation {present}, and a daemon cannot be two installations: \
         put that store aside, or give the state directory that was lost with --state-dir"
    )]
    OtherInstallation {
        /// Whose store it is.
        present: InstanceId,
    },
    /// Nothing carries the marks of the installation.
    #[error(
        "nothing that carries the marks of installation {0} was found: see what there is with `musterd recover`, and add \
         the accounts that it was made with first"
    )]
    NothingFound(InstanceId),
    /// A cluster cannot be rebuilt, as somebody has to see to something first.
    #[error("cannot rebuild cluster {cluster}: {}", .cause.message)]
    Cluster {
        /// Which.
        cluster: Name,
        /// Why.
        cause: Error,
    },
    /// What was rebuilt cannot be written.
    #[error("cannot make a record")]
    Batch(#[from] BatchError),
    /// The store does not take it.
    #[error("cannot write the store")]
    Commit(#[from] CommitError),
}

/// Shows what there is with our marks, and what becomes of it; and has it become that, if that is asked for.
pub async fn recover(
    config: &Config,
    places: &Places,
    kinds: Arc<dyn Kinds>,
    wanted: Wanted,
) -> Result<Report, RecoverError> {
    let state_dir = config.state_dir_or_usual(places);
    make_private(&state_dir)?;
    let (store, _) = Store::open(state_dir::store(&state_dir), store_options(config)).await?;
    let recovered = async {
        let sealer = Sealer::load(&store, key_source(config, &state_dir)).await?;
        recover_into(&store, sealer, config, kinds, wanted).await
    };
    let recovered = recovered.await;
    store.close().await;
    recovered
}

async fn recover_into(
    store: &Store,
    sealer: Sealer,
    config: &Config,
    kinds: Arc<dyn Kinds>,
    wanted: Wanted,
) -> Result<Report, RecoverError> {
    let clock = Clock::system();
    if let Some(event) = newest_event(store).await? {
        clock.not_before(event.at);
    }
    let shared = SharedParts {
        clock,
        journal: Arc::new(store.clone()),
        vault: Vault::new(store.clone(), sealer),
        logins: Arc::new(config.as_logins()),
        board: Arc::new(Board::default()),
        pace: Pace::default(),
    };
    // Nothing that is called here marks anything.
    let instance = wanted.instance.unwrap_or(InstanceId::from_u128(0));
    let provisioner = Provisioner::new(shared, instance, config.deadlines.as_deadlines(), kinds, store.clone());
    let survey = survey::survey(&provisioner, store, wanted.instance.filter(|_| wanted.perform)).await?;
    let Some(instance) = wanted.instance else { return Ok(Report::of_survey(survey)) };
    refuse_other_installation(store, instance).await?;
    let sightings = survey.installations.get(&instance).ok_or(RecoverError::NothingFound(instance))?;
    let clusters = plan::plan(&provisioner, store, sightings).await?;
    if wanted.perform {
        write(&provisioner, instance, &clusters).await?;
    }
    Ok(Report { survey, instance: Some(instance), clusters, is_done: wanted.perform })
}

/// A store that is empty but for accounts becomes the installation's; so does one that is the installation's already, of
/// which an older copy was restored or this was done before.
async fn refuse_other_installation(store: &Store, instance: InstanceId) -> Result<(), RecoverError> {
    let Some(StoredInstance { id: present }) = store.get(StoredInstance::KEY).await? else { return Ok(()) };
    let has_clusters = !store.scan::<StoredCluster>(&[]).await?.is_empty();
    let has_history = !store.scan::<StoredOperation>(&[]).await?.is_empty();
    if present != instance && (has_clusters || has_history) {
        return Err(RecoverError::OtherInstallation { present });
    }
    Ok(())
}

/// All of it in one batch: on disk, or not.
async fn write(provisioner: &Provisioner, instance: InstanceId, clusters: &[ClusterPlan]) -> Result<(), RecoverError> {
    let shared = &provisioner.shared;
    let mut batch = Batch::new();
    batch.put(&StoredInstance { id: instance })?;
    for cluster in clusters {
        let Some(state) = cluster.state() else { continue };
        let spec = &state.desired().spec;
        let material = provisioner.material(spec);
        let material = material.map_err(|cause| RecoverError::Cluster { cluster: spec.name.clone(), cause })?;
        change::write_recovered(&mut batch, state)?;
        shared.vault.put_material(&mut batch, state.id(), &material)?;
        batch.append_event(&StoredEvent {
            at: shared.clock.now(),
            kind: EventKind::Daemon,
            cluster: Some((state.id(), spec.name.clone())),
            operation: None,
            service: None,
            who: None,
            message: format!("cluster {} was recovered from its owner marks", spec.name),
            cause: state.causes().into_iter().next(),
        })?;
    }
    shared.journal.write(batch).await?;
    Ok(())
}
