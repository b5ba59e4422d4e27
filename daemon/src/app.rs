//! The application's state: what the gateway's operations, the collector and the upkeep work with.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use metrics_exporter_prometheus::PrometheusHandle;
use muster_engine::state::Requested;
use muster_protocol::model::account::Finding;
use muster_protocol::{Name, OperationId, Principal, Timestamp};
use muster_store::Store;
use ractor::ActorRef;
use tokio::sync::RwLock;
use tokio_util::sync::CancellationToken;

use crate::fleet::FleetMessage;
use crate::gateway::catalog::shelf::Shelf;
use crate::gateway::limits::GatewayLimits;
use crate::gateway::policy::Policy;
use crate::gateway::recent_keys::RecentKeys;
use crate::gateway::roles::{Caller, Roles};
use crate::gateway::token::book::TokenBook;
use crate::permits::Permits;
use crate::provisioner::Provisioner;

/// The application's state, which all requests share.
pub struct App {
    /// Checks accounts and resources; has the board, the journal and the vault that all share.
    pub provisioner: Arc<Provisioner>,
    /// For history: events, answers, accounts.
    pub store: Store,
    /// Supervises what is created.
    pub fleet: ActorRef<FleetMessage>,
    /// The catalog.
    pub shelf: Shelf,
    /// Who may do what.
    pub roles: Roles,
    /// What operators may do on the machines themselves.
    pub policy: Policy,
    /// Those who may do something by a token.
    pub tokens: TokenBook,
    /// The metrics of the process, if it records any.
    pub metrics: Option<PrometheusHandle>,
    /// How much is let in.
    pub limits: GatewayLimits,
    /// Requests with the same idempotency key wait for each other.
    pub keys: Permits<(Principal, String)>,
    /// Idempotency keys that may have an answer in the store.
    pub recent_keys: RecentKeys,
    /// Changes that one user may have under way.
    pub changes_of_user: Permits<Principal>,
    /// Changes of one cluster that may wait for its supervisor.
    pub changes: Permits<Name>,
    /// Held for reading while a cluster is made with an account, for writing while accounts change.
    pub accounts: RwLock<()>,
    /// What the collector found and could not mend.
    pub findings: Mutex<Vec<Finding>>,
    /// Where the store lies, for its disk's free space.
    pub state_dir: PathBuf,
    /// Ends streams and refuses requests.
    pub stopping: CancellationToken,
}

impl App {
    /// The time now.
    pub fn now(&self) -> Timestamp {
        self.provisioner.shared.clock.now()
    }

    /// A new change that this caller asks for now.
    pub fn asked(&self, caller: &Caller) -> Requested {
        Requested { operation: OperationId::generate(), by: caller.principal.clone(), at: self.now() }
    }

    /// What the collector found and could not mend.
    pub fn findings(&self) -> Vec<Finding> {
        self.findings.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
