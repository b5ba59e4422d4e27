//! Whether services are as asked for, and what happens when they are not in time.

use muster_protocol::model::event::EventKind;
use muster_protocol::model::service::{ServiceMode, ServicePhase};
use muster_protocol::{Cause, Name, Timestamp};

use super::{Announcement, ClusterState};
use crate::desired::ServiceRecord;
use crate::ledger::{Facts, ResourceKey};
use crate::observed::OrchestratorView;
use crate::words;

impl ClusterState {
    /// Whether the service was seen to run as asked for, since it was submitted.
    pub fn is_service_well(&self, name: &Name) -> bool {
        let Some(service) = self.services.get(name) else { return false };
        let Some(entry) = self.ledger.get(&ResourceKey::Service(name.clone())) else { return false };
        let submitted = match entry.present().map(|present| &present.facts) {
            Some(Facts::Service { generation }) => *generation,
            Some(Facts::None | Facts::Machine(_)) | None => return false,
        };
        let Some(seen) = self.observed.orchestrator.services.get(name) else { return false };
        let seen_since = self.observed.orchestrator_at.is_some_and(|at| at >= entry.since);
        submitted == service.generation
            && seen.generation == service.generation
            && seen_since
            && seen.ready >= seen.wanted
            && !seen.updating
    }

    /// The generation that is asked for, if this is a service.
    pub(super) fn generation_wanted(&self, key: &ResourceKey) -> Option<u64> {
        let ResourceKey::Service(name) = key else { return None };
        self.services.get(name).map(|service| service.generation)
    }

    pub(super) fn settle_services(&mut self, now: Timestamp) {
        let names: Vec<Name> = self.services.keys().cloned().collect();
        for name in names {
            let phase = self.phase_of_service(&name);
            let well = self.is_service_well(&name);
            let Some(service) = self.services.get(&name) else { continue };
            let is_newly_good = well && service.last_good.as_ref() != Some(&service.version);
            let is_other_phase = service.phase != phase;
            if (is_newly_good || is_other_phase)
                && let Some(service) = self.services.get_mut(&name)
            {
                service.phase = phase;
                if is_newly_good {
                    service.last_good = Some(service.version.clone());
                }
            }
            if is_other_phase {
                let message = self.observed.orchestrator.services.get(&name).and_then(|seen| seen.message.clone());
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
        } else if self.is_service_well(name) {
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
            let before = std::mem::replace(&mut service.generation, seen + 1);
            let targets = self.operations.values_mut().flat_map(|operation| operation.target.services_mut());
            for target in targets.filter(|target| target.name == name && target.generation == before) {
                target.generation = seen + 1;
            }
        }
    }

    /// Puts the last good version back: the change did not become well in its time.
    pub(super) fn withdraw(&mut self, name: &Name, cause: &Cause, now: Timestamp) -> bool {
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
