//! The writer: a thread of its own that turns waiting batches into group commits.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread,
    time::Instant,
};

use metrics::{counter, gauge, histogram};
use tokio::sync::{mpsc, oneshot, watch};

use crate::{
    Batch, CommitError, Committed, NotApplied, ReadError,
    engine::words_of,
    export::Snapshot,
    group::{Committer, GroupError},
    renewal::Renewal,
    room::DiskRoom,
    shared::OpenDatabase,
};

/// Batches in one group. Larger groups gain nothing and make the first wait for the last.
const MAX_GROUP: usize = 512;
/// No batch is added to a group that has reached this many bytes; about what a disk takes in the time of one fsync.
const MAX_GROUP_BYTES: usize = 4 * 1024 * 1024;

/// The outcome of one batch.
pub(crate) type Answer = Result<Committed, CommitError>;

/// What the writer is asked to do, in order.
pub(crate) enum Message {
    Commit { batch: Batch, answer: oneshot::Sender<Answer>, submitted: Instant },
    Snapshot(oneshot::Sender<Result<Snapshot, ReadError>>),
    Ping(oneshot::Sender<()>),
    Close(oneshot::Sender<()>),
}

/// The thread's state.
pub(crate) struct Writer {
    pub shared: Arc<OpenDatabase>,
    pub queue: mpsc::Receiver<Message>,
    pub committer: Committer,
    pub room: DiskRoom,
    pub last_event: watch::Sender<u64>,
}

struct Waiting {
    answer: oneshot::Sender<Answer>,
    submitted: Instant,
}

#[derive(Default)]
struct Group {
    batches: Vec<Batch>,
    waiting: Vec<Waiting>,
    bytes: usize,
}

impl Group {
    fn push(&mut self, batch: Batch, answer: oneshot::Sender<Answer>, submitted: Instant) {
        self.bytes += batch.size();
        self.batches.push(batch);
        self.waiting.push(Waiting { answer, submitted });
    }
}

impl Writer {
    /// Starts the thread. It ends when the store is closed, when every [`crate::Store`] was dropped, and when a commit's
    /// outcome is unknown. The first commit waits for the renewal; a store that is only read needs none.
    /// What is returned closes when it has ended.
    pub fn start(self, renewal: Option<Renewal>) -> io::Result<watch::Receiver<()>> {
        let shared = self.shared.clone();
        let (writes, writing) = watch::channel(());
        thread::Builder::new().name("muster-writer".into()).spawn(move || {
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| self.run(renewal))) {
                shared.shut(NotApplied::Stopped(format!("the writer panicked: {}", words_of(panic.as_ref()))));
            }
            drop(writes);
        })?;
        Ok(writing)
    }

    fn run(mut self, mut renewal: Option<Renewal>) {
        let mut carried = None;
        let mut closing = None;
        let reason = loop {
            let Some(message) = carried.take().or_else(|| self.queue.blocking_recv()) else { break NotApplied::Closed };
            if self.queue.is_closed() {
                // Every store handle is gone: what still waits was never acknowledged, and is certainly not stored.
                refuse(message, &NotApplied::Closed);
                break NotApplied::Closed;
            }
            match message {
                Message::Commit { batch, answer, submitted } => {
                    if let Err(reason) = self.room.check(renewal.is_some()) {
                        refuse(Message::Commit { batch, answer, submitted }, &reason);
                        continue;
                    }
                    if let Some(renewal) = renewal.take()
                        && let Err(reason) = self.renew(renewal)
                    {
                        carried = Some(Message::Commit { batch, answer, submitted });
                        break reason;
                    }
                    let mut group = Group::default();
                    group.push(batch, answer, submitted);
                    carried = self.fill(&mut group);
                    if let Err(reason) = self.commit(group) {
                        break reason;
                    }
                }
                Message::Snapshot(answer) => {
                    // Between two groups, so that it is one consistent state. The exporter may have gone away.
                    let root = self.committer.root;
                    let snapshot = self.shared.with(|engine| Snapshot::take(engine, root));
                    let _ = answer.send(snapshot.unwrap_or(Err(ReadError::Closed)));
                }
                Message::Ping(answer) => {
                    // Who asked may have given up.
                    let _ = answer.send(());
                }
                Message::Close(done) => {
                    closing = Some(done);
                    break NotApplied::Closed;
                }
            }
        };
        self.stop(&reason, carried);
        if let Some(done) = closing {
            // The closer may have gone away; closing is done all the same.
            let _ = done.send(());
        }
    }

    /// Builds the database anew; `Err` if the store cannot go on.
    fn renew(&self, renewal: Renewal) -> Result<(), NotApplied> {
        let Err(error) = renewal.run(&self.shared) else { return Ok(()) };
        let cause = error.to_string();
        tracing::error!(%cause, "the database could not be built anew; the store stops until it is reopened");
        Err(NotApplied::Stopped(cause))
    }

    /// Adds what already waits. Returns the message that ended the group, if it was of another kind.
    fn fill(&mut self, group: &mut Group) -> Option<Message> {
        while group.batches.len() < MAX_GROUP && group.bytes < MAX_GROUP_BYTES {
            match self.queue.try_recv() {
                Ok(Message::Commit { batch, answer, submitted }) => group.push(batch, answer, submitted),
                Ok(other @ (Message::Snapshot(_) | Message::Ping(_) | Message::Close(_))) => return Some(other),
                Err(_) => return None,
            }
        }
        None
    }

    /// Commits a group and answers all of it; `Err` if the store cannot go on.
    fn commit(&mut self, Group { batches, waiting, .. }: Group) -> Result<(), NotApplied> {
        match self.shared.with(|engine| self.committer.commit(engine, batches)) {
            Ok(Ok(committed)) => {
                self.acknowledge(waiting, committed);
                Ok(())
            }
            Ok(Err(GroupError::NotApplied(cause))) => {
                tracing::error!(%cause, "a group of batches could not be prepared");
                answer_all(waiting, &CommitError::NotApplied(NotApplied::Prepare(cause)));
                Ok(())
            }
            // The outcome is unknown: nothing may be built on this database before it was read again.
            Ok(Err(GroupError::MaybeApplied(cause))) => {
                tracing::error!(%cause, "a commit ended with unknown outcome; the store stops until it is reopened");
                let reason = NotApplied::Stopped(cause.clone());
                // Closed before anybody is told, so that a caller may reopen at once.
                self.shared.shut(reason.clone());
                answer_all(waiting, &CommitError::MaybeApplied { cause });
                Err(reason)
            }
            Err(reason) => {
                answer_all(waiting, &CommitError::NotApplied(reason.clone()));
                Err(reason)
            }
        }
    }

    fn acknowledge(&self, waiting: Vec<Waiting>, committed: Vec<Committed>) {
        histogram!("muster_store_group_batches").record(waiting.len() as f64);
        counter!("muster_store_groups_total").increment(1);
        counter!("muster_store_batches_total").increment(waiting.len() as u64);
        gauge!("muster_store_queue").set(self.queue.len() as f64);
        let seconds = histogram!("muster_store_commit_seconds");
        // Before the answers, so that who was told of an event can read it.
        let last_event = self.committer.root.next_event - 1;
        self.last_event.send_if_modified(|seen| std::mem::replace(seen, last_event) != last_event);
        for (waiting, committed) in waiting.into_iter().zip(committed) {
            seconds.record(waiting.submitted.elapsed());
            // A caller that no longer waits is fine: its batch is stored.
            let _ = waiting.answer.send(Ok(committed));
        }
    }

    fn stop(mut self, reason: &NotApplied, carried: Option<Message>) {
        // In this order, so that who finds the queue closed finds the reason as well.
        self.shared.shut(reason.clone());
        self.queue.close();
        if let Some(message) = carried {
            refuse(message, reason);
        }
        while let Some(message) = self.queue.blocking_recv() {
            refuse(message, reason);
        }
    }
}

fn answer_all(waiting: Vec<Waiting>, error: &CommitError) {
    for waiting in waiting {
        let _ = waiting.answer.send(Err(error.clone()));
    }
}

fn refuse(message: Message, reason: &NotApplied) {
    // Nobody may be listening any more.
    match message {
        Message::Commit { answer, .. } => {
            let _ = answer.send(Err(CommitError::NotApplied(reason.clone())));
        }
        Message::Snapshot(answer) => {
            let _ = answer.send(Err(ReadError::Closed));
        }
        // Dropped unanswered: the writer has ended.
        Message::Ping(_) => {}
        Message::Close(done) => {
            let _ = done.send(());
        }
    }
}
