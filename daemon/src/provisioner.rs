//! The provisioner: checks accounts and resources, and gives each cluster its driver, preparer and handler.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use muster_engine::blueprint::Blueprint;
use muster_engine::context::{ClusterContext, Material};
use muster_engine::desired::ClusterRecord;
use muster_engine::driver::Driver;
use muster_engine::failure::Failure;
use muster_engine::state::{ClusterState, Deadlines, NewKeys};
use muster_engine::{options, words};
use muster_protocol::model::account::Finding;
use muster_protocol::model::cluster::{ClusterSpec, Infrastructure};
use muster_protocol::{Cause, ClusterId, Error, ErrorCode, InstanceId, Name, Retry};
use muster_store::Store;
use tracing::error;

use crate::clock::Clock;
use crate::cluster::account::AccountGate;
use crate::cluster::workshop::{SharedParts, Workshop};
use crate::journal::load::{self, StoredParts};
use crate::journal::records::StoredAccount;
use crate::kinds::{Account, Kinds};
use crate::unmanaged;

/// How long an infrastructure may take to say whether a cluster could be made.
const PREFLIGHT_LIMIT: Duration = Duration::from_secs(20);

/// An infrastructure with an account's name, or with its defaults.
type AccountKey = (Infrastructure, Option<Name>);

/// A cluster that was read from disk.
pub enum Loaded {
    /// It is there; and why it can only be looked at, if that is so.
    Found(Box<ClusterState>, Option<Error>),
    /// There is no such cluster any more.
    Gone,
    /// It could not be read.
    Unread(Error),
}

/// Checks accounts and resources, and equips clusters.
pub struct Provisioner {
    /// What all clusters share.
    pub shared: Arc<SharedParts>,
    /// This installation.
    pub instance: InstanceId,
    /// Limits in time.
    pub deadlines: Deadlines,
    kinds: Arc<dyn Kinds>,
    store: Store,
    gates: Mutex<HashMap<AccountKey, AccountGate>>,
}

impl Provisioner {
    /// A provisioner of these kinds.
    pub fn new(
        shared: SharedParts,
        instance: InstanceId,
        deadlines: Deadlines,
        kinds: Arc<dyn Kinds>,
        store: Store,
    ) -> Self {
        Self { shared: Arc::new(shared), instance, deadlines, kinds, store, gates: Mutex::default() }
    }

    /// Done when clusters can be taken care of; see [`Kinds::opened`].
    pub async fn opened(&self) -> Result<(), Error> {
        self.kinds.opened().await
    }

    /// The driver of an infrastructure, with the account of this name or its defaults.
    pub async fn driver(
        &self,
        infrastructure: Infrastructure,
        account: Option<&Name>,
    ) -> Result<Arc<dyn Driver>, Error> {
        let account = match account {
            Some(name) => Some(self.account(name).await?),
            None => None,
        };
        if let Some(account) = account.as_ref().filter(|account| account.info.infrastructure != infrastructure) {
            let (name, of) = (&account.info.name, account.info.infrastructure);
            return Err(Error::invalid(
                "account",
                format!("account `{name}` is for `{of}`, not for `{infrastructure}`"),
            ));
        }
        self.kinds.driver(infrastructure, account.as_ref())
    }

    /// Whether a new cluster could be made as it is asked for: kinds, account, image, capacity. Changes nothing.
    pub async fn preflight(&self, spec: &ClusterSpec) -> Result<(), Error> {
        let preparer = self.kinds.preparer(spec.orchestrator, spec.infrastructure)?;
        let (infrastructure, account) = (spec.infrastructure, spec.account.as_ref());
        let driver = self.driver(infrastructure, account).await?;
        options::check(spec, &[preparer.options(), driver.options()].concat())?;
        preparer.validate(spec)?;
        preparer.preflight(spec, &driver.machine_networks()).await?;
        let promised = || self.promised(infrastructure, account);
        self.look(infrastructure, account, driver.preflight(spec, &promised)).await?.map_err(as_error)
    }

    /// The machines that the clusters of an account are to have and that were not made yet.
    fn promised(&self, infrastructure: Infrastructure, account: Option<&Name>) -> usize {
        let clusters = self.shared.board.all();
        let states = clusters.iter().map(|cluster| &cluster.state);
        let of_account = states.filter(|state| {
            let spec = &state.desired().spec;
            spec.infrastructure == infrastructure && spec.account.as_ref() == account
        });
        of_account.map(|state| state.machines_to_be_made()).sum()
    }

    /// Whether an orchestrator can be as it is asked for, as far as that can be said without asking anybody.
    pub fn validate(&self, spec: &ClusterSpec) -> Result<(), Error> {
        self.kinds.preparer(spec.orchestrator, spec.infrastructure)?.validate(spec)
    }

    /// The same, and whether the places that it comes from have it.
    pub async fn validate_with_places(&self, spec: &ClusterSpec) -> Result<(), Error> {
        let preparer = self.kinds.preparer(spec.orchestrator, spec.infrastructure)?;
        preparer.validate(spec)?;
        preparer.preflight(spec, &[]).await
    }

    /// What looks at everything that an account needs finds.
    pub async fn check(&self, infrastructure: Infrastructure, account: Option<&Name>) -> Result<Vec<Finding>, Error> {
        let driver = self.driver(infrastructure, account).await?;
        self.look(infrastructure, account, driver.check()).await
    }

    /// Looks at an infrastructure for somebody who waits: beside no more looks than its account may have, and for as
    /// long as one waits.
    async fn look<T>(
        &self,
        infrastructure: Infrastructure,
        account: Option<&Name>,
        look: impl Future<Output = T>,
    ) -> Result<T, Error> {
        let gate = self.gate(infrastructure, account);
        let looked = tokio::time::timeout(PREFLIGHT_LIMIT, gate.look(PREFLIGHT_LIMIT, look)).await.ok().flatten();
        looked.ok_or_else(|| {
            Error::new(ErrorCode::Unreachable, format!("`{infrastructure}` does not answer"))
                .with_remedy("see `muster doctor`; ask again when it answers")
                .retry_later()
        })
    }

    /// Keys and certificates for a new cluster.
    pub fn material(&self, spec: &ClusterSpec) -> Result<Material, Error> {
        self.kinds.preparer(spec.orchestrator, spec.infrastructure)?.material(spec).map_err(as_error)
    }

    /// Whether the machines of a cluster whose keys are lost can be given new ones.
    pub fn new_keys(&self, spec: &ClusterSpec, driver: &dyn Driver) -> Result<NewKeys, Error> {
        let preparer = self.kinds.preparer(spec.orchestrator, spec.infrastructure)?;
        let are_possible = driver.gives_keys_anew() && preparer.takes_keys_anew();
        Ok(if are_possible { NewKeys::Possible } else { NewKeys::Impossible })
    }

    /// What the kinds of this cluster say about it.
    pub fn blueprint(&self, spec: &ClusterSpec, driver: Arc<dyn Driver>) -> Result<Blueprint, Error> {
        let recipes = self.kinds.preparer(spec.orchestrator, spec.infrastructure)?;
        Ok(Blueprint { needs: driver, recipes, rollout: self.kinds.rollout(spec.orchestrator)? })
    }

    /// The limits in time for clusters on the infrastructure of this driver.
    pub fn deadlines_with(&self, driver: &dyn Driver) -> Deadlines {
        Deadlines { listing_lag: driver.listing_lag(), ..self.deadlines }
    }

    /// Everything that a cluster's actors need; and why it will not do, if that is so. A cluster whose keys are missing
    /// can still be deleted.
    pub async fn workshop(&self, record: &ClusterRecord) -> Result<(Workshop, Option<Error>), Error> {
        let spec = &record.desired.spec;
        let driver = self.driver(spec.infrastructure, spec.account.as_ref()).await?;
        let preparer = self.kinds.preparer(spec.orchestrator, spec.infrastructure)?;
        let material = self.shared.vault.material(record.id).await.map_err(|error| unread(&error))?;
        let trouble = material.is_none().then(without_keys);
        let material = material.unwrap_or_default();
        let context = ClusterContext { instance: self.instance, cluster: record.id, spec: spec.clone(), material };
        let context = Arc::new(context);
        let handler = self.kinds.handler(context.clone())?;
        let account = self.gate(spec.infrastructure, spec.account.as_ref());
        let deadlines = self.deadlines_with(driver.as_ref());
        let workshop = Workshop { shared: self.shared.clone(), context, driver, preparer, handler, account, deadlines };
        Ok((workshop, trouble))
    }

    /// Clusters as they are on disk, each with its [`Loaded`].
    pub async fn load(&self, clusters: &BTreeSet<ClusterId>) -> Vec<(ClusterId, Loaded)> {
        let mut running = match load::running_operations(&self.store).await {
            Ok(running) => running,
            Err(error) => return clusters.iter().map(|id| (*id, Loaded::Unread(unread(&error)))).collect(),
        };
        let mut loaded = Vec::new();
        for id in clusters {
            let operations = running.remove(id).unwrap_or_default();
            let state = match load::load_one(&self.store, *id).await {
                Ok(Some(parts)) => {
                    let (state, trouble) = self.assemble(StoredParts { operations, ..parts }).await;
                    Loaded::Found(Box::new(state), trouble)
                }
                Ok(None) => Loaded::Gone,
                Err(error) => Loaded::Unread(unread(&error)),
            };
            loaded.push((*id, state));
        }
        loaded
    }

    /// The state that stored parts make. If the cluster's account or kind is missing, that is said too: the cluster can only
    /// be looked at, and stays on disk untouched.
    pub async fn assemble(&self, parts: StoredParts) -> (ClusterState, Option<Error>) {
        match self.known_of(&parts.record).await {
            Ok((blueprint, deadlines)) => (parts.state(blueprint, deadlines), None),
            Err(error) => {
                let blueprint = unmanaged::blueprint(parts.record.recipe.clone());
                (parts.state(blueprint, self.deadlines), Some(error))
            }
        }
    }

    /// What the kinds of a cluster say about it, and its limits in time.
    pub async fn known_of(&self, record: &ClusterRecord) -> Result<(Blueprint, Deadlines), Error> {
        let spec = &record.desired.spec;
        let driver = self.driver(spec.infrastructure, spec.account.as_ref()).await?;
        let deadlines = self.deadlines_with(driver.as_ref());
        Ok((self.blueprint(spec, driver)?, deadlines))
    }

    /// Says for all to see why the daemon cannot take care of a cluster as it should, or that it can.
    pub fn note_trouble(&self, cluster: ClusterId, trouble: Option<Error>) {
        let trouble = trouble.map(|error| trouble_of(cluster, error, &self.shared.clock));
        self.shared.board.set_trouble(cluster, trouble);
    }

    /// Whether this build can work with such an account.
    pub fn accept(&self, account: &Account) -> Result<(), Error> {
        self.kinds.driver(account.info.infrastructure, Some(account)).map(|_| ())
    }

    async fn account(&self, name: &Name) -> Result<Account, Error> {
        let stored = self.store.get::<StoredAccount>(name.as_str().as_bytes()).await;
        let stored = stored.map_err(|error| unread(&error))?;
        let Some(StoredAccount(info)) = stored else { return Err(Error::not_found("account", name)) };
        let credentials = self.shared.vault.credentials(name).await;
        let credentials = credentials.map_err(|error| unread(&error))?;
        Ok(Account { info, credentials })
    }

    /// The places of an account's calls.
    pub fn gate(&self, infrastructure: Infrastructure, account: Option<&Name>) -> AccountGate {
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        let places = self.shared.pace.calls_per_account;
        gates.entry((infrastructure, account.cloned())).or_insert_with(|| AccountGate::new(places)).clone()
    }

    /// Forgets the places of an account that is gone. Calls that are under way keep those that they have.
    pub fn forget_gate(&self, infrastructure: Infrastructure, account: &Name) {
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        gates.remove(&(infrastructure, Some(account.clone())));
    }
}

/// Why the daemon cannot take care of a cluster as it should.
pub fn trouble_of(cluster: ClusterId, error: Error, clock: &Clock) -> Cause {
    let Error { code, message, remedy, retry, details: _ } = error;
    error!(%cluster, cause = %message, "a cluster cannot be taken care of");
    let failure = Failure { remedy, retry, ..Failure::not_applied(code, message) };
    failure.into_cause("supervise".to_owned(), clock.now())
}

/// What is stored of a cluster could not be read.
pub fn unread(error: &(dyn std::error::Error + 'static)) -> Error {
    Error::new(ErrorCode::Store, words::chain(error))
        .with_remedy("see `muster doctor` and the daemon's log; check that the disk is healthy, or restore a backup")
        .retry_later()
}

fn without_keys() -> Error {
    Error::new(
        ErrorCode::Store,
        "the keys of the cluster are missing in the store, and nothing of it is reached without them",
    )
    .with_remedy("restore a backup that has them, or delete the cluster")
}

/// A failed look or check as the answer to a request.
pub fn as_error(failure: Failure) -> Error {
    let mut error = Error::new(failure.code, failure.message);
    error.remedy = failure.remedy;
    if failure.retry == Retry::Later {
        error = error.retry_later();
    }
    if let Some(field) = failure.field {
        error = error.with_detail("field", field);
    }
    if let Some(code) = failure.provider_code {
        error = error.with_detail("providerCode", code);
    }
    error
}
