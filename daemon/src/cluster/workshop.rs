//! What a cluster's actors work with.

use std::sync::Arc;
use std::time::Duration;

use muster_engine::context::ClusterContext;
use muster_engine::driver::Driver;
use muster_engine::handler::Handler;
use muster_engine::looks::LookPace;
use muster_engine::preparer::Preparer;
use muster_engine::state::Deadlines;
use muster_provision::logins::Logins;

use super::account::AccountGate;
use crate::board::Board;
use crate::clock::Clock;
use crate::journal::Journal;
use crate::journal::vault::Vault;

/// Things that all clusters share.
pub struct SharedParts {
    /// The time.
    pub clock: Clock,
    /// Where changes are written.
    pub journal: Arc<dyn Journal>,
    /// Sealed things.
    pub vault: Vault,
    /// Logins at image registries.
    pub logins: Arc<Logins>,
    /// What readers see.
    pub board: Arc<Board>,
    /// How much may be done at once, and how often is looked.
    pub pace: Pace,
}

/// How much may be done at once, and how often is looked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pace {
    /// Calls under way at once for one cluster.
    pub calls_per_cluster: usize,
    /// Calls under way at once for one account.
    pub calls_per_account: usize,
    /// How often a cluster is looked at.
    pub looks: LookPace,
    /// How long a shutdown waits for calls under way.
    pub drain: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            calls_per_cluster: 64,
            calls_per_account: 64,
            looks: LookPace { when_busy: Duration::from_millis(500), when_idle: Duration::from_secs(30) },
            drain: Duration::from_secs(10),
        }
    }
}

/// The tools for one cluster, which its actors share.
pub struct Workshop {
    /// What all clusters share.
    pub shared: Arc<SharedParts>,
    /// What never changes of this cluster.
    pub context: Arc<ClusterContext>,
    /// Talks to the infrastructure.
    pub driver: Arc<dyn Driver>,
    /// Prepares machines.
    pub preparer: Arc<dyn Preparer>,
    /// Talks to the orchestrator.
    pub handler: Arc<dyn Handler>,
    /// The places for calls to its account.
    pub account: AccountGate,
    /// Limits in time.
    pub deadlines: Deadlines,
}
