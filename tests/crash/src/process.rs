//! One life of the daemon, from start to crash or end: store, board, fleet and gateway as they ship, without a socket.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use muster_engine::context::ClusterContext;
use muster_engine::driver::Driver;
use muster_engine::handler::Handler;
use muster_engine::ledger::ResourceKey;
use muster_engine::plan::plan;
use muster_engine::preparer::Preparer;
use muster_engine::sim::SimWorld;
use muster_engine::state::{ClusterState, Deadlines};
use muster_protocol::model::cluster::{ClusterPhase, Infrastructure, Orchestrator};
use muster_protocol::model::operation::{OperationInfo, OperationPhase};
use muster_protocol::{Error, ErrorCode, InstanceId, OperationId, Request, Response};
use muster_store::{KeySource, OpenOptions, Sealer, Store};
use musterd::board::Board;
use musterd::clock::Clock;
use musterd::cluster::workshop::Pace;
use musterd::core::{Core, Parts};
use musterd::fleet::FleetMessage;
use musterd::gateway::context::Limits;
use musterd::gateway::dispatch::{Dispatched, Outcome, dispatch};
use musterd::gateway::roles::{Access, Caller, Role};
use musterd::kinds::{Account, Kinds};

use super::scenario::{self, Scenario};
use super::stop::{Stop, StoppingJournal};

/// A daemon.
pub struct Process {
    core: Core,
    store: Store,
}

const BETWEEN_LOOKS: Duration = Duration::from_millis(200);

impl Process {
    /// Starts the daemon from its directory, or anew if that is empty.
    pub async fn start(dir: &Path, world: &SimWorld, stop: &Arc<Stop>, clock: Clock) -> Result<Self, String> {
        let (store, report) = Store::open(dir.join("store"), OpenOptions::default()).await.map_err(text)?;
        if !report.repairs.is_empty() {
            return Err(format!("the end of a process must not hurt the store: {:?}", report.repairs));
        }
        let sealer = Sealer::load(&store, KeySource::KeyFile(dir.join("key"))).await.map_err(text)?;
        let parts = Parts {
            clock,
            store: store.clone(),
            journal: Arc::new(StoppingJournal { store: store.clone(), stop: stop.clone() }),
            sealer,
            kinds: Arc::new(SimKinds(world.clone())),
            pace: Pace::default(),
            deadlines: Deadlines::default(),
            limits: Limits::default(),
            access: Access::default(),
            catalog_dir: dir.join("templates"),
            state_dir: dir.to_owned(),
        };
        let mut core = Core::start(parts).await.map_err(text)?;
        core.resume();
        Ok(Self { core, store })
    }

    /// Asks for a change, as an administrator.
    pub async fn ask(&self, request: Request) -> Result<OperationInfo, Error> {
        let caller = Caller { uid: 0, role: Some(Role::Admin) };
        let answer = match dispatch(&self.core.context, caller, request) {
            Dispatched::AtOnce(answer) => Some(answer?),
            Dispatched::Later(work) => match work.await? {
                Outcome::Answer(answer) => Some(*answer),
                Outcome::Stream(_) => None,
            },
        };
        if let Some(Response::Operation(operation)) = answer {
            return Ok(operation);
        }
        Err(Error::new(ErrorCode::Internal, "a change was not answered with its operation"))
    }

    /// This installation.
    pub fn instance(&self) -> InstanceId {
        self.core.context.provisioner.instance
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
        self.board().cluster(&scenario::cluster()).ok().map(|pinned| pinned.state)
    }

    /// Returns when the cluster is not there any more.
    pub async fn until_gone(&self) {
        while self.cluster().is_some() {
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
    }

    /// Whether everything is as the scenario wants it at its end.
    pub fn is_as_asked(&self, scenario: &Scenario) -> bool {
        let Some(machines) = scenario.machines else { return self.cluster().is_none() };
        let Some(cluster) = self.cluster() else { return false };
        let ready = cluster.record.phase == ClusterPhase::Ready;
        let there = cluster.ledger.keys().filter(|key| matches!(key, ResourceKey::Machine(_))).count();
        let services: Vec<_> = cluster.services.keys().cloned().collect();
        let well = services.iter().all(|service| cluster.is_service_well(service));
        let as_asked = scenario.services.iter().all(|service| services.contains(service));
        let none_more = !matches!(scenario.change, Request::ServiceDelete { .. }) || services.is_empty();
        ready && u32::try_from(there) == Ok(machines) && well && as_asked && none_more
    }

    /// Returns when everything is as the scenario wants it at its end.
    pub async fn until_as_asked(&self, scenario: &Scenario) {
        while !self.is_as_asked(scenario) {
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
    }

    /// How the cluster stands, for the report of a failure.
    pub fn describe(&self) -> String {
        let Some(cluster) = self.cluster() else { return "there is no cluster".to_owned() };
        let now = self.core.context.now();
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
        &self.core.context.provisioner.shared.board
    }
}

fn text(error: impl std::error::Error) -> String {
    let source = error.source().map(|source| format!(": {source}")).unwrap_or_default();
    format!("{error}{source}")
}

/// The simulated twins, and nothing else.
struct SimKinds(SimWorld);

impl Kinds for SimKinds {
    fn driver(&self, _infrastructure: Infrastructure, _account: Option<&Account>) -> Result<Arc<dyn Driver>, Error> {
        Ok(self.0.driver())
    }

    fn preparer(&self, _: Orchestrator, _: Infrastructure) -> Result<Arc<dyn Preparer>, Error> {
        Ok(self.0.preparer())
    }

    fn handler(&self, context: Arc<ClusterContext>) -> Result<Arc<dyn Handler>, Error> {
        Ok(self.0.handler(context))
    }
}
