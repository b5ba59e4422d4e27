//! Copies that had to be killed. A pod is gone from the API as soon as it has ended, but the last that is heard of it says
//! how: the kubelet reports the end before it lets the pod go. That is kept for a while, so that a look finds it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use k8s_openapi::api::core::v1::{ContainerStateTerminated, Pod};
use tokio::time::Instant;

/// How long a copy is shown that was killed: long enough for a look, also where looks are rare.
const SHOWN: Duration = Duration::from_secs(5 * 60);
/// How many are shown at most.
const MOST: usize = 256;
/// With which code a program ends that was ended by the signal 9: 128 and the signal's number.
const KILLED: i32 = 137;

/// The copies that were killed lately, oldest first.
#[derive(Default)]
pub(crate) struct Killed(Mutex<Vec<(Instant, Arc<Pod>)>>);

impl Killed {
    /// Keeps a pod that is gone, if it was killed.
    pub(crate) fn gone(&self, pod: &Pod) {
        if !was_killed(pod) {
            return;
        }
        let mut kept = self.kept();
        kept.push((Instant::now(), Arc::new(pod.clone())));
        let over = kept.len().saturating_sub(MOST);
        kept.drain(..over);
    }

    /// Those that are to be shown.
    pub(crate) fn shown(&self) -> Vec<Arc<Pod>> {
        let mut kept = self.kept();
        kept.retain(|(since, _)| since.elapsed() < SHOWN);
        kept.iter().map(|(_, pod)| Arc::clone(pod)).collect()
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Vec<(Instant, Arc<Pod>)>> {
        // The list is whole at any time, so a panic elsewhere does not spoil it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the pod was asked to end and did not end by itself. Want of memory is another end.
fn was_killed(pod: &Pod) -> bool {
    let statuses = pod.status.iter().flat_map(|status| status.container_statuses.iter().flatten());
    let mut ends = statuses.filter_map(|status| status.state.as_ref()?.terminated.as_ref());
    pod.metadata.deletion_timestamp.is_some() && ends.any(|end| end.exit_code == KILLED && !lacked_memory(end))
}

/// Whether the kernel ended it because it needed more memory than it may have.
pub(crate) fn lacked_memory(end: &ContainerStateTerminated) -> bool {
    end.reason.as_deref() == Some("OOMKilled")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn ended(code: i32, reason: &str, asked: bool) -> Pod {
        let asked = asked.then_some("2026-11-23T14:01:00Z");
        let end = json!({ "terminated": { "exitCode": code, "reason": reason } });
        serde_json::from_value(json!({
            "metadata": { "name": "web-1", "deletionTimestamp": asked },
            "status": { "phase": "Failed", "containerStatuses": [{
                "name": "web", "image": "", "imageID": "", "ready": false, "restartCount": 0, "state": end,
            }] },
        }))
        .unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_copy_that_was_killed_is_shown_for_a_while() {
        let killed = Killed::default();
        killed.gone(&ended(137, "Error", true));
        assert_eq!(killed.shown().len(), 1);
        tokio::time::advance(SHOWN).await;
        assert!(killed.shown().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn other_ends_are_not() {
        let killed = Killed::default();
        killed.gone(&ended(0, "Completed", true));
        killed.gone(&ended(143, "Error", true));
        killed.gone(&ended(137, "OOMKilled", true));
        killed.gone(&ended(137, "Error", false));
        assert!(killed.shown().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_great_many_are_not_kept() {
        let killed = Killed::default();
        for _ in 0..MOST + 5 {
            killed.gone(&ended(137, "Error", true));
        }
        assert_eq!(killed.shown().len(), MOST);
    }
}
