//! sled's blobs: it writes a page above 128 KiB (16 large values) to a file of its own and never fsyncs it. We do.

use std::{
    collections::HashSet,
    ffi::OsString,
    fs, io,
    path::PathBuf,
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use crate::directory::sync_dir;

/// A file system may keep times no finer than this, so a change so soon after another need not show.
const TIMES_DIFFER_AFTER: Duration = Duration::from_secs(3);

/// sled's folder of blobs, and which of them are known to be durable.
#[derive(Debug)]
pub(crate) struct Blobs {
    dir: PathBuf,
    synced: Mutex<Synced>,
}

#[derive(Debug, Default)]
struct Synced {
    names: HashSet<OsString>,
    /// The folder's time when it was listed, if any later change is sure to show in it.
    unchanged_since: Option<SystemTime>,
}

impl Blobs {
    pub fn new(dir: PathBuf) -> Blobs {
        Blobs { dir, synced: Mutex::default() }
    }

    /// Makes all blobs durable. Most stores have none, and then this costs one look at the folder.
    pub fn sync(&self) -> io::Result<()> {
        let mut synced = self.synced.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = fs::metadata(&self.dir)?.modified()?;
        if synced.unchanged_since == Some(changed) {
            return Ok(());
        }
        let settled = SystemTime::now().duration_since(changed).is_ok_and(|age| age > TIMES_DIFFER_AFTER);
        let mut present = HashSet::new();
        let mut fresh = false;
        for entry in fs::read_dir(&self.dir)? {
            let name = entry?.file_name();
            if !synced.names.contains(&name) {
                match fs::File::open(self.dir.join(&name)) {
                    Ok(file) => file.sync_all()?,
                    // sled's collector removed it in the meantime: nothing refers to it any more.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                    Err(error) => return Err(error),
                }
                fresh = true;
            }
            present.insert(name);
        }
        if fresh {
            sync_dir(&self.dir)?;
        }
        *synced = Synced { names: present, unchanged_since: settled.then_some(changed) };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(blobs: &Blobs) -> usize {
        blobs.synced.lock().unwrap().names.len()
    }

    fn set_time(blobs: &Blobs, time: SystemTime) {
        fs::File::open(&blobs.dir).unwrap().set_modified(time).unwrap();
    }

    #[test]
    fn every_new_blob_is_seen_however_soon_it_follows_another() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = Blobs::new(dir.path().to_owned());
        // As a file system with coarse times has it; and so far ahead that it is no old time at the end of the test either.
        let coarse = SystemTime::now() + Duration::from_secs(3600);
        for n in 1..=20 {
            fs::write(dir.path().join(n.to_string()), "blob").unwrap();
            set_time(&blobs, coarse);
            blobs.sync().unwrap();
            assert_eq!(names(&blobs), n);
        }
    }

    #[test]
    fn a_folder_that_has_long_been_the_same_is_not_listed_again() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = Blobs::new(dir.path().to_owned());
        let long_ago = SystemTime::now() - 2 * TIMES_DIFFER_AFTER;
        set_time(&blobs, long_ago);
        blobs.sync().unwrap();
        fs::write(dir.path().join("blob"), "").unwrap();
        set_time(&blobs, long_ago);
        blobs.sync().unwrap();
        assert_eq!(names(&blobs), 0, "the folder was listed though its time is the same");
        set_time(&blobs, SystemTime::now());
        blobs.sync().unwrap();
        assert_eq!(names(&blobs), 1);
    }
}
