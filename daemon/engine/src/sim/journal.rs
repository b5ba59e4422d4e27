//! The world on disk: one change a line. It survives the daemon's death, not the host's: nothing is synced.
//! A lock beside it keeps a second daemon out, which would write the file anew under the first one's hands.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::state::{Change, SimState};

/// A journal that nobody else can open, not read yet.
pub(super) struct Locked {
    path: PathBuf,
    lock: File,
}

impl Locked {
    /// Locks the journal in this file.
    pub(super) fn new(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), lock: lock(&path.with_extension("lock"))? })
    }

    /// The file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the journal, writes it anew without what is gone since, and opens it for more.
    pub(super) fn open(&self) -> io::Result<(Journal, SimState)> {
        let state = read(&self.path)?;
        let fresh = self.path.with_extension("new");
        let mut writer = BufWriter::new(File::create(&fresh)?);
        for change in state.as_changes() {
            writer.write_all(&line(&change)?)?;
        }
        writer.flush()?;
        std::fs::rename(&fresh, &self.path)?;
        let file = OpenOptions::new().append(true).open(&self.path)?;
        Ok((Journal { file, _lock: self.lock.try_clone()? }, state))
    }
}

/// An open journal.
pub(super) struct Journal {
    file: File,
    /// Locked for as long as it is open; the kernel ends that with the process.
    _lock: File,
}

impl Journal {
    /// Adds a change, in one write: a killed process leaves the whole line or none of it.
    pub(super) fn append(&mut self, change: &Change) -> io::Result<()> {
        self.file.write_all(&line(change)?)
    }
}

fn lock(path: &Path) -> io::Result<File> {
    let file = File::create(path)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            Err(io::Error::new(io::ErrorKind::ResourceBusy, "it is in use by another daemon"))
        }
        Err(TryLockError::Error(error)) => Err(error),
    }
}

fn line(change: &Change) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(change)?;
    line.push(b'\n');
    Ok(line)
}

fn read(path: &Path) -> io::Result<SimState> {
    let mut state = SimState::default();
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(state),
        Err(error) => return Err(error),
    };
    let mut reader = BufReader::new(file);
    let mut text = String::new();
    while reader.read_line(&mut text)? > 0 {
        if !text.ends_with('\n') {
            // The disk was full: the call that wrote this was answered with a failure.
            break;
        }
        state.apply(serde_json::from_str(&text)?);
        text.clear();
    }
    Ok(state)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_world_that_is_in_use_is_not_opened_a_second_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sim.world");
        let first = Locked::new(&path).unwrap();
        let (read, _) = first.open().unwrap();
        drop(first);
        let refused = Locked::new(&path).err().unwrap();
        assert_eq!(refused.kind(), io::ErrorKind::ResourceBusy, "who has read it holds it");
        drop(read);
        assert!(Locked::new(&path).is_ok());
    }
}
