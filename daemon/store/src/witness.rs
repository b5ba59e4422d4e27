//! The witness: a tiny file beside sled that remembers the last committed generation.
//!
//! A database cut back to an older *consistent* state, or an old copy put back, passes every check inside the database.
//! Only something outside can tell. Protocol of a group with generation `g`:
//!
//! 1. sled has applied and flushed `g`
//! 2. write `g, unconfirmed` here; fsync database and witness in parallel
//! 3. write `g, confirmed` (no fsync), acknowledge
//!
//! So the database may be one ahead of the witness (a kill between 1 and 2), and may be one behind an *unconfirmed*
//! witness (power loss within 2: nobody was told). Anything else is an older or foreign database.
//! Writes alternate between two slots, so that a torn write leaves the one before.

use std::{fs, io, os::unix::fs::FileExt, path::Path};

use crate::{
    directory::{replace_file, sync_dir},
    root::{Root, StoreId},
};

const MAGIC: [u8; 8] = *b"MSTWITN1";
const SLOT_LEN: usize = 8 + 16 + 8 + 8 + 16 + 1 + 4;
/// Slots lie in different pages, hence different sectors.
const SLOT_STRIDE: u64 = 4096;

/// What the witness says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Testimony {
    pub store_id: StoreId,
    pub generation: u64,
    pub next_event: u64,
    pub digest: u128,
    /// The database's fsync of this generation returned.
    pub confirmed: bool,
}

impl Testimony {
    pub fn of(root: &Root, confirmed: bool) -> Self {
        Testimony {
            store_id: root.store_id,
            generation: root.generation,
            next_event: root.next_event,
            digest: root.digest,
            confirmed,
        }
    }

    /// `Ok(true)` if the database ends at this testimony or one after it, `Ok(false)` if only an unacknowledged group is
    /// missing, `Err` with the reason if the database is not the one that was witnessed.
    pub fn judge(&self, root: &Root) -> Result<bool, String> {
        if self.store_id != root.store_id {
            return Err("the database and the witness belong to different stores".into());
        }
        let (found, witnessed) = (root.generation, self.generation);
        if found == witnessed && root.digest != self.digest {
            return Err(format!("generation {found} in the database is not the one that was witnessed"));
        }
        if found == witnessed || Some(found) == witnessed.checked_add(1) {
            return Ok(true);
        }
        if !self.confirmed && found.checked_add(1) == Some(witnessed) {
            return Ok(false);
        }
        if found < witnessed {
            return Err(format!("the database ends at generation {found}, but generation {witnessed} was committed"));
        }
        Err(format!("the database is at generation {found}, but its witness only at {witnessed}: an old witness"))
    }

    fn encode(&self) -> [u8; SLOT_LEN] {
        let mut bytes = Vec::with_capacity(SLOT_LEN);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&self.store_id);
        bytes.extend_from_slice(&self.generation.to_be_bytes());
        bytes.extend_from_slice(&self.next_event.to_be_bytes());
        bytes.extend_from_slice(&self.digest.to_be_bytes());
        bytes.push(u8::from(self.confirmed));
        bytes.extend_from_slice(&crc32fast::hash(&bytes).to_be_bytes());
        let mut slot = [0; SLOT_LEN];
        slot.copy_from_slice(&bytes);
        slot
    }

    fn decode(slot: &[u8]) -> Option<Self> {
        let (body, crc) = slot.get(..SLOT_LEN)?.split_last_chunk::<4>()?;
        if crc32fast::hash(body) != u32::from_be_bytes(*crc) {
            return None;
        }
        let (magic, rest) = body.split_first_chunk::<8>()?;
        let (store_id, rest) = rest.split_first_chunk::<16>()?;
        let (generation, rest) = rest.split_first_chunk::<8>()?;
        let (next_event, rest) = rest.split_first_chunk::<8>()?;
        let (digest, rest) = rest.split_first_chunk::<16>()?;
        let confirmed = match rest {
            [0] => false,
            [1] => true,
            _ => return None,
        };
        (*magic == MAGIC).then(|| Testimony {
            store_id: *store_id,
            generation: u64::from_be_bytes(*generation),
            next_event: u64::from_be_bytes(*next_event),
            digest: u128::from_be_bytes(*digest),
            confirmed,
        })
    }
}

/// The open witness file.
#[derive(Debug)]
pub(crate) struct Witness {
    file: fs::File,
    /// Slot that the next generation goes to: never the one that holds the last fsynced testimony.
    next_slot: u64,
}

impl Witness {
    /// Replaces the witness durably, whatever was there.
    pub fn create(path: &Path, testimony: &Testimony) -> io::Result<Witness> {
        let mut bytes = vec![0; SLOT_STRIDE as usize + SLOT_LEN];
        bytes[..SLOT_LEN].copy_from_slice(&testimony.encode());
        replace_file(path, &bytes)?;
        if let Some(dir) = path.parent() {
            sync_dir(dir)?;
        }
        let file = fs::OpenOptions::new().read(true).write(true).open(path)?;
        Ok(Witness { file, next_slot: 1 })
    }

    /// Opens the witness for writing after what [`read`] has found.
    pub fn open(path: &Path) -> io::Result<Witness> {
        let file = fs::OpenOptions::new().read(true).write(true).open(path)?;
        let [first, second] = slots(&file)?;
        let first_is_newer = first.map(|t| t.generation) >= second.map(|t| t.generation);
        Ok(Witness { file, next_slot: u64::from(first_is_newer) })
    }

    /// Writes the next generation into the older slot; durable after an fsync of [`Witness::file`].
    pub fn propose(&mut self, root: &Root) -> io::Result<()> {
        self.file.write_all_at(&Testimony::of(root, false).encode(), self.next_slot * SLOT_STRIDE)?;
        self.next_slot = 1 - self.next_slot;
        Ok(())
    }

    /// Marks the proposed generation as committed.
    pub fn confirm(&self, root: &Root) -> io::Result<()> {
        self.file.write_all_at(&Testimony::of(root, true).encode(), (1 - self.next_slot) * SLOT_STRIDE)
    }

    /// A handle with which another thread makes durable what was written.
    pub fn file(&self) -> io::Result<fs::File> {
        self.file.try_clone()
    }
}

/// Reads the newest testimony: `None` if there is no file, `Err(InvalidData)` if no slot is intact.
pub(crate) fn read(path: &Path) -> io::Result<Option<Testimony>> {
    let file = match fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let [first, second] = slots(&file)?;
    match first.into_iter().chain(second).max_by_key(|testimony| testimony.generation) {
        Some(testimony) => Ok(Some(testimony)),
        None => Err(io::Error::new(io::ErrorKind::InvalidData, "no intact slot in the witness")),
    }
}

fn slots(file: &fs::File) -> io::Result<[Option<Testimony>; 2]> {
    let mut found = [None, None];
    for (index, testimony) in found.iter_mut().enumerate() {
        let mut slot = [0; SLOT_LEN];
        match file.read_exact_at(&mut slot, index as u64 * SLOT_STRIDE) {
            Ok(()) => *testimony = Testimony::decode(&slot),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(generation: u64) -> Root {
        Root { generation, digest: u128::from(generation), ..Root::new([1; 16]) }
    }

    #[test]
    fn only_the_witnessed_generation_and_its_neighbours_across_a_crash_are_accepted() {
        let verdicts = |confirmed| {
            let testimony = Testimony::of(&root(10), confirmed);
            [7, 8, 9, 10, 11, 12].map(|found| testimony.judge(&root(found)).ok())
        };
        assert_eq!(verdicts(true), [None, None, None, Some(true), Some(true), None]);
        assert_eq!(verdicts(false), [None, None, Some(false), Some(true), Some(true), None]);
    }

    #[test]
    fn another_history_with_the_same_generation_is_refused() {
        let testimony = Testimony::of(&root(10), true);
        assert!(testimony.judge(&Root { digest: 77, ..root(10) }).is_err());
        assert!(testimony.judge(&Root { store_id: [2; 16], ..root(10) }).is_err());
    }

    #[test]
    fn a_torn_write_leaves_the_testimony_before_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("witness");
        let mut witness = Witness::create(&path, &Testimony::of(&root(0), true)).unwrap();
        for generation in 1..10 {
            let before = read(&path).unwrap().unwrap();
            witness.propose(&root(generation)).unwrap();
            assert_eq!(read(&path).unwrap(), Some(Testimony::of(&root(generation), false)));
            let torn_slot = (1 - witness.next_slot) * SLOT_STRIDE;
            let whole = fs::read(&path).unwrap();
            witness.file.write_all_at(&[0xEE; 9], torn_slot + 20).unwrap();
            assert_eq!(read(&path).unwrap(), Some(before));
            fs::write(&path, whole).unwrap();
            witness.confirm(&root(generation)).unwrap();
            assert_eq!(read(&path).unwrap(), Some(Testimony::of(&root(generation), true)));
            witness = Witness::open(&path).unwrap();
        }
    }
}
