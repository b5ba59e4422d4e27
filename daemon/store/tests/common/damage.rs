//! A store to be damaged, and ways to damage it.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use muster_store::{OpenError, Repair};
use tempfile::TempDir;

use super::{Note, all, open, put, tempdir, try_open};

/// A damage and its name.
pub type Case<F> = (&'static str, F);

/// A closed store with a history of commits, overwrites and deletes, and what it holds.
pub struct Original {
    pub dir: TempDir,
    pub notes: Vec<Note>,
    pub generation: u64,
}

impl Original {
    pub async fn new() -> Original {
        let dir = tempdir();
        let mut generation = 0;
        // Two runs, so that the second one starts from a snapshot and adds to it.
        for run in 0..2 {
            let (store, _) = open(dir.path()).await;
            for n in (0..300).step_by(5) {
                let mut notes: Vec<_> = (n..n + 5).map(Note::numbered).collect();
                notes.iter_mut().for_each(|note| note.text.push_str(&format!("run {run}")));
                generation = put(&store, &notes).await;
            }
            store.close().await;
        }
        let (store, _) = open(dir.path()).await;
        let notes = all(&store).await;
        store.close().await;
        assert_eq!(notes.len(), 300);
        Original { dir, notes, generation }
    }

    pub fn copy(&self) -> TempDir {
        let copy = tempdir();
        copy_dir(self.dir.path(), copy.path());
        copy
    }

    /// Opens a copy after `damage`. Returns the repairs, or the error if it was refused, which it then stays.
    pub async fn after(&self, what: &str, damage: impl FnOnce(&Path)) -> Result<Vec<Repair>, OpenError> {
        let copy = self.copy();
        damage(copy.path());
        match try_open(copy.path()).await {
            Ok((store, report)) => {
                assert!(!report.created, "{what}: started empty");
                assert_eq!(all(&store).await, self.notes, "{what}: records differ after {:?}", report.repairs);
                put(&store, &[Note::new("new", "")]).await;
                store.close().await;
                let (store, again) = open(copy.path()).await;
                assert_eq!((all(&store).await.len(), again.repairs), (301, vec![]), "{what}: not whole after a repair");
                store.close().await;
                Ok(report.repairs)
            }
            Err(error) => {
                let refused = matches!(error, OpenError::Damaged { .. } | OpenError::Unwitnessed { .. });
                assert!(refused, "{what}: {error}");
                let again = try_open(copy.path()).await;
                assert!(again.is_err(), "{what}: refused once, then opened: {error}");
                Err(error)
            }
        }
    }
}

/// Copies the files of a store that is open, as a crash at one moment would leave them. sled writes in the background, so
/// they are read until twice the same is read: then that was so at the moment between.
pub fn copy_open_store(from: &Path, to: &Path) {
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut seen = contents(from);
    loop {
        let again = contents(from);
        if again.is_ok() && again.as_ref().ok() == seen.as_ref().ok() {
            break;
        }
        assert!(Instant::now() < deadline, "sled does not come to rest: {:?}", again.err());
        seen = again;
    }
    for (path, bytes) in seen.unwrap() {
        let target = to.join(path);
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::write(target, bytes).unwrap();
    }
}

/// All files below a folder, by their paths within it. Fails if one goes away meanwhile.
fn contents(dir: &Path) -> io::Result<BTreeMap<PathBuf, Vec<u8>>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = PathBuf::from(entry.file_name());
        if entry.file_type()?.is_dir() {
            files.extend(contents(&entry.path())?.into_iter().map(|(path, bytes)| (name.join(path), bytes)));
        } else {
            files.insert(name, fs::read(entry.path())?);
        }
    }
    Ok(files)
}

pub fn copy_dir(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            fs::create_dir_all(&target).unwrap();
            copy_dir(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), &target).unwrap();
        }
    }
}

pub fn snapshots(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir.join("sled")).unwrap().map(|entry| entry.unwrap().path());
    let found: Vec<_> =
        entries.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("snap.")).collect();
    assert!(!found.is_empty(), "sled wrote no snapshot");
    found
}

pub fn cut(path: &Path, length: u64) {
    fs::File::options().write(true).open(path).unwrap().set_len(length).unwrap();
}

pub fn flip(path: &Path, position: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[position] ^= 0x20;
    fs::write(path, bytes).unwrap();
}

/// Changes sled's content behind the store's back.
pub fn with_sled(dir: &Path, change: impl FnOnce(&sled::Db)) {
    let db = sled::open(dir.join("sled")).unwrap();
    change(&db);
    db.flush().unwrap();
    drop(db);
}
