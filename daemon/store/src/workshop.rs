//! A database is built beside the one in place, checked, and changed over in one step.

use std::{fs, io, path::Path};

use rustix::fs::{CWD, RenameFlags, renameat_with};

use crate::{
    directory::{Layout, create_private_dir, sync_dir},
    engine::{Engine, EngineError, discard, guarded},
    export::Snapshot,
    root::{ROOT_KEY, Root},
};

/// Records in one sled batch while building; nothing is visible before the exchange.
const BUILD_BATCH: usize = 1000;

/// A database that was built and read back, and waits for its place. What an interruption leaves of it is removed when
/// the next one is built.
pub(crate) struct Built {
    layout: Layout,
    cache_bytes: u64,
    root: Root,
}

impl Built {
    /// Builds the database of `snapshot` in durable files of its own, and reads all of them back.
    pub fn from(snapshot: Snapshot, layout: &Layout, cache_bytes: u64) -> Result<Built, EngineError> {
        let built = Built { layout: layout.clone(), cache_bytes, root: snapshot.root };
        built.clear()?;
        built.fill(snapshot).and_then(|()| built.check()).inspect_err(|_| {
            // A full disk needs the space; if this fails as well, the first error says more.
            let _ = built.clear();
        })?;
        Ok(built)
    }

    /// Puts the database in its place and opens it there. The one that was there must be closed; it is moved to
    /// `set_aside` or removed.
    pub fn install(self, set_aside: Option<&Path>) -> Result<Engine, EngineError> {
        let (built, place) = (self.workshop().sled(), self.layout.sled());
        if place.exists() {
            renameat_with(CWD, &built, CWD, &place, RenameFlags::EXCHANGE).map_err(io::Error::from)?;
            if let Some(aside) = set_aside {
                fs::rename(&built, aside)?;
            }
        } else {
            fs::rename(&built, &place)?;
        }
        sync_dir(&self.layout.dir)?;
        let engine = Engine::open(&self.layout, self.cache_bytes)?;
        if engine.root()? != Some(self.root) {
            return Err(differs());
        }
        self.clear()?;
        Ok(engine)
    }

    fn workshop(&self) -> Layout {
        Layout { dir: self.layout.dir.join("building") }
    }

    fn clear(&self) -> io::Result<()> {
        match fs::remove_dir_all(self.workshop().dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            outcome => outcome,
        }
    }

    /// Takes the snapshot, so that its records are held no longer than needed.
    fn fill(&self, snapshot: Snapshot) -> Result<(), EngineError> {
        let workshop = self.workshop();
        create_private_dir(&workshop.dir)?;
        let root = self.root.encode().map_err(|error| EngineError::Failed(error.to_string()))?;
        let engine = Engine::open(&workshop, self.cache_bytes)?;
        let filled = guarded(|| {
            for chunk in snapshot.records.chunks(BUILD_BATCH) {
                let mut batch = sled::Batch::default();
                for (key, value) in chunk {
                    batch.insert(key, value);
                }
                engine.db().apply_batch(batch)?;
            }
            engine.db().insert(ROOT_KEY, root)?;
            engine.flush()?;
            Ok(engine.sync()?)
        });
        discard(engine);
        filled
    }

    /// Reads back from the files, not from the memory of the engine that wrote them.
    fn check(&self) -> Result<(), EngineError> {
        let engine = Engine::open(&self.workshop(), self.cache_bytes)?;
        let found = engine.verify(|_, _| ());
        engine.close()?;
        if found? == Some(self.root) { Ok(()) } else { Err(differs()) }
    }
}

fn differs() -> EngineError {
    EngineError::Failed("the database that was built differs from its source".into())
}
