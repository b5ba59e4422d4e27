//! The handle that the daemon holds.

use std::{fmt, ops::Range, path::Path, sync::Arc, time::Instant};

use tokio::{
    sync::{mpsc, oneshot, watch},
    task::spawn_blocking,
};

use crate::{
    Batch, CommitError, NotApplied, OpenError, OpenOptions, OpenReport,
    directory::Layout,
    open::{Opened, open_blocking},
    room::DiskRoom,
    shared::OpenDatabase,
    writer::{Answer, Message, Writer},
};

/// Batches that may wait for the disk: sixteen full groups, far above what the edges of the daemon let in.
const QUEUE: usize = 8192;

/// What an acknowledged batch got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// The group commit that holds the batch.
    pub generation: u64,
    /// Numbers of the events that the batch appended, in their order.
    pub events: Range<u64>,
}

/// An open store. Clones share it.
///
/// Dropping the last clone abandons the store like a crash would: the group in flight ends, what still waits is refused,
/// and the lock is released. [`Store::close`] is the polite way.
#[derive(Clone)]
pub struct Store {
    pub(crate) shared: Arc<OpenDatabase>,
    pub(crate) queue: mpsc::Sender<Message>,
    pub(crate) layout: Layout,
    pub(crate) exports_kept: usize,
    last_event: watch::Receiver<u64>,
    /// Closed when the writer's thread has ended.
    writing: watch::Receiver<()>,
}

impl Store {
    /// Opens or creates the store in `dir`, repairs what can be repaired without loss, and checks every record. Reads are
    /// answered at once; the first commit has the database built anew and is answered after that. Must be called within a
    /// tokio runtime, whose blocking threads open and read it; commits have a thread of their own.
    pub async fn open(dir: impl AsRef<Path>, options: OpenOptions) -> Result<(Store, OpenReport), OpenError> {
        let layout = Layout { dir: dir.as_ref().to_owned() };
        let (exports_kept, headroom_bytes) = (options.exports_kept, options.headroom_bytes);
        let opening = {
            let layout = layout.clone();
            spawn_blocking(move || open_blocking(&layout, &options))
        };
        let Opened { engine, lock, renewal, committer, report } =
            opening.await.map_err(|lost| OpenError::Interrupted(lost.to_string()))??;

        let unusable = |source| OpenError::Io { path: layout.dir.clone(), source };
        let room = DiskRoom::new(&layout, headroom_bytes).map_err(unusable)?;
        let found = renewal.as_ref().map(|renewal| renewal.snapshot.records.clone());
        let shared = Arc::new(OpenDatabase::new(engine, lock, found));
        let (queue, receiver) = mpsc::channel(QUEUE);
        let (events_seen, last_event) = watch::channel(committer.root.next_event - 1);
        let writer = Writer { shared: shared.clone(), queue: receiver, committer, room, last_event: events_seen };
        let writing = writer.start(renewal).map_err(unusable)?;
        Ok((Store { shared, queue, layout, exports_kept, last_event, writing }, report))
    }

    /// Hands the batch over **at once** and returns a future of its acknowledgement, which comes after the fsync.
    /// Dropping the future changes nothing: the batch is stored as a whole all the same.
    #[must_use = "whether the batch is stored is known only when the future is done"]
    pub fn commit(&self, batch: Batch) -> impl Future<Output = Answer> + Send + use<> {
        let (answer, acknowledged) = oneshot::channel();
        let message = Message::Commit { batch, answer, submitted: Instant::now() };
        let handed_over = self.queue.try_send(message).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => NotApplied::QueueFull,
            // The database was shut before the queue, so this neither waits nor finds it open.
            mpsc::error::TrySendError::Closed(_) => self.shared.with(|_| ()).err().unwrap_or(NotApplied::Closed),
        });
        async move {
            handed_over.map_err(CommitError::NotApplied)?;
            // The writer answers everything that it takes. If it is gone without an answer, nobody knows.
            acknowledged.await.unwrap_or_else(|_| {
                Err(CommitError::MaybeApplied { cause: "the writer ended during the commit".into() })
            })
        }
    }

    /// Whether the writer comes to what it is asked for. Waits for as long as it does not; `false` if it has ended.
    pub async fn reaches_writer(&self) -> bool {
        let (answer, answered) = oneshot::channel();
        self.queue.send(Message::Ping(answer)).await.is_ok() && answered.await.is_ok()
    }

    /// Done when the store takes no commits any more, with the reason. It does not keep the store open.
    pub fn stopped(&self) -> impl Future<Output = NotApplied> + Send + use<> {
        let (mut writing, shared) = (self.writing.clone(), Arc::downgrade(&self.shared));
        async move {
            // Nothing is ever sent: the sender goes with the writer's thread, when the reason is there.
            while writing.changed().await.is_ok() {}
            let reason = shared.upgrade().and_then(|shared| shared.with(|_| ()).err());
            reason.unwrap_or(NotApplied::Closed)
        }
    }

    /// The number of the last committed event; changes wake the receiver, so that watchers need not poll.
    #[must_use]
    pub fn last_event(&self) -> watch::Receiver<u64> {
        self.last_event.clone()
    }

    /// Commits what waits, for which the database is built anew if that is still going on, closes sled and releases the lock: the directory can be opened again when this returns.
    /// All clones are closed with it. Closing twice is fine.
    pub async fn close(&self) {
        let (done, closed) = oneshot::channel();
        if self.queue.send(Message::Close(done)).await.is_ok() {
            // An error means that the writer has stopped by itself.
            let _ = closed.await;
        }
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("dir", &self.layout.dir).finish_non_exhaustive()
    }
}
