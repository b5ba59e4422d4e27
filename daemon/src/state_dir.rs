//! The state directory: nobody else's, and with the store that it had.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::config::Config;

/// Write access of the group and of others.
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// Why the state directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateDirError {
    /// The system refused.
    #[error("cannot use the state directory {}; give another with --state-dir", path.display())]
    Io {
        /// The directory.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// Others could have put anything there.
    #[error(
        "others can write to {} (mode {mode:04o}): see that nobody has changed what is in it, and then \
         `chmod go-w` it", path.display()
    )]
    Exposed {
        /// The directory.
        path: PathBuf,
        /// Its mode bits.
        mode: u32,
    },
    /// The key proves an earlier life, of which nothing else is left.
    #[error(
        "the sealing key {} is there, but the store that it belongs to is gone: put the store back, restore a backup with \
         `musterd restore`, rebuild it with `musterd recover`, or move the key away to start anew", key.display()
    )]
    StoreGone {
        /// The key's file.
        key: PathBuf,
    },
}

/// Makes the directory if there is none, and refuses one in which others can write.
pub fn make_private(dir: &Path) -> Result<(), StateDirError> {
    let failed = |source| StateDirError::Io { path: dir.to_owned(), source };
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(failed)?;
    for path in [dir.to_owned(), store(dir)] {
        let mode = match fs::metadata(&path) {
            Ok(metadata) => metadata.permissions().mode() & 0o7777,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(source) => return Err(StateDirError::Io { path, source }),
        };
        if mode & WRITABLE_BY_OTHERS != 0 {
            return Err(StateDirError::Exposed { path, mode });
        }
    }
    Ok(())
}

/// Refuses to start an empty store beside the key that an earlier one has left. A key at a place of its own may have been
/// made before the first start.
pub(crate) fn refuse_lost_store(config: &Config, dir: &Path) -> Result<(), StateDirError> {
    let key = own_key(dir);
    if config.store.key_file.is_none() && key.exists() && !store(dir).exists() {
        return Err(StateDirError::StoreGone { key });
    }
    Ok(())
}

/// Where the store lies.
pub(crate) fn store(dir: &Path) -> PathBuf {
    dir.join("store")
}

/// Where the sealing key lies that the daemon makes itself.
pub(crate) fn own_key(dir: &Path) -> PathBuf {
    dir.join("sealing.key")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_directory_is_made_for_its_owner_alone_and_one_where_others_can_write_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("deep/state");
        make_private(&dir).unwrap();
        assert_eq!(fs::metadata(&dir).unwrap().permissions().mode() & 0o777, 0o700);
        fs::create_dir(store(&dir)).unwrap();
        for path in [dir.clone(), store(&dir)] {
            for mode in [0o777, 0o770, 0o702] {
                set_mode(&path, mode);
                let refused = make_private(&dir).unwrap_err();
                assert!(matches!(&refused, StateDirError::Exposed { path: which, .. } if *which == path), "{refused}");
            }
            set_mode(&path, 0o755);
            make_private(&dir).unwrap();
        }
    }

    #[test]
    fn a_key_whose_store_is_gone_begins_no_new_life() {
        let folder = tempfile::tempdir().unwrap();
        let (dir, config) = (folder.path(), Config::default());
        refuse_lost_store(&config, dir).unwrap();
        fs::write(own_key(dir), "key").unwrap();
        let refused = refuse_lost_store(&config, dir).unwrap_err().to_string();
        assert!(refused.contains("sealing.key") && refused.contains("musterd recover"), "{refused}");
        let mut elsewhere = Config::default();
        elsewhere.store.key_file = Some(dir.join("other.key"));
        refuse_lost_store(&elsewhere, dir).unwrap();
        fs::create_dir(store(dir)).unwrap();
        refuse_lost_store(&config, dir).unwrap();
    }
}
