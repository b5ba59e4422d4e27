//! Creations of one machine, one after the other: of two at once, one would take away what the other is making.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use muster_protocol::{ClusterId, Name};
use tokio::sync::OwnedMutexGuard;

type Turn = Arc<tokio::sync::Mutex<()>>;

/// Whose turn it is, for each machine that is being made.
#[derive(Default)]
pub(crate) struct Turns {
    of_machines: Mutex<HashMap<(ClusterId, Name), Turn>>,
}

impl Turns {
    /// Returns when no other creation of this machine is under way; the turn ends when the guard is dropped.
    pub(crate) async fn of(&self, cluster: ClusterId, machine: &Name) -> OwnedMutexGuard<()> {
        let turn = {
            let mut turns = self.of_machines.lock().unwrap_or_else(PoisonError::into_inner);
            turns.retain(|_, turn| Arc::strong_count(turn) > 1);
            turns.entry((cluster, machine.clone())).or_default().clone()
        };
        turn.lock_owned().await
    }
}

#[cfg(test)]
mod tests {
    use futures::future::poll_immediate;

    use super::*;

    #[tokio::test]
    async fn one_machine_is_made_by_one_at_a_time_and_others_beside_it() {
        let turns = Turns::default();
        let cluster = ClusterId::generate();
        let (one, other): (Name, Name) = ("worker-1".parse().unwrap(), "worker-2".parse().unwrap());
        let first = turns.of(cluster, &one).await;
        assert!(poll_immediate(Box::pin(turns.of(cluster, &one))).await.is_none());
        assert!(poll_immediate(Box::pin(turns.of(cluster, &other))).await.is_some());
        assert!(poll_immediate(Box::pin(turns.of(ClusterId::generate(), &one))).await.is_some());
        drop(first);
        assert!(poll_immediate(Box::pin(turns.of(cluster, &one))).await.is_some());
        assert_eq!(turns.of_machines.lock().unwrap().len(), 1, "what nobody makes is forgotten");
    }
}
