//! Where the process is stopped: counts the points, and at the chosen one lets nothing go on. And which writes are refused.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use muster_engine::sim::{Call, Hook, Moment};
use muster_store::{Batch, CommitError, Committed, NotApplied, Store};
use musterd::journal::Journal;
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use tokio::task::{JoinError, spawn_blocking};

/// How long a call takes that takes its time. Nothing else needs any, for writes and reads stop the paused clock.
const A_WHILE: Duration = Duration::from_secs(1);

/// Counts points from the moment in which it is armed.
#[derive(Default)]
pub struct Stop {
    armed: AtomicBool,
    points: AtomicU64,
    /// The point at which to stop, counted from 1; 0 is never.
    at: AtomicU64,
    stopped: Notify,
    /// How many calls were begun that do more than to look.
    steps: watch::Sender<u64>,
    /// The one of them that takes its time, counted from 1; 0 is none.
    slow_step: AtomicU64,
    /// The number of its call, as soon as it has begun.
    slow_call: Mutex<Option<u64>>,
    writes: AtomicU64,
    refused: Mutex<Range<u64>>,
    trace: Mutex<Vec<String>>,
}

impl Stop {
    /// Counts from now on, and stops at this point, counted from 1.
    pub fn arm(&self, at: Option<u64>) {
        self.points.store(0, Ordering::SeqCst);
        self.at.store(at.unwrap_or(0), Ordering::SeqCst);
        self.writes.store(0, Ordering::SeqCst);
        self.steps.send_replace(0);
        self.armed.store(true, Ordering::SeqCst);
    }

    /// Counts no more and stops nobody.
    pub fn disarm(&self) {
        self.armed.store(false, Ordering::SeqCst);
    }

    /// Refuses these writes, counted from 0, as a full disk does.
    pub fn refuse(&self, writes: Range<u64>) {
        *self.lock_refused() = writes;
    }

    /// How many writes were begun since it was armed.
    pub fn writes(&self) -> u64 {
        self.writes.load(Ordering::SeqCst)
    }

    /// Whether the write that begins now is refused.
    fn refuses_write(&self) -> bool {
        self.armed.load(Ordering::SeqCst) && self.lock_refused().contains(&self.writes.fetch_add(1, Ordering::SeqCst))
    }

    /// How many points were passed since it was armed.
    pub fn points(&self) -> u64 {
        self.points.load(Ordering::SeqCst)
    }

    /// Every point that was passed, in words.
    pub fn trace(&self) -> Vec<String> {
        self.lock_trace().clone()
    }

    /// Returns when the chosen point was reached.
    pub async fn reached(&self) {
        self.stopped.notified().await;
    }

    /// A point. At the chosen one this never returns, and the process is torn down around it.
    async fn point(&self, what: impl FnOnce() -> String) {
        if !self.armed.load(Ordering::SeqCst) {
            return;
        }
        let number = self.points.fetch_add(1, Ordering::SeqCst) + 1;
        self.lock_trace().push(what());
        if number == self.at.load(Ordering::SeqCst) {
            self.stopped.notify_one();
            std::future::pending::<()>().await;
        }
        // Behind the chosen point the process is dead already; a call that was spawned before must not get further.
        if self.at.load(Ordering::SeqCst) != 0 && number > self.at.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
    }

    /// How many calls were begun since it was armed that do more than to look.
    pub fn steps(&self) -> u64 {
        *self.steps.borrow()
    }

    /// Lets the last of so many steps take a while to answer, and leaves all else as quick as ever: what is asked for when it has
    /// begun comes in its middle.
    pub fn take_time_at(&self, steps: u64) {
        self.slow_step.store(steps, Ordering::SeqCst);
    }

    /// Returns when so many steps were begun. It hears of each as it begins: on a paused clock that calls do not move, whoever looks
    /// from time to time sees nothing before everything has ended.
    pub async fn until_steps(&self, steps: u64) {
        // The sender is here, so it waits until then.
        let _ = self.steps.subscribe().wait_for(|begun| *begun >= steps).await;
    }

    fn lock_refused(&self) -> MutexGuard<'_, Range<u64>> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_slow_call(&self) -> MutexGuard<'_, Option<u64>> {
        self.slow_call.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_trace(&self) -> MutexGuard<'_, Vec<String>> {
        self.trace.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The points around outside calls.
#[async_trait]
impl Hook for Stop {
    async fn at(&self, moment: Moment, call: &Call) {
        if moment == Moment::Before && !call.kind.is_observation() {
            self.steps.send_modify(|steps| *steps += 1);
            if self.steps() == self.slow_step.load(Ordering::SeqCst) {
                *self.lock_slow_call() = Some(call.number);
            }
        }
        let is_slow = *self.lock_slow_call() == Some(call.number);
        if moment == Moment::After && is_slow {
            tokio::time::sleep(A_WHILE).await;
        }
        self.point(|| format!("{moment:?} call {call}")).await;
    }
}

/// The points around store writes: the real store between two of them.
pub struct StoppingJournal {
    /// The store.
    pub store: Store,
    /// Where to stop.
    pub stop: Arc<Stop>,
}

#[async_trait]
impl Journal for StoppingJournal {
    async fn write(&self, batch: Batch) -> Result<Committed, CommitError> {
        let what = format!("{batch:?}");
        self.stop.point(|| format!("Before write {what}")).await;
        if self.stop.refuses_write() {
            return Err(CommitError::NotApplied(NotApplied::NoRoom { free_mib: 0, needed_mib: 1 }));
        }
        // A blocking task, for while one is under way the paused clock does not run ahead.
        let writing = self.store.commit(batch);
        let committed = spawn_blocking(|| Handle::current().block_on(writing)).await;
        let lost = |error: JoinError| CommitError::MaybeApplied { cause: error.to_string() };
        let committed = committed.map_err(lost).flatten();
        self.stop.point(|| format!("After write {what}")).await;
        committed
    }
}

#[cfg(test)]
mod tests {
    use muster_protocol::InstanceId;
    use muster_store::OpenOptions;
    use musterd::journal::records::StoredInstance;
    use tokio::time::{Instant, sleep};

    use super::*;

    /// Otherwise deadlines would pass while the disk is at work, and a history would not be the same twice.
    #[tokio::test(start_paused = true)]
    async fn the_paused_clock_stands_still_during_writes() {
        let dir = tempfile::tempdir().unwrap();
        let (store, _) = Store::open(dir.path().join("store"), OpenOptions::default()).await.unwrap();
        let journal = StoppingJournal { store: store.clone(), stop: Arc::default() };
        let deadline = tokio::spawn(sleep(Duration::from_secs(3600)));
        let before = Instant::now();
        for number in 1..=50 {
            let mut batch = Batch::new();
            batch.put(&StoredInstance { id: InstanceId::from_u128(number) }).unwrap();
            journal.write(batch).await.unwrap();
        }
        assert_eq!(Instant::now(), before);
        deadline.abort();
        store.close().await;
    }
}
