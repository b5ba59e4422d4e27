//! The calls to one account: so many at a time, and those that hang hold up the others for a moment only.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::timeout;

/// How long a call keeps its place. One that takes longer waits for something of its own cluster and asks nothing more
/// of the infrastructure meanwhile; kept places would let a few hung clusters stop all others of the account.
const KEPT: Duration = Duration::from_secs(10);

/// The places of an account. Clones share them.
#[derive(Clone)]
pub struct AccountGate {
    calls: Arc<Semaphore>,
    /// Looks have places of their own, so that a change never waits for somebody's look.
    looks: Arc<Semaphore>,
}

impl AccountGate {
    /// So many calls at a time, and as many looks.
    pub fn new(places: usize) -> Self {
        Self { calls: Arc::new(Semaphore::new(places)), looks: Arc::new(Semaphore::new(places)) }
    }

    /// Makes a call as soon as there is a place for it; none if there was none within `patience`, and so no call.
    pub async fn call<T>(&self, patience: Duration, call: impl Future<Output = T>) -> Option<T> {
        through(&self.calls, patience, call).await
    }

    /// As [`AccountGate::call`], for calls that only look.
    pub async fn look<T>(&self, patience: Duration, look: impl Future<Output = T>) -> Option<T> {
        through(&self.looks, patience, look).await
    }
}

async fn through<T>(places: &Semaphore, patience: Duration, call: impl Future<Output = T>) -> Option<T> {
    // Nobody closes it.
    let place = timeout(patience, places.acquire()).await.ok()?.ok()?;
    let mut call = pin!(call);
    if let Ok(answer) = timeout(KEPT, &mut call).await {
        return Some(answer);
    }
    drop(place);
    Some(call.await)
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

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
    async fn a_call_without_a_place_in_time_is_not_made() {
        let gate = hung(2);
        tokio::task::yield_now().await;
        let made = async { panic!("it is made") };
        assert_eq!(gate.call(KEPT / 2, made).await, None::<()>);
        assert_eq!(gate.look(KEPT / 2, ready(1)).await, Some(1), "looks have their own places");
    }
}
