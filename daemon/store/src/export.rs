//! Exports: the whole store as one plain, checked file. The last resort of a repair, and what a backup keeps.
//!
//! ```text
//! magic (8) | u32 length, root record | u32 key length, u32 value length, key, value … | SHA-256 of all before (32)
//! ```
//! Values keep their envelopes, so secrets stay sealed and every record is checked again when it is read back.

use std::{
    fs,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use aws_lc_rs::digest::{Context, SHA256, digest};
use tokio::{sync::oneshot, task::spawn_blocking};

use crate::{
    ExportError, ReadError, Store, Table,
    directory::{create_private_dir, replace_file_with, sync_dir},
    engine::{Engine, guarded},
    envelope,
    found::Records,
    root::{ROOT_KEY, Root, RootError, newer_table},
    writer::Message,
};

const MAGIC: [u8; 8] = *b"MSTEXP1\n";
const HASH_LEN: usize = 32;
const EXTENSION: &str = "export";

/// What an export holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportSummary {
    /// The file.
    pub path: PathBuf,
    /// Last group commit in it.
    pub generation: u64,
    /// Number of records.
    pub records: u64,
    /// Size of the file in bytes.
    pub bytes: u64,
}

/// All records at one generation. Cheap: sled's values are reference-counted.
pub(crate) struct Snapshot {
    pub root: Root,
    pub records: Records,
}

impl Snapshot {
    /// Reads all records. While the store is open, called by the writer between two groups.
    pub fn take(engine: &Engine, root: Root) -> Result<Snapshot, ReadError> {
        Ok(Snapshot { root, records: all_records(engine)? })
    }

    /// Writes the content of an export, record by record: a store may be large.
    fn write_to(&self, root: &[u8], file: &mut fs::File) -> io::Result<()> {
        let mut out = Hashed { out: BufWriter::new(file), hash: Context::new(&SHA256) };
        out.write_all(&MAGIC)?;
        out.write_all(&(root.len() as u32).to_be_bytes())?;
        out.write_all(root)?;
        for (key, value) in self.records.iter() {
            out.write_all(&(key.len() as u32).to_be_bytes())?;
            out.write_all(&(value.len() as u32).to_be_bytes())?;
            out.write_all(key)?;
            out.write_all(value)?;
        }
        let Hashed { mut out, hash } = out;
        out.write_all(hash.finish().as_ref())?;
        out.flush()
    }
}

/// Every record but the root's, in the order of their keys.
pub(crate) fn all_records(engine: &Engine) -> Result<Records, ReadError> {
    let records = guarded(|| {
        let all = engine.db().iter().filter(|entry| !matches!(entry, Ok((key, _)) if key.as_ref() == ROOT_KEY));
        Ok(all.collect::<Result<Vec<_>, _>>()?)
    })?;
    Ok(Arc::new(records))
}

/// Hashes what is written.
struct Hashed<W> {
    out: W,
    hash: Context,
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.hash.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

impl Store {
    /// Writes a verified export into the store's own `exports/` and removes all but the newest few
    /// ([`crate::OpenOptions::exports_kept`]). Commits go on meanwhile.
    pub async fn export(&self) -> Result<ExportSummary, ExportError> {
        let dir = self.layout.exports();
        let kept = self.exports_kept.max(1);
        let snapshot = self.snapshot().await?;
        blocking(move || {
            create_private_dir(&dir).map_err(|source| ExportError::Io { path: dir.clone(), source })?;
            let path = dir.join(format!("{:020}.{EXTENSION}", snapshot.root.generation));
            let summary = write(&snapshot, &path)?;
            remove_old(&dir, kept)?;
            Ok(summary)
        })
        .await
    }

    /// Writes a verified export to `path`, replacing what is there only when the new one is complete.
    pub async fn export_to(&self, path: impl AsRef<Path>) -> Result<ExportSummary, ExportError> {
        let path = path.as_ref().to_owned();
        let snapshot = self.snapshot().await?;
        blocking(move || write(&snapshot, &path)).await
    }

    async fn snapshot(&self) -> Result<Snapshot, ReadError> {
        let (answer, taken) = oneshot::channel();
        self.queue.send(Message::Snapshot(answer)).await.map_err(|_| ReadError::Closed)?;
        taken.await.unwrap_or(Err(ReadError::Closed))
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ExportError> + Send + 'static,
) -> Result<T, ExportError> {
    spawn_blocking(work).await.unwrap_or_else(|lost| Err(ReadError::Database(lost.to_string()).into()))
}

fn write(snapshot: &Snapshot, path: &Path) -> Result<ExportSummary, ExportError> {
    let io = |source| ExportError::Io { path: path.to_owned(), source };
    let root = snapshot.root.encode().map_err(ReadError::from)?;
    replace_file_with(path, |file| snapshot.write_to(&root, file)).map_err(io)?;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    sync_dir(parent).map_err(io)?;
    let summary = verify_export(path)?;
    if summary.generation != snapshot.root.generation {
        return Err(not_intact(path, "another file was put in its place"));
    }
    Ok(summary)
}

/// Reads an export back and checks all of it.
pub fn verify_export(path: &Path) -> Result<ExportSummary, ExportError> {
    let (root, bytes) = read(path, |_key, _value| {})?;
    Ok(ExportSummary { path: path.to_owned(), generation: root.generation, records: root.count, bytes })
}

/// Reads and checks an export.
pub(crate) fn load(path: &Path) -> Result<Snapshot, ExportError> {
    let mut records = Vec::new();
    let (root, _) = read(path, |key, value| records.push((key.into(), value.into())))?;
    Ok(Snapshot { root, records: Arc::new(records) })
}

/// Checks an export while each of its records is shown to `visitor`. Its root and its size in bytes.
fn read(path: &Path, visitor: impl FnMut(&[u8], &[u8])) -> Result<(Root, u64), ExportError> {
    let bytes = fs::read(path).map_err(|source| ExportError::Io { path: path.to_owned(), source })?;
    let root = parse(&bytes, visitor).map_err(|error| match error {
        RootError::Damaged(cause) => not_intact(path, &cause),
        RootError::OtherRelease(which) => ExportError::OtherRelease { path: path.to_owned(), which },
    })?;
    Ok((root, bytes.len() as u64))
}

fn parse(bytes: &[u8], mut visitor: impl FnMut(&[u8], &[u8])) -> Result<Root, RootError> {
    let damaged = |cause: &str| RootError::Damaged(cause.to_owned());
    let (body, hash) = bytes.split_last_chunk::<HASH_LEN>().ok_or_else(|| damaged("too short"))?;
    if digest(&SHA256, body).as_ref() != hash {
        return Err(damaged("its checksum does not match"));
    }
    let mut rest = body.strip_prefix(&MAGIC).ok_or_else(|| damaged("does not start with the magic"))?;
    let root_len = take_len(&mut rest)?;
    let root = Root::decode(take(&mut rest, root_len)?)?;
    let mut found = Root::new(root.store_id);
    while !rest.is_empty() {
        let (key_len, value_len) = (take_len(&mut rest)?, take_len(&mut rest)?);
        let (key, value) = (take(&mut rest, key_len)?, take(&mut rest, value_len)?);
        let envelope = envelope::decode(key, value).map_err(|error| damaged(&error.to_string()))?;
        if key.first().and_then(|tag| Table::from_tag(*tag)).is_none() {
            return Err(newer_table(key).unwrap_or_else(|| damaged("a record lies outside every table")));
        }
        found.add(key, envelope.generation, envelope.crc);
        visitor(key, value);
    }
    if (found.count, found.digest) != (root.count, root.digest) {
        return Err(damaged("its records do not add up"));
    }
    Ok(root)
}

fn take_len(rest: &mut &[u8]) -> Result<usize, RootError> {
    let bytes = take(rest, 4)?;
    Ok(bytes.iter().fold(0, |length, byte| (length << 8) | usize::from(*byte)))
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Result<&'a [u8], RootError> {
    let ends = || RootError::Damaged("ends within a record".to_owned());
    let (taken, left) = rest.split_at_checked(length).ok_or_else(ends)?;
    *rest = left;
    Ok(taken)
}

fn not_intact(path: &Path, cause: &str) -> ExportError {
    ExportError::NotIntact { path: path.to_owned(), cause: cause.to_owned() }
}

/// Exports of a directory, newest first; whether they are intact is not known yet.
pub(crate) fn list(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == EXTENSION));
    // Names begin with the generation in fixed width.
    paths.sort();
    paths.reverse();
    Ok(paths)
}

fn remove_old(dir: &Path, kept: usize) -> Result<(), ExportError> {
    let io = |source| ExportError::Io { path: dir.to_owned(), source };
    for path in list(dir).map_err(io)?.into_iter().skip(kept) {
        fs::remove_file(&path).map_err(io)?;
    }
    Ok(())
}
