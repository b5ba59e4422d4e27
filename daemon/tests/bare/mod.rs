//! A daemon without its sockets: store, board, fleet and gateway as they ship, with the kinds that a test chooses.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use muster_engine::state::Deadlines;
use muster_protocol::model::cluster::ClusterPhase;
use muster_protocol::{Error, Name, Principal, Request};
use muster_provision::logins::Logins;
use muster_store::{KeySource, OpenOptions, Sealer, Store};
use musterd::board::Pinned;
use musterd::clock::Clock;
use musterd::cluster::workshop::Pace;
use musterd::core::{Core, CoreParts};
use musterd::fleet::FleetMessage;
use musterd::gateway::dispatch::dispatch;
use musterd::gateway::limits::GatewayLimits;
use musterd::gateway::policy::Policy;
use musterd::gateway::reply::Dispatched;
use musterd::gateway::roles::{Caller, Role, Roles};
use musterd::journal::Journal;
use musterd::kinds::Kinds;
use tokio::time::{sleep, timeout};

/// Longer than a drain takes.
const DRAIN_LIMIT: Duration = Duration::from_secs(20);

/// See the module.
pub struct Bare {
    pub core: Core,
    pub store: Store,
}

impl Bare {
    /// Starts it from what is in this folder, with everything but these parts as it is by default.
    pub async fn start(
        dir: &Path,
        clock: Clock,
        kinds: Arc<dyn Kinds>,
        journal: impl FnOnce(&Store) -> Arc<dyn Journal>,
    ) -> Self {
        let (store, _) = Store::open(dir.join("store"), OpenOptions::default()).await.unwrap();
        let sealer = Sealer::load(&store, KeySource::KeyFile(dir.join("key"))).await.unwrap();
        let parts = CoreParts {
            clock,
            journal: journal(&store),
            store: store.clone(),
            sealer,
            kinds,
            logins: Logins::default(),
            pace: Pace::default(),
            deadlines: Deadlines::default(),
            limits: GatewayLimits::default(),
            roles: Roles::default(),
            policy: Policy::default(),
            catalog_dir: dir.join("templates"),
            state_dir: dir.to_owned(),
            metrics: None,
        };
        let mut core = Core::start(parts).await.unwrap();
        core.resume();
        Self { core, store }
    }

    /// Asks, as an administrator.
    pub async fn ask(&self, request: Request) -> Result<(), Error> {
        let caller = Caller::new(Principal::user("root"), 0, Some(Role::Admin));
        match dispatch(&self.core.app, caller, request) {
            Dispatched::AtOnce(answer) => answer.map(drop),
            Dispatched::Later(work) => work.await.map(drop),
        }
    }

    pub fn cluster(&self, name: &Name) -> Pinned {
        self.core.app.provisioner.shared.board.cluster(name).unwrap()
    }

    pub async fn until_ready(&self, name: &Name, limit: Duration) {
        let ready = async {
            while self.cluster(name).state.record.phase != ClusterPhase::Ready {
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(limit, ready).await.expect("the cluster becomes ready");
    }

    pub async fn stop(self) {
        drop(self.core.fleet.call(FleetMessage::Drain, Some(DRAIN_LIMIT)).await);
        self.core.fleet.stop(None);
        self.store.close().await;
    }
}
