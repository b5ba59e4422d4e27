//! What a look has to see at least: what we changed ourselves. A store that has not heard of it yet would say that the
//! change was undone.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use muster_engine::failure::Failure;
use muster_protocol::{ErrorCode, Name};

use crate::marks;
use crate::observe::ClusterObjects;
use crate::watches::Watches;

/// How long a look waits for it. Watches are milliseconds behind.
const PATIENCE: Duration = Duration::from_secs(5);

/// What we did to a service last.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Done {
    /// Submitted it for this generation.
    Submitted(u64),
    /// Removed it.
    Removed,
}

/// Our own changes that no look has shown yet.
#[derive(Default)]
pub(crate) struct Expected(Mutex<BTreeMap<Name, Done>>);

impl Expected {
    pub(crate) fn note(&self, service: &Name, done: Done) {
        self.services().insert(service.clone(), done);
    }

    /// The stores' contents, once they show our own changes.
    pub(crate) async fn seen(&self, watches: &Watches) -> Result<ClusterObjects, Failure> {
        let mut ticks = watches.ticks();
        // The first lists have a time of their own.
        let seen = watches.seen().await?;
        if self.is_shown(&seen) {
            return Ok(seen);
        }
        let caught_up = async {
            loop {
                let seen = watches.seen().await?;
                if self.is_shown(&seen) {
                    return Ok(seen);
                }
                if ticks.changed().await.is_err() {
                    return Ok(seen);
                }
            }
        };
        if let Ok(seen) = tokio::time::timeout(PATIENCE, caught_up).await {
            return seen;
        }
        // Somebody else may have undone it, so the next look takes what it sees.
        let missed: Vec<String> =
            std::mem::take(&mut *self.services()).into_keys().map(|name| name.to_string()).collect();
        let message = format!("the watches do not show yet what was changed: {}", missed.join(", "));
        Err(Failure::not_applied(ErrorCode::Unavailable, message))
    }

    fn is_shown(&self, seen: &ClusterObjects) -> bool {
        let mut services = self.services();
        services.retain(|service, done| {
            let newest = newest_generation(seen, service);
            let shown = match done {
                Done::Submitted(generation) => newest.is_some_and(|newest| newest >= *generation),
                Done::Removed => newest.is_none(),
            };
            !shown
        });
        services.is_empty()
    }

    fn services(&self) -> std::sync::MutexGuard<'_, BTreeMap<Name, Done>> {
        // The map is whole at any time, so a panic elsewhere does not spoil it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn newest_generation(seen: &ClusterObjects, service: &Name) -> Option<u64> {
    let deployments = seen.deployments.iter().map(|one| &one.metadata);
    let daemon_sets = seen.daemon_sets.iter().map(|one| &one.metadata);
    let jobs = seen.jobs.iter().map(|one| &one.metadata);
    let all = deployments.chain(daemon_sets).chain(jobs).filter(|metadata| metadata.deletion_timestamp.is_none());
    all.filter(|metadata| marks::service(metadata).as_ref() == Some(service)).map(marks::generation).max()
}
