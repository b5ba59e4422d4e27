//! What can go wrong, one enum a boundary. Every text of an open or restore error ends with the remedy.

use std::{io, path::PathBuf};

use crate::CodecError;

/// Why a store was not opened. Nothing was started, and the files are as they were found.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory is locked.
    #[error("another daemon is running on {} (process {holder}); stop it first", dir.display())]
    AnotherDaemon {
        /// The store's directory.
        dir: PathBuf,
        /// The process that holds the lock, as it wrote it.
        holder: String,
    },
    /// A file operation failed.
    #[error("cannot use {}; check that the disk is healthy and that the daemon's user owns the directory", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// A database without its witness: whether it is the newest cannot be known.
    #[error(
        "the store in {} has a database but no intact witness ({cause}), so it may be an older copy; put the witness file \
         back beside it, or open with accept_unwitnessed if you know that this database is the newest",
        dir.display()
    )]
    Unwitnessed {
        /// The store's directory.
        dir: PathBuf,
        /// What is wrong with the witness.
        cause: String,
    },
    /// Damaged beyond what can be repaired without loss.
    #[error(
        "the store in {} is damaged or older than what was committed: {cause}; {}",
        dir.display(), damage_remedy(export.as_ref())
    )]
    Damaged {
        /// The store's directory.
        dir: PathBuf,
        /// What the checks found, attempt by attempt.
        cause: String,
        /// Last committed generation, as the witness says.
        committed: u64,
        /// The newest intact export and its generation.
        export: Option<(PathBuf, u64)>,
    },
    /// It is intact, and another release of Muster wrote it.
    #[error(
        "the store in {} was written by {which}; start the one that has written it, or restore a backup that this one has made",
        dir.display()
    )]
    OtherRelease {
        /// The store's directory.
        dir: PathBuf,
        /// Which release, in words.
        which: String,
    },
    /// Exports lie in an otherwise empty store: somebody removed the rest.
    #[error(
        "the store in {} has exports but neither database nor witness; put the missing files back, open with \
         accept_older_export to start from the newest export, or move the exports away to start anew",
        dir.display()
    )]
    OnlyExports {
        /// The store's directory.
        dir: PathBuf,
    },
    /// The blocking task panicked or the runtime is shutting down.
    #[error("opening the store was interrupted: {0}; start again")]
    Interrupted(String),
}

fn damage_remedy(export: Option<&(PathBuf, u64)>) -> String {
    match export {
        Some((path, generation)) => format!(
            "put a good copy of the store back, or open with accept_older_export to restore {} (generation {generation}) \
             and lose what came after it",
            path.display()
        ),
        None => "no intact export exists; put a good copy of the store or an export back".to_owned(),
    }
}

/// Why something was not put into a batch.
#[derive(Debug, thiserror::Error)]
pub enum BatchError {
    /// The value does not encode.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// The value would not fit into 64 KiB with its envelope.
    #[error("a value of {size} bytes is above the limit of {limit}; split it or keep it outside the store")]
    ValueTooLarge {
        /// Bytes of the encoded value.
        size: usize,
        /// The limit.
        limit: usize,
    },
    /// The key is longer than 1 KiB.
    #[error("a key of {size} bytes is above the limit of {limit}")]
    KeyTooLong {
        /// Bytes of the key.
        size: usize,
        /// The limit.
        limit: usize,
    },
    /// Events and secrets have their own ways in.
    #[error("table {0:?} is not written with plain records")]
    ReservedTable(crate::Table),
    /// Sealing failed.
    #[error(transparent)]
    Seal(#[from] crate::SealError),
}

/// How a commit ended, if not well. The two cases call for opposite reactions; match both.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CommitError {
    /// Certainly nothing of the batch is stored, now or after a restart.
    #[error("not committed: {0}")]
    NotApplied(NotApplied),
    /// The batch may be stored or not. The store takes no more work: reopen it and read what is there.
    #[error("the batch may or may not be stored: {cause}; the store must be reopened")]
    MaybeApplied {
        /// What failed.
        cause: String,
    },
}

/// Why nothing was stored.
#[derive(Debug, Clone, thiserror::Error)]
pub enum NotApplied {
    /// The store is closed or was dropped.
    #[error("the store is closed")]
    Closed,
    /// An earlier commit ended as maybe applied.
    #[error("the store stopped after a failure and must be reopened: {0}")]
    Stopped(String),
    /// The disk is nearly full; nothing was begun, and the store goes on when there is room.
    #[error(
        "only {free_mib} MiB are free where the store lies, and a change needs {needed_mib}; make room and try again"
    )]
    NoRoom {
        /// MiB that are free.
        free_mib: u64,
        /// MiB that must be free.
        needed_mib: u64,
    },
    /// Too many batches wait for the disk.
    #[error("too many batches are waiting; try again")]
    QueueFull,
    /// The group's preparation failed before anything was written.
    #[error("could not prepare the batch: {0}")]
    Prepare(String),
}

/// Why a read gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The store is closed, or stopped after a failure.
    #[error("the store is closed")]
    Closed,
    /// The stored bytes are not a value of this key: the database was damaged while open.
    #[error("the stored value of a {table} key is damaged; restart the daemon so that the store is checked")]
    Damaged {
        /// The key's table.
        table: String,
        /// What is wrong with it.
        #[source]
        source: crate::envelope::EnvelopeError,
    },
    /// The value does not decode as the wanted type.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// sled failed.
    #[error("the database failed: {0}")]
    Database(String),
    /// Unsealing failed.
    #[error(transparent)]
    Seal(#[from] crate::SealError),
}

/// Why an export was not made or is not good.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// A file operation failed.
    #[error("cannot write or read {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// The file is not a complete, intact export.
    #[error("{} is not an intact export: {cause}", path.display())]
    NotIntact {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
    /// The file is intact, and another release of Muster wrote it.
    #[error("{} was written by {which}; restore it with that release", path.display())]
    OtherRelease {
        /// The file.
        path: PathBuf,
        /// Which release, in words.
        which: String,
    },
    /// The store could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// Why a restore did not happen.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The export cannot be used.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// The directory cannot be used.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A store is already there.
    #[error("{} already holds a store; pass replace to put it aside", dir.display())]
    StoreExists {
        /// The store's directory.
        dir: PathBuf,
    },
}
