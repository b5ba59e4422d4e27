//! The calls to one account: so many at a time. Those that hang hold up the others for a moment only, as long as not too
//! many hang.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::timeout;

/// How long a call keeps its place. One that takes longer waits for something of its own cluster and asks nothing more
/// of the infrastructure meanwhile; kept places would let a few hung clusters stop all others of the account.
const KEPT: Duration = Duration::from_secs(10);

/// So many times the places may hang beside those that have one. When more hang, the next ones keep their places.
const HANG: usize = 4;

/// The places of an account. Clones share them.
#[derive(Clone)]
pub struct AccountGate {
    calls: Arc<CallPlaces>,
    /// Looks have places of their own, so that a change never waits for somebody's look.
    looks: Arc<CallPlaces>,
}

impl AccountGate {
    /// So many calls at a time, and as many looks.
    pub fn new(places: usize) -> Self {
        Self { calls: Arc::new(CallPlaces::new(places)), looks: Arc::new(CallPlaces::new(places)) }
    }

    /// Makes a call as soon as there is a place for it; none if there was none within `patience`, and so no call.
    pub async fn call<T>(&self, patience: Duration, call: impl Future<Output = T>) -> Option<T> {
        self.calls.through(patience, call).await
    }

    /// As [`AccountGate::call`], for calls that only look.
    pub async fn look<T>(&self, patience: Duration, look: impl Future<Output = T>) -> Option<T> {
        self.looks.through(patience, look).await
    }
}

/// Nobody closes the semaphores.
struct CallPlaces {
    usual: Semaphore,
    /// For those that take longer than [`KEPT`].
    hung: Semaphore,
}

impl CallPlaces {
    fn new(usual: usize) -> Self {
        Self {
            usual: Semaphore::new(usual),
            hung: Semaphore::new(usual.saturating_mul(HANG).min(Semaphore::MAX_PERMITS)),
        }
    }

    async fn through<T>(&self, patience: Duration, call: impl Future<Output = T>) -> Option<T> {
        let place = timeout(patience, self.usual.acquire()).await.ok()?.ok()?;
        let mut call = pin!(call);
        if let Ok(answer) = timeout(KEPT, &mut call).await {
            return Some(answer);
        }
        let hung = tokio::select! {
            answer = &mut call => return Some(answer),
            hung = self.hung.acquire() => hung,
        };
        drop(place);
        let answer = call.await;
        drop(hung);
        Some(answer)
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::task::JoinHandle;
    use tokio::time::Instant;

    use super::*;

    const LONG: Duration = Duration::from_secs(3600);

    /// A gate whose calls all hang.
    fn hung(places: usize) -> AccountGate {
        let gate = AccountGate::new(places);
        for _ in 0..places {
            let gate = gate.clone();
            tokio::spawn(async move { gate.call(LONG, pending::<()>()).await });
        }
        gate
    }

    #[tokio::test(start_paused = true)]
    async fn calls_that_hang_delay_others_for_a_moment_only() {
        let gate = hung(4);
        tokio::task::yield_now().await;
        let began = Instant::now();
        for _ in 0..100 {
            assert_eq!(gate.call(LONG, ready(1)).await, Some(1));
        }
        assert_eq!(began.elapsed().as_secs(), KEPT.as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn however_many_calls_hang_no_more_are_under_way_than_the_places_and_so_many_times_those() {
        let (gate, under_way) = (AccountGate::new(2), Arc::new(AtomicUsize::new(0)));
        let calls: Vec<_> = (0..100)
            .map(|_| {
                let (gate, under_way) = (gate.clone(), under_way.clone());
                tokio::spawn(async move {
                    let call = async {
                        under_way.fetch_add(1, Ordering::SeqCst);
                        pending::<()>().await;
                    };
                    gate.call(LONG, call).await
                })
            })
            .collect();
        tokio::time::sleep(LONG / 2).await;
        assert_eq!(under_way.load(Ordering::SeqCst), 2 + 2 * HANG);
        calls.iter().for_each(JoinHandle::abort);
        tokio::task::yield_now().await;
        assert_eq!(gate.call(LONG, ready(1)).await, Some(1), "the places are free again");
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_without_a_place_in_time_is_not_made() {
        let gate = hung(2);
        tokio::task::yield_now().await;
        let made = async { panic!("it is made") };
        assert_eq!(gate.call(KEPT / 2, made).await, None::<()>);
        assert_eq!(gate.look(KEPT / 2, ready(1)).await, Some(1), "looks have their own places");
    }
}
