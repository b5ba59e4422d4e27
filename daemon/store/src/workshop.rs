//! A database is built beside the one in place, checked, and changed over in one step.

use std::{fs, io, path::Path};

use rustix::fs::{CWD, RenameFlags, renameat_with};

use crate::{
    directory::{Layout, create_private_dir, sync_dir},
    engine::{Engine, EngineError, Purpose},
    export::Snapshot,
    root::{ROOT_KEY, Root},
    verify::Checked,
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
        let engine = Engine::open(&self.layout, self.cache_bytes, Purpose::Commits)?;
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
        let engine = Engine::open(&workshop, self.cache_bytes, Purpose::Checks)?;
        self.write_and_close(engine, snapshot)
    }

    fn write_and_close(&self, engine: Engine, snapshot: Snapshot) -> Result<(), EngineError> {
        match self.write(&engine, snapshot) {
            Ok(()) => engine.close(),
            Err(error) => {
                // Not dropped: sled's destructor waits for ever for a write that has failed (seen with a blob).
                std::mem::forget(engine);
                Err(error)
            }
        }
    }

    fn write(&self, engine: &Engine, snapshot: Snapshot) -> Result<(), EngineError> {
        for chunk in snapshot.records.chunks(BUILD_BATCH) {
            let mut batch = sled::Batch::default();
            for (key, value) in chunk {
                batch.insert(key, value);
            }
            engine.apply(batch)?;
        }
        let mut root = sled::Batch::default();
        root.insert(&ROOT_KEY, self.root.encode().map_err(|error| EngineError::Failed(error.to_string()))?);
        engine.apply(root)?;
        engine.flush()?;
        Ok(engine.sync()?)
    }

    /// Reads back from the files, not from the memory of the engine that wrote them.
    fn check(&self) -> Result<(), EngineError> {
        let engine = Engine::open(&self.workshop(), self.cache_bytes, Purpose::Checks)?;
        let found = engine.verify(Checked::Dropped);
        engine.close()?;
        if found?.map(|(root, _)| root) == Some(self.root) { Ok(()) } else { Err(differs()) }
    }
}

fn differs() -> EngineError {
    EngineError::Failed("the database that was built differs from its source".into())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_write_that_fails_within_sled_is_an_error_and_does_not_hang() {
        let dir = tempfile::tempdir().unwrap();
        let records = (0..60_u8).map(|n| (sled::IVec::from(&[2, n]), sled::IVec::from(vec![n; 60_000])));
        let snapshot = Snapshot { root: Root::new([0; 16]), records: Arc::new(records.collect()) };
        let layout = Layout { dir: dir.path().to_owned() };
        let built = Built { layout, cache_bytes: 1 << 20, root: snapshot.root };
        create_private_dir(&built.workshop().dir).unwrap();
        let engine = Engine::open(&built.workshop(), built.cache_bytes, Purpose::Checks).unwrap();
        // So many large values do not stay in sled's own file.
        fs::remove_dir(built.workshop().blobs()).unwrap();
        let error = built.write_and_close(engine, snapshot).unwrap_err();
        assert!(error.to_string().contains("No such file"), "{error}");
    }
}
