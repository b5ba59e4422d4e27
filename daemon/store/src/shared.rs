//! The open database, shared by reads and the writer.

use std::{
    sync::{Mutex, PoisonError, RwLock, mpsc},
    thread,
    time::Duration,
};

use crate::{
    NotApplied,
    directory::DirLock,
    engine::{Engine, EngineError, discard},
    found::Records,
};

/// How long sled may take to let go of its files.
const CLOSING: Duration = Duration::from_secs(5);

/// The database, or why it is not there. Reads and groups share it; closing waits for them.
pub(crate) struct OpenDatabase {
    open: RwLock<Result<Open, NotApplied>>,
    /// All records, as the open has found them; until the first commit, which changes them.
    found: Mutex<Option<Records>>,
}

/// Fields drop in order: the directory is held until the database is gone.
struct Open {
    engine: Engine,
    lock: DirLock,
}

impl OpenDatabase {
    pub fn new(engine: Engine, lock: DirLock, found: Option<Records>) -> Self {
        OpenDatabase { open: RwLock::new(Ok(Open { engine, lock })), found: Mutex::new(found) }
    }

    /// All records, while none was committed since they were found.
    pub fn found(&self) -> Option<Records> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Commits begin: what was found is not what there is any more.
    pub fn forget_found(&self) {
        self.found.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// Runs `work` on the open database. Blocking.
    pub fn with<T>(&self, work: impl FnOnce(&Engine) -> T) -> Result<T, NotApplied> {
        match &*self.open.read().unwrap_or_else(PoisonError::into_inner) {
            Ok(open) => Ok(work(&open.engine)),
            Err(reason) => Err(reason.clone()),
        }
    }

    /// Closes the database and goes on with the one that `successor` opens, while reads wait. If it fails, there is no
    /// database from then on. Blocking.
    pub fn replace(&self, successor: impl FnOnce() -> Result<Engine, EngineError>) -> Result<(), EngineError> {
        let mut slot = self.open.write().unwrap_or_else(PoisonError::into_inner);
        // The reason is seen only if what follows panics.
        let Open { engine, lock } = std::mem::replace(&mut *slot, Err(NotApplied::Closed))
            .map_err(|reason| EngineError::Failed(reason.to_string()))?;
        let engine = engine.close().and_then(|()| successor());
        let engine = engine.inspect_err(|error| *slot = Err(NotApplied::Stopped(error.to_string())))?;
        *slot = Ok(Open { engine, lock });
        Ok(())
    }

    /// Closes the database and releases its locks, unless that was done. Blocking, but not for longer than
    /// [`CLOSING`]: sled's destructor waits for ever for a write that has failed (seen with a blob on a full disk), and who
    /// waits for the outcome of a commit must not wait with it.
    pub fn shut(&self, reason: NotApplied) {
        let mut slot = self.open.write().unwrap_or_else(PoisonError::into_inner);
        if slot.is_ok()
            && let Ok(Open { engine, lock }) = std::mem::replace(&mut *slot, Err(reason))
        {
            let (done, closed) = mpsc::channel::<()>();
            let closing = thread::Builder::new().name("muster-closing".into()).spawn(move || {
                discard(engine);
                drop(lock);
                drop(done);
            });
            if closing.is_ok() && closed.recv_timeout(CLOSING) == Err(mpsc::RecvTimeoutError::Timeout) {
                tracing::warn!("sled does not let go of its files; only the end of this process releases them");
            }
        }
    }
}
