//! The renewal: the first commit after an open has the database built anew, before it is committed.
//!
//! A snapshot hides damage in sled's log from sled: all records read well, but what is committed next is gone after the
//! next start (seen with one flipped byte in the header of the last segment). A new file has no such past, and none of
//! the space that sled never gives back. Reads need not wait for it: what they read was checked.
//!
//! ```text
//! open: lock → check every record → reads ────────────────────────────────────────┐
//!                                 └ build → read back → close, exchange, open ────┴→ commits
//! ```
//! A kill at any point leaves a whole database in place: the one that was found or the one that was built.

use crate::{
    CommitStep, FaultHook, directory::Layout, engine::EngineError, export::Snapshot, repair::protect_snapshot,
    shared::OpenDatabase, workshop::Built,
};

/// What is to be built anew.
pub(crate) struct Renewal {
    pub layout: Layout,
    pub cache_bytes: u64,
    /// All records, as the open has found and checked them.
    pub snapshot: Snapshot,
    pub hook: Option<FaultHook>,
}

impl Renewal {
    /// Builds the database and puts it in the place of the one in `shared`. Blocking.
    pub fn run(self, shared: &OpenDatabase) -> Result<(), EngineError> {
        let Renewal { layout, cache_bytes, snapshot, hook } = self;
        shared.forget_found();
        let step = |step| hook.as_ref().map_or(Ok(()), |hook| hook(step));
        step(CommitStep::Rebuild)?;
        let built = Built::from(snapshot, &layout, cache_bytes)?;
        step(CommitStep::Exchange)?;
        shared.replace(|| built.install(None))?;
        Ok(protect_snapshot(&layout)?)
    }
}
