//! What is told of single copies of services.

use std::collections::BTreeSet;

use muster_protocol::Timestamp;
use muster_protocol::model::container::ContainerPhase;
use muster_protocol::model::event::EventKind;

use super::{Announcement, ClusterState};
use crate::observed::{ObservedContainer, OrchestratorView};
use crate::words;

/// With which code a program ends that was ended by the signal 9, which cannot be heard: 128 and the signal's number.
const KILLED: i64 = 137;

/// Whether the copy was to end and did not end by itself.
fn was_killed(copy: &ObservedContainer) -> bool {
    copy.phase == ContainerPhase::Stopped && copy.exit_code == Some(KILLED)
}

impl ClusterState {
    /// Announces copies that had to be killed since the last look: whatever they still had to write is lost.
    pub(super) fn announce_killed(&mut self, view: &OrchestratorView, now: Timestamp) {
        // What happened before the first look after a start was told before, or happened while nobody looked.
        if self.observed.orchestrator_at.is_none() {
            return;
        }
        let before = self.observed.orchestrator.containers.iter();
        let told: BTreeSet<&str> = before.filter(|copy| was_killed(copy)).map(|copy| copy.id.as_str()).collect();
        let killed = view.containers.iter().filter(|copy| was_killed(copy) && !told.contains(copy.id.as_str()));
        // Who asks for SIGKILL as the signal gives no time, and is told nothing.
        let by_wish = |copy: &&ObservedContainer| {
            let service = self.services.get(&copy.service);
            service.is_some_and(|service| service.version.spec.stop_signal.as_deref() == Some("SIGKILL"))
        };
        let announcements = killed.filter(|copy| !by_wish(copy)).map(|copy| {
            let place = copy.machine.as_ref().map_or_else(String::new, |machine| format!(" on {machine}"));
            let message = format!(
                "copy {}{place} was killed: it was asked to end and did not end in its time. More time is given by \
                 `stopGraceMs`, another signal by `stopSignal`",
                copy.name
            );
            Announcement {
                kind: EventKind::ContainerKilled,
                at: now,
                operation: None,
                message: words::at_most(words::MAX_BYTES, message),
                service: Some(copy.service.clone()),
                cause: None,
            }
        });
        let announcements: Vec<Announcement> = announcements.collect();
        self.outbox.extend(announcements);
    }
}
