//! Room on the disk. A disk that is full in the middle of a commit leaves its outcome unknown and stops the store, so
//! none is begun without room for it.

use std::{fs, io};

use rustix::fs::fstatvfs;

use crate::{NotApplied, directory::Layout};

/// What must be free when a group begins: the largest group, several times over, because sled writes whole pages and
/// moves others out of the way.
pub(crate) const HEADROOM_BYTES: u64 = 32 << 20;

/// Looks how much is free where the store lies.
pub(crate) struct DiskRoom {
    dir: fs::File,
    layout: Layout,
    headroom_bytes: u64,
}

impl DiskRoom {
    /// Room for the store of this layout.
    pub fn new(layout: &Layout, headroom_bytes: u64) -> io::Result<DiskRoom> {
        Ok(DiskRoom { dir: fs::File::open(&layout.dir)?, layout: layout.clone(), headroom_bytes })
    }

    /// Whether a group may begin; with `renewal`, one before which the database is built a second time.
    pub fn check(&self, renewal: bool) -> Result<(), NotApplied> {
        // If the system does not say how much is free, the commit finds out.
        let Ok(stat) = fstatvfs(&self.dir) else { return Ok(()) };
        let free = stat.f_bavail.saturating_mul(stat.f_frsize);
        let copy = if renewal { fs::metadata(self.layout.sled_file()).map_or(0, |file| file.len()) } else { 0 };
        let needed = self.headroom_bytes.saturating_add(copy);
        if free < needed {
            return Err(NotApplied::NoRoom { free_mib: free >> 20, needed_mib: needed >> 20 });
        }
        Ok(())
    }
}
