//! How a store is opened, and what was found.

use std::{fmt, io, path::PathBuf, sync::Arc};

use crate::room::HEADROOM_BYTES;

/// sled's page cache. sled's own default of 1 GiB is far above a daemon that is to hold 2,000 clusters in 400 MB;
/// the whole of their records is a few tens of MiB.
const DEFAULT_CACHE_BYTES: u64 = 32 * 1024 * 1024;
const DEFAULT_EXPORTS_KEPT: usize = 3;

/// A point on the way of what is written, in order: two before the first group after an open, the others in every group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CommitStep {
    /// The database that was found is about to be built anew.
    Rebuild,
    /// The new database lies beside the one that was found, about to take its place.
    Exchange,
    /// Nothing was written yet.
    Apply,
    /// sled has the batch in memory.
    Flush,
    /// The batch is in sled's file, in the page cache.
    SyncDatabase,
    /// The database is fsynced or being fsynced.
    SyncWitness,
    /// All is durable, nobody was told.
    Acknowledge,
}

/// Called before each step; an `Err` makes that step fail. For crash and fault tests.
pub type FaultHook = Arc<dyn Fn(CommitStep) -> io::Result<()> + Send + Sync>;

/// How to open a store.
#[derive(Clone)]
pub struct OpenOptions {
    /// sled's page cache in bytes.
    pub cache_bytes: u64,
    /// How many exports [`crate::Store::export`] keeps.
    pub exports_kept: usize,
    /// Restore the newest export when nothing better is left, although commits after it are lost.
    pub accept_older_export: bool,
    /// Trust an intact database whose witness is missing or damaged.
    pub accept_unwitnessed: bool,
    /// What must be free on the disk for a commit to begin, in bytes.
    pub headroom_bytes: u64,
    /// Fault injection.
    pub fault_hook: Option<FaultHook>,
}

impl Default for OpenOptions {
    fn default() -> Self {
        OpenOptions {
            cache_bytes: DEFAULT_CACHE_BYTES,
            exports_kept: DEFAULT_EXPORTS_KEPT,
            accept_older_export: false,
            accept_unwitnessed: false,
            headroom_bytes: HEADROOM_BYTES,
            fault_hook: None,
        }
    }
}

impl fmt::Debug for OpenOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenOptions")
            .field("cache_bytes", &self.cache_bytes)
            .field("exports_kept", &self.exports_kept)
            .field("accept_older_export", &self.accept_older_export)
            .field("accept_unwitnessed", &self.accept_unwitnessed)
            .field("headroom_bytes", &self.headroom_bytes)
            .field("fault_hook", &self.fault_hook.is_some())
            .finish()
    }
}

/// What opening found and did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenReport {
    /// The store is new.
    pub created: bool,
    /// Last group commit in the database.
    pub generation: u64,
    /// Number of records, all of them checked.
    pub records: u64,
    /// What had to be repaired, in order; empty in a normal start.
    pub repairs: Vec<Repair>,
    /// Where the files as found were kept, if a repair touched them.
    pub kept: Option<PathBuf>,
}

/// One repair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Repair {
    /// A half-written snapshot of sled was removed, as a kill during a start leaves it.
    RemovedUnfinishedSnapshot,
    /// sled's settings file was damaged and removed; sled makes it anew.
    RemovedSettings,
    /// sled's snapshot was damaged and replaced by our copy.
    RestoredSnapshot,
    /// sled's snapshots were removed; the log was replayed from its start.
    RemovedSnapshots,
    /// The database was rebuilt from an export that holds every committed generation.
    RestoredExport {
        /// The export used.
        export: PathBuf,
    },
    /// The database was rebuilt from an older export, as the caller accepted.
    RestoredOlderExport {
        /// The export used.
        export: PathBuf,
        /// First generation that is lost.
        first_lost: u64,
        /// Last generation that is lost; `None` if the witness is lost as well.
        last_lost: Option<u64>,
    },
    /// An intact database without a witness was trusted, as the caller accepted.
    TrustedUnwitnessed,
    /// A group that nobody was told of did not survive a power loss.
    UnacknowledgedGroupLost {
        /// Its generation.
        generation: u64,
    },
}

/// In words, for logs and events.
impl fmt::Display for Repair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Repair::RemovedUnfinishedSnapshot => f.write_str("a half-written snapshot was removed"),
            Repair::RemovedSettings => {
                f.write_str("the database's damaged settings were removed; it has made new ones")
            }
            Repair::RestoredSnapshot => f.write_str("a damaged snapshot was replaced by its copy"),
            Repair::RemovedSnapshots => {
                f.write_str("damaged snapshots were removed, and the log was read from its start")
            }
            Repair::RestoredExport { export } => {
                write!(f, "the database was made anew from {}, which has all that was committed", export.display())
            }
            Repair::RestoredOlderExport { export, first_lost, last_lost: Some(last_lost) } => {
                let export = export.display();
                write!(f, "the database was made anew from {export}; commits {first_lost} to {last_lost} are lost")
            }
            Repair::RestoredOlderExport { export, first_lost, last_lost: None } => {
                write!(f, "the database was made anew from {}; commits from {first_lost} on are lost", export.display())
            }
            Repair::TrustedUnwitnessed => f.write_str("a whole database without its witness was trusted"),
            Repair::UnacknowledgedGroupLost { generation } => {
                write!(f, "commit {generation}, of which nobody was told, was lost with the power")
            }
        }
    }
}
