//! One life of the daemon, from start to crash or end: store, board, fleet and gateway as they ship, without a socket.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use muster_engine::context::ClusterContext;
use muster_engine::desired::take_secrets;
use muster_engine::driver::Driver;
use muster_engine::handler::Handler;
use muster_engine::plan::plan;
use muster_engine::preparer::Preparer;
use muster_engine::rollout::{OneAfterTheOther, Rollout};
use muster_engine::sim::SimWorld;
use muster_engine::state::{ClusterState, Deadlines};
use muster_handler_kubernetes::rollout::KubernetesRollout;
use muster_protocol::model::cluster::{ClusterPhase, Infrastructure, Orchestrator};
use muster_protocol::model::operation::OperationPhase;
use muster_protocol::model::service::ServiceSpec;
use muster_protocol::{Error, ErrorCode, InstanceId, OperationId, Principal, Request, Response};
use muster_provision::logins::Logins;
use muster_store::{KeySource, OpenOptions, Sealer, Store};
use musterd::board::Board;
use musterd::clock::Clock;
use musterd::cluster::workshop::Pace;
use musterd::core::{Core, CoreParts};
use musterd::fleet::FleetMessage;
use musterd::gateway::dispatch::dispatch;
use musterd::gateway::limits::GatewayLimits;
use musterd::gateway::policy::Policy;
use musterd::gateway::reply::{Dispatched, ReplyBody};
use musterd::gateway::roles::{Caller, Role, Roles};
use musterd::journal::records::StoredAccount;
use musterd::journal::vault::Vault;
use musterd::kinds::{Account, Kinds};

use super::account::{AccountDriver, Keys};
use super::requests;
use super::scenario::Standing;
use super::stop::{Stop, StoppingJournal};

/// A daemon.
pub struct Process {
    core: Core,
    store: Store,
}

const BETWEEN_LOOKS: Duration = Duration::from_millis(200);

impl Process {
    /// Starts the daemon from its directory, or anew if that is empty.
    pub async fn start(
        dir: &Path,
        (world, keys): (&SimWorld, &Keys),
        stop: &Arc<Stop>,
        clock: Clock,
    ) -> Result<Self, String> {
        let (store, report) = Store::open(dir.join("store"), OpenOptions::default()).await.map_err(text)?;
        if !report.repairs.is_empty() {
            return Err(format!("the end of a process must not hurt the store: {:?}", report.repairs));
        }
        let sealer = Sealer::load(&store, KeySource::KeyFile(dir.join("key"))).await.map_err(text)?;
        let parts = CoreParts {
            clock,
            store: store.clone(),
            journal: Arc::new(StoppingJournal { store: store.clone(), stop: stop.clone() }),
            sealer,
            kinds: Arc::new(SimKinds { world: world.clone(), keys: keys.clone() }),
            logins: Logins::default(),
            pace: Pace::default(),
            deadlines: Deadlines::default(),
            limits: GatewayLimits::default(),
            metrics: None,
            roles: Roles::default(),
            policy: Policy::default(),
            catalog_dir: dir.join("templates"),
            state_dir: dir.to_owned(),
        };
        let mut core = Core::start(parts).await.map_err(text)?;
        core.resume();
        Ok(Self { core, store })
    }

    /// Asks for a change, as an administrator.
    pub async fn ask(&self, request: Request) -> Result<Response, Error> {
        let caller = Caller::new(Principal::user("root"), 0, Some(Role::Admin));
        match dispatch(&self.core.app, caller, request) {
            Dispatched::AtOnce(answer) => answer,
            Dispatched::Later(work) => match work.await? {
                ReplyBody::Answer(answer) => Ok(*answer),
                ReplyBody::Stream(_) | ReplyBody::Duplex(_) => {
                    Err(Error::new(ErrorCode::Internal, "a change was answered with a stream"))
                }
            },
        }
    }

    /// This installation.
    pub fn instance(&self) -> InstanceId {
        self.core.app.provisioner.instance
    }

    /// Whether this operation is known.
    pub fn knows(&self, operation: OperationId) -> bool {
        self.board().operation(operation).is_ok()
    }

    /// Returns when the operation has ended. One that is not known never ends.
    pub async fn until_ended(&self, operation: OperationId) -> OperationPhase {
        loop {
            if let Ok(info) = self.board().operation(operation)
                && info.phase.is_ended()
            {
                return info.phase;
            }
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
    }

    /// The cluster, while it is there.
    pub fn cluster(&self) -> Option<Arc<ClusterState>> {
        self.board().cluster(&requests::cluster()).ok().map(|pinned| pinned.state)
    }

    /// Whether the cluster is seen to be as it should stand, and nothing beside that.
    pub fn stands(&self, wanted: Option<&Standing>) -> bool {
        let Some(wanted) = wanted else { return self.cluster().is_none() };
        let Some(cluster) = self.cluster() else { return false };
        let machines = cluster.ledger.keys().filter(|key| key.machine().is_some()).count();
        cluster.record.phase == ClusterPhase::Ready
            && u32::try_from(machines) == Ok(wanted.machines)
            && cluster.services.len() == wanted.services.len()
            && wanted.services.iter().all(|service| runs(&cluster, service))
    }

    /// Returns when this holds.
    pub async fn until(&self, holds: impl Fn(&Self) -> bool) {
        while !holds(self) {
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
    }

    /// Whether the cluster can decide nothing any more, and names that as what is in the way.
    pub fn has_lost_quorum(&self) -> bool {
        let Some(cluster) = self.cluster() else { return false };
        let plan = plan(&cluster, self.core.app.now());
        plan.of_cluster().stuck().is_some_and(|cause| cause.code == ErrorCode::QuorumLost)
    }

    /// Whether the secrets of a service have the values that were given.
    pub async fn has_secrets(&self, wanted: &ServiceSpec) -> Result<bool, String> {
        let Some(cluster) = self.cluster() else { return Ok(false) };
        let Some(service) = cluster.services.get(&wanted.name) else { return Ok(false) };
        let kept = self.vault().secrets(service.id, service.version.secrets_version).await.map_err(text)?;
        Ok(kept == take_secrets(&mut wanted.clone()))
    }

    /// The account's key, if there is the account.
    pub async fn account(&self) -> Result<Option<String>, String> {
        let name = requests::account();
        let stored = self.store.get::<StoredAccount>(name.as_str().as_bytes()).await.map_err(text)?;
        let mut credentials = self.vault().credentials(&name).await.map_err(text)?;
        match (stored, credentials.remove(requests::KEY)) {
            (Some(_), Some(key)) => Ok(Some(key.expose().to_owned())),
            (None, None) => Ok(None),
            (Some(_), None) => Err("the account is there without its credentials".to_owned()),
            (None, Some(_)) => Err("the credentials are there without their account".to_owned()),
        }
    }

    /// How the cluster stands, for the report of a failure.
    pub fn describe(&self) -> String {
        let Some(cluster) = self.cluster() else { return "there is no cluster".to_owned() };
        let now = self.core.app.now();
        let steps = plan(&cluster, now).steps.into_iter().map(|step| format!("{} {:?}", step.action, step.gate));
        let steps: Vec<String> = steps.collect();
        format!("cluster is {}; to be done: [{}]; ledger: {:?}", cluster.record.phase, steps.join(", "), cluster.ledger)
    }

    /// Ends as if asked to.
    pub async fn stop(self) {
        let limit = Some(Duration::from_secs(60));
        let drained = self.core.fleet.call(FleetMessage::Drain, limit).await;
        drop(drained);
        self.core.fleet.stop(None);
        self.store.close().await;
    }

    fn board(&self) -> &Board {
        &self.core.app.provisioner.shared.board
    }

    fn vault(&self) -> &Vault {
        &self.core.app.provisioner.shared.vault
    }
}

/// Whether the service runs just so, but for the values of its secrets.
fn runs(cluster: &ClusterState, wanted: &ServiceSpec) -> bool {
    let mut open = wanted.clone();
    let _values = take_secrets(&mut open);
    let service = cluster.services.get(&wanted.name);
    service.is_some_and(|service| service.version.spec == open) && cluster.is_service_well(&wanted.name)
}

fn text(error: impl std::error::Error) -> String {
    let source = error.source().map(|source| format!(": {source}")).unwrap_or_default();
    format!("{error}{source}")
}

/// The simulated twins, and nothing else.
struct SimKinds {
    world: SimWorld,
    keys: Keys,
}

#[async_trait]
impl Kinds for SimKinds {
    fn driver(&self, _infrastructure: Infrastructure, account: Option<&Account>) -> Result<Arc<dyn Driver>, Error> {
        let infrastructure = self.world.driver();
        let key = account.and_then(|account| account.credentials.get(requests::KEY));
        Ok(match key.map(|key| key.expose().to_owned()) {
            Some(key) => Arc::new(AccountDriver { infrastructure, key, keys: self.keys.clone() }),
            None => infrastructure,
        })
    }

    fn preparer(&self, _: Orchestrator, _: Infrastructure) -> Result<Arc<dyn Preparer>, Error> {
        Ok(self.world.preparer())
    }

    fn rollout(&self, _: Orchestrator) -> Result<Arc<dyn Rollout>, Error> {
        let by_kubeadm = self.world.options().is_kubeadm;
        Ok(if by_kubeadm { Arc::new(KubernetesRollout) } else { Arc::new(OneAfterTheOther) })
    }

    fn handler(&self, context: Arc<ClusterContext>) -> Result<Arc<dyn Handler>, Error> {
        Ok(self.world.handler(context))
    }
}
