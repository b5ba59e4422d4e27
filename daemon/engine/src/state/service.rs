//! Whether services are as asked for, and what happens when they are not in time.

use std::time::Duration;

use muster_protocol::model::container::ContainerPhase;
use muster_protocol::model::event::EventKind;
use muster_protocol::model::service::{ServiceMode, ServicePhase};
use muster_protocol::{Cause, Name, Timestamp};

use super::{Announcement, ClusterState};
use crate::desired::ServiceRecord;
use crate::ledger::{Facts, ResourceKey};
use crate::observed::OrchestratorView;
use crate::words;

/// A copy that began so long after a look that shows it is on a machine whose clock is wrong.
const CLOCKS_DIFFER: Duration = Duration::from_secs(60);

impl ClusterState {
    /// Whether the service was seen to run as asked for, since it was submitted.
    pub fn is_service_well(&self, name: &Name) -> bool {
        let Some(service) = self.services.get(name) else { return false };
        let Some(entry) = self.ledger.get(&ResourceKey::Service(name.clone())) else { return false };
        let submitted = match entry.present().map(|present| &present.facts) {
            Some(Facts::Service { generation }) => *generation,
            Some(Facts::None | Facts::Machine(_) | Facts::Other(_)) | None => return false,
        };
        let Some(seen) = self.observed.orchestrator.services.get(name) else { return false };
        let seen_since = self.observed.orchestrator_at.is_some_and(|at| at >= entry.since);
        submitted == service.generation
            && seen.generation == service.generation
            && seen_since
            && seen.ready >= seen.wanted
            && !seen.updating
    }

    /// Whether its present version counts as good: it did before, or the service is well and all its copies had run for
    /// a while when they were last looked at. One that ends soon after its start is no success, however often it is
    /// started again.
    pub fn is_service_good(&self, name: &Name) -> bool {
        let Some(service) = self.services.get(name) else { return false };
        let Some(seen_at) = self.observed.orchestrator_at.filter(|_| self.is_service_well(name)) else { return false };
        if service.last_good.as_ref() == Some(&service.version) {
            return true;
        }
        let containers = self.observed.orchestrator.containers.iter();
        let mut running = containers.filter(|copy| copy.service == *name && copy.phase == ContainerPhase::Running);
        // A copy of the far future is on a machine whose clock is ahead: nothing can be said about its age. One that is only
        // a little ahead began while it was looked.
        running.all(|copy| {
            let is_ahead = |since: Timestamp| since > seen_at + CLOCKS_DIFFER;
            copy.since.is_none_or(|since| is_ahead(since) || seen_at.since(since) >= self.deadlines.service_hold)
        })
    }

    /// The generation that is asked for, if this is a service.
    pub(super) fn generation_wanted(&self, key: &ResourceKey) -> Option<u64> {
        self.services.get(key.service()?).map(|service| service.generation)
    }

    pub(crate) fn settle_services(&mut self, now: Timestamp) {
        let names: Vec<Name> = self.services.keys().cloned().collect();
        for name in names {
            let phase = self.phase_of_service(&name);
            let good = self.is_service_good(&name);
            let Some(service) = self.services.get(&name) else { continue };
            let is_newly_good = good && service.last_good.as_ref() != Some(&service.version);
            let is_other_phase = service.phase != phase;
            if (is_newly_good || is_other_phase)
                && let Some(service) = self.services.get_mut(&name)
            {
                service.phase = phase;
                if is_newly_good {
                    service.last_good = Some(service.version.clone());
                    service.withdrawn = None;
                }
            }
            if is_other_phase {
                let message =
                    self.observed.orchestrator.services.get(&name).and_then(|seen| seen.message().map(str::to_owned));
                let why = match (phase, message) {
                    (ServicePhase::Degraded, Some(message)) => format!(": {message}"),
                    (_, Some(_) | None) => String::new(),
                };
                self.outbox.push(Announcement {
                    kind: EventKind::ServicePhase,
                    at: now,
                    operation: None,
                    message: words::at_most(words::MAX_BYTES, format!("service {name} is {phase}{why}")),
                    service: Some(name),
                    cause: None,
                });
            }
        }
    }

    fn phase_of_service(&self, name: &Name) -> ServicePhase {
        let Some(service) = self.services.get(name) else { return ServicePhase::Removing };
        if service.absent || self.desired().absent {
            ServicePhase::Removing
        } else if self.is_service_good(name) {
            // One that runs for a moment at a time does not run.
            match service.version.spec.mode {
                ServiceMode::Job => ServicePhase::Complete,
                ServiceMode::Replicated | ServiceMode::Global => ServicePhase::Running,
            }
        } else if self.has_operation_on(name) {
            if service.last_good.is_none() { ServicePhase::Deploying } else { ServicePhase::Updating }
        } else if self.observed.orchestrator_at.is_none() && self.observed.orchestrator_cause.is_none() {
            // Just started: nothing was looked at yet, so nothing new is known.
            service.phase
        } else {
            ServicePhase::Degraded
        }
    }

    fn has_operation_on(&self, name: &Name) -> bool {
        self.running_operations().any(|operation| operation.info.services.contains(name))
    }

    /// Asks anew for services that are seen in a generation that nobody asked for: the store was restored from an export,
    /// and went back behind what it had submitted. A number means one version only, so they get one that is above it.
    pub(super) fn pass_generations_seen(&mut self, view: &OrchestratorView, began: Timestamp) {
        let is_ahead = |name: &Name, service: &ServiceRecord| {
            let entry = self.ledger.get(&ResourceKey::Service(name.clone()));
            // A look that is older may have seen an earlier service of this name.
            let is_this = entry.is_some_and(|entry| entry.present().is_some() && began >= entry.since);
            let seen = view.services.get(name).map(|seen| seen.generation);
            seen.filter(|seen| is_this && !service.absent && *seen > service.generation)
        };
        let ahead = self.services.iter().filter_map(|(name, service)| Some((name.clone(), is_ahead(name, service)?)));
        for (name, seen) in ahead.collect::<Vec<_>>() {
            let Some(service) = self.services.get_mut(&name) else { continue };
            // The number is read from outside: a hand may have written the largest one.
            let next = seen.saturating_add(1);
            let before = std::mem::replace(&mut service.generation, next);
            let targets = self.operations.values_mut().flat_map(|operation| operation.target.services_mut());
            for target in targets.filter(|target| target.name == name && target.generation == before) {
                target.generation = next;
            }
        }
    }

    /// Keeps why a first version has failed, for there is none to return to.
    pub(crate) fn note_failed_creation(&mut self, name: &Name, cause: &Cause) {
        if let Some(service) = self.services.get_mut(name).filter(|service| service.last_good.is_none()) {
            service.withdrawn = Some(cause.clone());
        }
    }

    /// Keeps what the images' tags meant for the generations that were submitted.
    pub(super) fn keep_digests(&mut self, view: &OrchestratorView) {
        let is_new = |name: &Name, service: &ServiceRecord| {
            let seen = view.services.get(name).filter(|seen| seen.generation == service.generation)?;
            seen.digest.clone().filter(|digest| service.version.digest.as_ref() != Some(digest))
        };
        let new = self.services.iter().filter_map(|(name, service)| Some((name.clone(), is_new(name, service)?)));
        for (name, digest) in new.collect::<Vec<_>>() {
            if let Some(service) = self.services.get_mut(&name) {
                service.version.digest = Some(digest);
            }
        }
    }

    /// Puts the last good version back: the change did not become well in its time.
    pub(crate) fn withdraw(&mut self, name: &Name, cause: &Cause, now: Timestamp) -> bool {
        let Some(service) = self.services.get_mut(name) else { return false };
        let Some(good) = service.last_good.clone() else { return false };
        if good == service.version || service.absent {
            return false;
        }
        service.version = good;
        service.generation += 1;
        service.updated_at = now;
        service.withdrawn = Some(cause.clone());
        self.forget_failure(&ResourceKey::Service(name.clone()));
        true
    }
}
