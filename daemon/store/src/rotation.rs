//! A new sealing key, for a store whose daemon does not run.
//!
//! ```text
//! 1  the new key is written to KEY.next            a kill before 2: the next load removes it
//! 2  all secrets are sealed anew in one batch      a kill before 3: the next load goes on with 3
//! 3  KEY becomes KEY.old, KEY.next becomes KEY
//! ```
//! At every point exactly one of the two keys opens all secrets, and the secrets themselves tell which.

use std::{
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
};

use tokio::task::spawn_blocking;

use crate::{
    Batch, BatchError, CommitError, KeyError, KeySource, ReadError, SealError, Sealer, Store, Table,
    directory::sync_dir,
    secrets::{create_key, read_key},
};

/// What a rotation has done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotation {
    /// How many secrets were sealed anew.
    pub resealed: usize,
    /// Where the key before lies: exports and backups from before need it.
    pub old_key: PathBuf,
}

/// Why there is no new key. The present one is in force.
#[derive(Debug, thiserror::Error)]
pub enum RotateError {
    /// The present key cannot be used, or a new one not be made.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// systemd keeps the key.
    #[error("the sealing key is the systemd credential {}, which is not Muster's to replace", path.display())]
    Kept {
        /// The credential.
        path: PathBuf,
    },
    /// The secrets could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A secret is not what was sealed.
    #[error("a secret cannot be unsealed")]
    Seal(#[from] SealError),
    /// A secret could not be sealed anew.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// The secrets could not be written.
    #[error(transparent)]
    Commit(#[from] CommitError),
}

/// Gives the store a new sealing key, and seals all of its secrets under it.
pub async fn rotate(store: &Store, source: KeySource) -> Result<Rotation, RotateError> {
    let sealer = Sealer::load(store, source.clone()).await?;
    let path = match source {
        KeySource::Credential(path) => return Err(RotateError::Kept { path }),
        KeySource::KeyFile(path) => path,
    };
    let new_key = blocking({
        let next = beside(&path, "next");
        move || create_key(&next)
    })
    .await?;
    let new = Sealer::new(&new_key)?;
    let mut batch = Batch::new();
    let entries = store.sealed_entries().await?;
    for (key, sealed) in &entries {
        let plaintext = sealer.unseal(Table::Secrets, key, sealed)?;
        batch.put_sealed(&new, key, &plaintext)?;
    }
    if !batch.is_empty() {
        store.commit(batch).await?;
    }
    let old_key = beside(&path, "old");
    blocking(move || promote(&path)).await?;
    Ok(Rotation { resealed: entries.len(), old_key })
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, KeyError> + Send + 'static,
) -> Result<T, KeyError> {
    spawn_blocking(work).await.unwrap_or(Err(KeyError::Crypto("a file operation was interrupted")))
}

/// Ends a rotation that was interrupted, before the key is loaded: forward if the secrets are sealed under the new key, else
/// back.
pub(crate) fn settle(path: &Path, sealed: &[Vec<u8>]) -> Result<(), KeyError> {
    let next = beside(path, "next");
    if !next.exists() {
        return Ok(());
    }
    let new_key = read_key(&KeySource::KeyFile(next.clone()))?;
    let new = Sealer::new(&new_key)?;
    if !sealed.is_empty() && sealed.iter().all(|value| new.has_sealed(value)) {
        return promote(path);
    }
    fs::remove_file(&next).and_then(|()| sync_dir(folder(path))).map_err(|source| KeyError::Io { path: next, source })
}

/// Puts the new key in the place of the present one, which is kept beside it.
fn promote(path: &Path) -> Result<(), KeyError> {
    let (next, old) = (beside(path, "next"), beside(path, "old"));
    let moved = || -> io::Result<()> {
        // Interrupted after this, the next load finds the new key only.
        if path.exists() {
            fs::rename(path, &old)?;
        }
        fs::rename(&next, path)?;
        sync_dir(folder(path))
    };
    moved().map_err(|source| KeyError::Io { path: path.to_owned(), source })
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".");
    name.push(ending);
    PathBuf::from(name)
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::OpenOptions;

    struct World {
        _folder: tempfile::TempDir,
        store: Store,
        key: PathBuf,
    }

    impl World {
        /// A store with three secrets.
        async fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let key = folder.path().join("sealing.key");
            let store = Store::open(folder.path().join("store"), OpenOptions::default()).await.unwrap().0;
            let sealer = Sealer::load(&store, KeySource::KeyFile(key.clone())).await.unwrap();
            let mut batch = Batch::new();
            for name in [b"a", b"b", b"c"] {
                batch.put_sealed(&sealer, name, &[name.as_slice(), b" secret"].concat()).unwrap();
            }
            store.commit(batch).await.unwrap();
            Self { _folder: folder, store, key }
        }

        /// Loads the key as a start does, and reads a secret.
        async fn opens(&self) -> Vec<u8> {
            let sealer = Sealer::load(&self.store, KeySource::KeyFile(self.key.clone())).await.unwrap();
            self.store.get_sealed(&sealer, b"b").await.unwrap().unwrap().to_vec()
        }
    }

    #[tokio::test]
    async fn after_a_rotation_the_new_key_opens_everything_and_the_old_one_nothing() {
        let world = World::new().await;
        let before = fs::read(&world.key).unwrap();
        let rotation = rotate(&world.store, KeySource::KeyFile(world.key.clone())).await.unwrap();
        assert_eq!(rotation.resealed, 3);
        assert_eq!(fs::read(&rotation.old_key).unwrap(), before);
        assert_ne!(fs::read(&world.key).unwrap(), before);
        assert_eq!(world.opens().await, b"b secret");
        let old = Sealer::load(&world.store, KeySource::KeyFile(rotation.old_key)).await.unwrap_err();
        assert!(matches!(old, KeyError::Wrong { foreign: 3, .. }), "{old}");
        assert!(!beside(&world.key, "next").exists());
    }

    #[tokio::test]
    async fn a_rotation_that_was_killed_at_any_point_is_ended_by_the_next_load() {
        // Before the secrets were written.
        let world = World::new().await;
        let before = fs::read(&world.key).unwrap();
        create_key(&beside(&world.key, "next")).unwrap();
        assert_eq!(world.opens().await, b"b secret");
        assert!(!beside(&world.key, "next").exists() && fs::read(&world.key).unwrap() == before);

        // After they were written, before the key was moved; and between the two moves.
        for is_moved in [false, true] {
            let world = World::new().await;
            let old = Sealer::load(&world.store, KeySource::KeyFile(world.key.clone())).await.unwrap();
            let new_key = create_key(&beside(&world.key, "next")).unwrap();
            let new = Sealer::new(&new_key).unwrap();
            let mut batch = Batch::new();
            for (key, sealed) in world.store.sealed_entries().await.unwrap() {
                batch.put_sealed(&new, &key, &old.unseal(Table::Secrets, &key, &sealed).unwrap()).unwrap();
            }
            world.store.commit(batch).await.unwrap();
            if is_moved {
                fs::rename(&world.key, beside(&world.key, "old")).unwrap();
            }
            assert_eq!(world.opens().await, b"b secret", "moved: {is_moved}");
            assert!(!beside(&world.key, "next").exists() && beside(&world.key, "old").exists());
        }
    }

    #[tokio::test]
    async fn a_key_that_systemd_keeps_is_not_replaced() {
        let world = World::new().await;
        let refused = rotate(&world.store, KeySource::Credential(world.key.clone())).await.unwrap_err();
        assert!(matches!(refused, RotateError::Kept { .. }), "{refused}");
        assert_eq!(world.opens().await, b"b secret");
    }
}
