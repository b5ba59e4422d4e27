//! The store's directory: its layout, its lock, and file operations that survive power loss.

use std::{
    fs,
    io::{self, Read, Seek, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use rustix::fs::{FlockOperation, flock};

use crate::OpenError;

/// How long an open waits for an earlier store *of this very process* that is still being dropped.
const OWN_LOCK_WAIT: Duration = Duration::from_secs(10);
/// How long it waits for another process: one that was just killed may not be quite gone yet, and one that is being
/// started by its parent has the parent's lock until it runs its own program.
const OTHERS_LOCK_WAIT: Duration = Duration::from_secs(1);
const POLL: Duration = Duration::from_millis(1);

/// Paths within the store's directory.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    pub dir: PathBuf,
}

impl Layout {
    pub fn sled(&self) -> PathBuf {
        self.dir.join("sled")
    }
    pub fn sled_file(&self) -> PathBuf {
        self.dir.join("sled").join("db")
    }
    pub fn blobs(&self) -> PathBuf {
        self.dir.join("sled").join("blobs")
    }
    pub fn witness(&self) -> PathBuf {
        self.dir.join("witness")
    }
    pub fn exports(&self) -> PathBuf {
        self.dir.join("exports")
    }
    /// Our copy of sled's snapshot.
    pub fn snapshot_copy(&self) -> PathBuf {
        self.dir.join("snapshot-copy")
    }
    /// The files of a damaged database while a repair is tried.
    pub fn as_found(&self) -> PathBuf {
        self.dir.join("as-found")
    }
    /// A free name for a database that is put aside.
    pub fn free_place(&self, what: &str, generation: u64) -> PathBuf {
        let place = |n: u32| self.dir.join(format!("{what}-{generation:020}-{n}"));
        (1..).map(place).find(|path| !path.exists()).unwrap_or_else(|| place(0))
    }
    fn lock(&self) -> PathBuf {
        self.dir.join("lock")
    }
}

/// Creates a directory that only its owner may enter, with its parents.
pub(crate) fn create_private_dir(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Holds the directory for this process until dropped. Separate from sled's own lock, because a repair moves sled's
/// files, and because sled's lock lives on for a moment in its threads after the database was dropped.
#[derive(Debug)]
pub(crate) struct DirLock {
    _file: fs::File,
}

impl DirLock {
    pub fn acquire(layout: &Layout) -> Result<DirLock, OpenError> {
        let path = layout.lock();
        let io = |source| OpenError::Io { path: path.clone(), source };
        let mut file = fs::OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(io)?;
        let began = Instant::now();
        while let Err(error) = flock(&file, FlockOperation::NonBlockingLockExclusive) {
            if error != rustix::io::Errno::WOULDBLOCK {
                return Err(io(error.into()));
            }
            let mut holder = String::new();
            file.rewind().and_then(|()| file.read_to_string(&mut holder)).map_err(io)?;
            let ours = holder.trim() == std::process::id().to_string();
            let patience = if ours { OWN_LOCK_WAIT } else { OTHERS_LOCK_WAIT };
            if began.elapsed() >= patience {
                return Err(OpenError::AnotherDaemon { dir: layout.dir.clone(), holder: holder.trim().to_owned() });
            }
            std::thread::park_timeout(POLL);
        }
        file.set_len(0).and_then(|()| file.rewind()).map_err(io)?;
        writeln!(file, "{}", std::process::id()).map_err(io)?;
        Ok(DirLock { _file: file })
    }
}

/// Makes the entries of a directory durable.
pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    fs::File::open(dir)?.sync_all()
}

/// Writes a whole file so that its name has either the old or the new content. The caller syncs the directory.
pub(crate) fn replace_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    replace_file_with(path, |file| file.write_all(bytes))
}

/// As [`replace_file`], for a content that is not in memory as a whole.
pub(crate) fn replace_file_with(path: &Path, write: impl FnOnce(&mut fs::File) -> io::Result<()>) -> io::Result<()> {
    let temporary = path.with_extension("tmp");
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
    write(&mut file)?;
    file.sync_all()?;
    fs::rename(&temporary, path)
}

/// Copies a directory tree of plain files, durably.
pub(crate) fn copy_dir(from: &Path, to: &Path) -> io::Result<()> {
    create_private_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_dir(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target)?;
            fs::File::open(&target)?.sync_all()?;
        }
    }
    sync_dir(to)
}

/// Calls `attempt` until it is no longer refused for want of a lock, at most for `limit`.
pub(crate) fn retry_while_locked<T, E>(
    limit: Duration,
    locked: impl Fn(&E) -> bool,
    mut attempt: impl FnMut() -> Result<T, E>,
) -> Result<T, E> {
    let deadline = Instant::now() + limit;
    loop {
        match attempt() {
            Err(error) if locked(&error) && Instant::now() < deadline => std::thread::park_timeout(POLL),
            outcome => return outcome,
        }
    }
}
