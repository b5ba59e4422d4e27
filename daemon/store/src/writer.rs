//! The writer: a task that turns waiting batches into group commits.
//!
//! The work on sled runs in `spawn_blocking`, a group at a time, and the task awaits it. So no async worker is blocked,
//! and tokio's paused clock does not run ahead while a group is being written.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use metrics::{counter, gauge, histogram};
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::spawn_blocking,
};

use crate::{
    Batch, CommitError, Committed, NotApplied, ReadError,
    export::Snapshot,
    group::{Committer, GroupError},
    renewal::Renewal,
    shared::Shared,
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
    Close(oneshot::Sender<()>),
}

/// The task's state.
pub(crate) struct Writer {
    pub shared: Arc<Shared>,
    pub queue: mpsc::Receiver<Message>,
    /// Locked by the one blocking job at a time that this task starts.
    pub committer: Arc<Mutex<Committer>>,
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
    /// Works until closed, until every [`crate::Store`] was dropped, or until a commit's outcome is unknown. The first
    /// commit waits for the renewal; a store that is only read needs none.
    pub async fn run(mut self, mut renewal: Option<Renewal>) {
        let mut carried = None;
        let mut closing = None;
        let reason = loop {
            let next = match carried.take() {
                Some(message) => Some(message),
                None => self.queue.recv().await,
            };
            let Some(message) = next else { break NotApplied::Closed };
            if self.queue.is_closed() {
                // Every store handle is gone: what still waits was never acknowledged, and is certainly not stored.
                refuse(message, &NotApplied::Closed);
                break NotApplied::Closed;
            }
            match message {
                Message::Commit { batch, answer, submitted } => {
                    if let Some(renewal) = renewal.take()
                        && let Err(reason) = self.renew(renewal).await
                    {
                        carried = Some(Message::Commit { batch, answer, submitted });
                        break reason;
                    }
                    let mut group = Group::default();
                    group.push(batch, answer, submitted);
                    carried = self.fill(&mut group);
                    if let Err(reason) = self.commit(group).await {
                        break reason;
                    }
                    // Who was just told may have more: if they hand it over first, groups are few and large.
                    tokio::task::yield_now().await;
                }
                Message::Snapshot(answer) => self.snapshot(answer).await,
                Message::Close(done) => {
                    closing = Some(done);
                    break NotApplied::Closed;
                }
            }
        };
        self.stop(reason, carried).await;
        if let Some(done) = closing {
            // The closer may have gone away; closing is done all the same.
            let _ = done.send(());
        }
    }

    /// Builds the database anew; `Err` if the store cannot go on.
    async fn renew(&self, renewal: Renewal) -> Result<(), NotApplied> {
        let shared = self.shared.clone();
        let work = spawn_blocking(move || renewal.run(&shared));
        let cause = match work.await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => error.to_string(),
            Err(lost) => lost.to_string(),
        };
        tracing::error!(%cause, "the database could not be built anew; the store stops until it is reopened");
        Err(NotApplied::Stopped(cause))
    }

    /// Adds what already waits. Returns the message that ended the group, if it was of another kind.
    fn fill(&mut self, group: &mut Group) -> Option<Message> {
        while group.batches.len() < MAX_GROUP && group.bytes < MAX_GROUP_BYTES {
            match self.queue.try_recv() {
                Ok(Message::Commit { batch, answer, submitted }) => group.push(batch, answer, submitted),
                Ok(other @ (Message::Snapshot(_) | Message::Close(_))) => return Some(other),
                Err(_) => return None,
            }
        }
        None
    }

    /// Commits a group and answers all of it; `Err` if the store cannot go on.
    async fn commit(&self, Group { batches, waiting, .. }: Group) -> Result<(), NotApplied> {
        let (shared, committer) = (self.shared.clone(), self.committer.clone());
        let work = spawn_blocking(move || {
            let mut committer = committer.lock().unwrap_or_else(PoisonError::into_inner);
            let outcome = shared.with(|engine| committer.commit(engine, batches));
            (outcome, committer.root.next_event - 1)
        });
        match work.await {
            Ok((Ok(Ok(committed)), last_event)) => {
                self.acknowledge(waiting, committed, last_event);
                Ok(())
            }
            Ok((Ok(Err(GroupError::NotApplied(cause))), _)) => {
                tracing::error!(%cause, "a group of batches could not be prepared");
                answer_all(waiting, &CommitError::NotApplied(NotApplied::Prepare(cause)));
                Ok(())
            }
            Ok((Err(reason), _)) => {
                answer_all(waiting, &CommitError::NotApplied(reason.clone()));
                Err(reason)
            }
            Ok((Ok(Err(GroupError::MaybeApplied(cause))), _)) => Err(self.give_up(waiting, cause).await),
            Err(lost) => Err(self.give_up(waiting, lost.to_string()).await),
        }
    }

    /// The outcome is unknown: nothing may be built on this database before it was read again.
    async fn give_up(&self, waiting: Vec<Waiting>, cause: String) -> NotApplied {
        tracing::error!(%cause, "a commit ended with unknown outcome; the store stops until it is reopened");
        let reason = NotApplied::Stopped(cause.clone());
        // Closed before anybody is told, so that a caller may reopen at once.
        self.shut(reason.clone()).await;
        answer_all(waiting, &CommitError::MaybeApplied { cause });
        reason
    }

    fn acknowledge(&self, waiting: Vec<Waiting>, committed: Vec<Committed>, last_event: u64) {
        histogram!("muster_store_group_batches").record(waiting.len() as f64);
        counter!("muster_store_groups_total").increment(1);
        counter!("muster_store_batches_total").increment(waiting.len() as u64);
        gauge!("muster_store_queue").set(self.queue.len() as f64);
        // Before the answers, so that who was told of an event can read it.
        self.last_event.send_if_modified(|seen| std::mem::replace(seen, last_event) != last_event);
        for (waiting, committed) in waiting.into_iter().zip(committed) {
            histogram!("muster_store_commit_seconds").record(waiting.submitted.elapsed());
            // A caller that no longer waits is fine: its batch is stored.
            let _ = waiting.answer.send(Ok(committed));
        }
    }

    /// Between two groups, so that it is one consistent state.
    async fn snapshot(&self, answer: oneshot::Sender<Result<Snapshot, ReadError>>) {
        let (shared, committer) = (self.shared.clone(), self.committer.clone());
        let work = spawn_blocking(move || {
            let root = committer.lock().unwrap_or_else(PoisonError::into_inner).root;
            shared.with(|engine| Snapshot::take(engine, root)).unwrap_or(Err(ReadError::Closed))
        });
        let outcome = work.await.unwrap_or_else(|lost| Err(ReadError::Database(lost.to_string())));
        // The exporter may have gone away.
        let _ = answer.send(outcome);
    }

    async fn shut(&self, reason: NotApplied) {
        let shared = self.shared.clone();
        // Fails only when the runtime shuts down; then dropping the last handle closes the database.
        let _ = spawn_blocking(move || shared.shut(reason)).await;
    }

    async fn stop(mut self, reason: NotApplied, carried: Option<Message>) {
        // In this order, so that who finds the queue closed finds the reason as well.
        self.shut(reason.clone()).await;
        self.queue.close();
        if let Some(message) = carried {
            refuse(message, &reason);
        }
        while let Some(message) = self.queue.recv().await {
            refuse(message, &reason);
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
        Message::Close(done) => {
            let _ = done.send(());
        }
    }
}
