//! sled, held at arm's length: every call is guarded against panics, and durability is ours.

use std::{
    any::Any,
    fmt, fs, io,
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use rustix::{
    fs::{FlockOperation, flock},
    io::Errno,
};

use crate::{
    blobs::Blobs,
    directory::{Layout, retry_while_locked, sync_dir},
    root::{ROOT_KEY, Root, RootError},
};

/// sled's threads may hold its file lock for a moment after the last handle was dropped.
const SLED_LOCK_WAIT: Duration = Duration::from_secs(5);

/// How often sled's background thread fsyncs and moves pages together, in milliseconds.
const BACKGROUND_MS: u64 = 5_000;

/// Why a call into sled failed.
#[derive(Debug)]
pub(crate) enum EngineError {
    /// sled or the system said so.
    Failed(String),
    /// sled's file is locked although we hold the directory.
    Locked,
    /// Another release of Muster wrote what is there, which is said in words.
    OtherRelease(String),
}

impl fmt::Display for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EngineError::Failed(cause) => f.write_str(cause),
            EngineError::Locked => f.write_str("sled's file is locked"),
            EngineError::OtherRelease(which) => write!(f, "written by {which}"),
        }
    }
}

impl From<RootError> for EngineError {
    fn from(error: RootError) -> Self {
        match error {
            RootError::Damaged(cause) => EngineError::Failed(cause),
            RootError::OtherRelease(which) => EngineError::OtherRelease(which),
        }
    }
}

impl From<sled::Error> for EngineError {
    fn from(error: sled::Error) -> Self {
        let text = error.to_string();
        // sled reports a held lock as an untyped I/O error.
        if text.contains("could not acquire lock") { EngineError::Locked } else { EngineError::Failed(text) }
    }
}

impl From<io::Error> for EngineError {
    fn from(error: io::Error) -> Self {
        EngineError::Failed(error.to_string())
    }
}

/// Runs `work`, turning a panic into an error. sled panics on some kinds of damage.
pub(crate) fn guarded<T>(work: impl FnOnce() -> Result<T, EngineError>) -> Result<T, EngineError> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|panic| Err(EngineError::Failed(format!("sled panicked: {}", words_of(panic.as_ref())))))
}

/// What a panic says.
pub(crate) fn words_of(panic: &(dyn Any + Send)) -> &str {
    let words = panic.downcast_ref::<String>().map(String::as_str);
    words.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message")
}

/// What a database is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To be built or read once. sled's background thread, which fsyncs and moves pages about, would only be in the way.
    Checks,
    /// To be committed to. Belt and braces: the background thread is the one part of sled that calls fsync. Not more
    /// often than this, for it would be a third of what an idle daemon does; every commit has an fsync of our own.
    Commits,
}

/// The open database.
pub(crate) struct Engine {
    db: sled::Db,
    /// Our own handle on sled's file: sled's `flush` only starts the write-out, it does not wait for the disk.
    file: fs::File,
    layout: Layout,
    blobs: Blobs,
}

impl Engine {
    /// Opens or creates sled's files and makes them durable: after a kill they may hold a group that was never fsynced,
    /// which the witness is about to vouch for.
    pub fn open(layout: &Layout, cache_bytes: u64, purpose: Purpose) -> Result<Engine, EngineError> {
        let config =
            sled::Config::new().path(layout.sled()).cache_capacity(cache_bytes).flush_every_ms(match purpose {
                Purpose::Commits => Some(BACKGROUND_MS),
                Purpose::Checks => None,
            });
        let locked = |error: &EngineError| matches!(error, EngineError::Locked);
        let db = retry_while_locked(SLED_LOCK_WAIT, locked, || guarded(|| Ok(config.open()?)))?;
        let file = fs::File::open(layout.sled_file())?;
        let engine = Engine { db, file, blobs: Blobs::new(layout.blobs()), layout: layout.clone() };
        engine.sync_everything()?;
        Ok(engine)
    }

    /// sled's own handle, for reads; use within [`guarded`].
    pub fn db(&self) -> &sled::Tree {
        &self.db
    }

    /// Changes all or nothing, in memory.
    pub fn apply(&self, batch: sled::Batch) -> Result<(), EngineError> {
        guarded(|| Ok(self.db.apply_batch(batch)?))
    }

    /// Hands everything to the operating system: survives a kill, not a power loss.
    pub fn flush(&self) -> Result<(), EngineError> {
        guarded(|| {
            self.db.flush()?;
            Ok(())
        })
    }

    /// Real durability of all that was flushed.
    pub fn sync(&self) -> io::Result<()> {
        self.blobs.sync()?;
        self.file.sync_data()
    }

    fn sync_everything(&self) -> io::Result<()> {
        self.blobs.sync()?;
        self.file.sync_all()?;
        fs::File::open(self.layout.sled().join("conf"))?.sync_all()?;
        sync_dir(&self.layout.sled())?;
        sync_dir(&self.layout.dir)
    }

    /// Closes sled and waits until its last thread has let go of the files, so that these can be moved.
    pub fn close(self) -> Result<(), EngineError> {
        let file = self.file.try_clone()?;
        discard(self);
        let locked = |error: &Errno| *error == Errno::WOULDBLOCK;
        let unlocked = || flock(&file, FlockOperation::NonBlockingLockExclusive);
        Ok(retry_while_locked(SLED_LOCK_WAIT, locked, unlocked).map_err(io::Error::from)?)
    }

    /// The root record, if there is one.
    pub fn root(&self) -> Result<Option<Root>, EngineError> {
        let found = guarded(|| Ok(self.db.get(ROOT_KEY)?))?;
        Ok(found.map(|value| Root::decode(&value)).transpose()?)
    }
}

/// Drops an engine where a panic of sled's destructor does no harm.
pub(crate) fn discard(engine: Engine) {
    if let Err(error) = guarded(|| {
        drop(engine);
        Ok(())
    }) {
        tracing::warn!(%error, "closing sled failed; all acknowledged commits are on disk");
    }
}
