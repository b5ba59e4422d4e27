//! Why something is not as it should be, in the words that users see.

use std::time::Duration;

use muster_protocol::{Cause, ErrorCode, Name, Retry, Timestamp};

use super::ClusterState;
use crate::action::Action;
use crate::failure::Failure;
use crate::ledger::{Duty, ResourceKey};
use crate::observed::Obstacle;
use crate::operation::Target;
use crate::plan::{Gate, Plan};
use crate::words;

/// How long a node that has joined may take to be ready before that counts as trouble.
const SETTLES_IN: Duration = Duration::from_secs(10);

impl ClusterState {
    /// Every cause of trouble that holds now. Those that need somebody go before those that may pass; else resources are first,
    /// then what cannot be looked at.
    pub fn causes(&self) -> Vec<Cause> {
        let resources = self.ledger.iter().filter_map(|(key, entry)| match key {
            ResourceKey::Node(name) => self.node_cause(name),
            ResourceKey::Infra(_) | ResourceKey::Orchestrator | ResourceKey::Service(_) => entry.cause.clone(),
        });
        let sweep = self.sweep_retry.iter().filter_map(|entry| entry.cause.clone());
        let unseen = [&self.observed.infrastructure_cause, &self.observed.orchestrator_cause];
        let mut causes: Vec<Cause> = resources.chain(sweep).chain(unseen.into_iter().flatten().cloned()).collect();
        causes.sort_by_key(|cause| cause.retry != Retry::Never);
        causes
    }

    /// The same, behind what keeps the cluster's own steps from being done until somebody changes something: that explains the
    /// others.
    pub fn causes_with(&self, plan: &Plan) -> Vec<Cause> {
        let others = self.causes();
        let is_told = |cause: &Cause| others.iter().any(|other| other.message == cause.message);
        let mut first: Vec<Cause> = Vec::new();
        for step in plan.of_cluster().iter() {
            let Gate::Blocked(cause) = &step.gate else { continue };
            if !is_told(cause) && first.iter().all(|told| told.message != cause.message) {
                // Not the time of the last plan, or every plan would be news.
                first.push(Cause { at: self.record.phase_since, ..cause.clone() });
            }
        }
        first.extend(others);
        first
    }

    /// Why what an operation changes is not as it asks.
    pub(crate) fn cause_of(&self, target: &Target) -> Option<Cause> {
        match target {
            Target::Cluster { .. } => self.causes().into_iter().next(),
            Target::Services(targets) => targets.iter().find_map(|target| self.service_cause(&target.name)),
        }
    }

    /// What is wrong with a node: its own call, or what the orchestrator says of it.
    pub fn node_cause(&self, machine: &Name) -> Option<Cause> {
        let key = ResourceKey::Node(machine.clone());
        let entry = self.ledger.get(&key)?;
        if entry.cause.is_some() || entry.present().is_none() || self.desired().role_of(machine).is_none() {
            return entry.cause.clone();
        }
        // One that has just joined takes a moment.
        self.observed.orchestrator_at.filter(|at| at.since(entry.since) >= SETTLES_IN)?;
        let seen = self.observed.orchestrator.nodes.get(machine).filter(|node| !node.ready)?;
        let failure = unhealthy(format!("{machine} is not ready: {}", seen.message.as_deref()?))
            .with_remedy("see to the machine or its node; it counts as soon as the orchestrator sees it ready");
        // Not the time of the last look, or every look would be news.
        Some(failure.into_cause(Action::Await(key).to_string(), entry.since.max(self.record.phase_since)))
    }

    /// What is said of a node that is well, and yet not as it could be: somebody keeps copies off it. Nothing waits for it.
    pub fn node_note(&self, machine: &Name) -> Option<Cause> {
        let key = ResourceKey::Node(machine.clone());
        let entry = self.ledger.get(&key).filter(|entry| entry.present().is_some())?;
        let seen = self.observed.orchestrator.nodes.get(machine).filter(|node| node.ready)?;
        // What Muster does with it for a step is no news.
        let is_in_turn = self.machine(machine).is_none_or(|machine| machine.duty != Duty::On || machine.step.is_some());
        let words = seen.message.as_deref().filter(|_| !is_in_turn)?;
        let failure = unhealthy(format!("{machine} is ready, but {words}"))
            .with_remedy("nothing waits for it; let it take copies again with the orchestrator's own tool when it may");
        Some(failure.into_cause(format!("observe {key}"), entry.since.max(self.record.phase_since)))
    }

    /// What is wrong with a service: its own call, or what the orchestrator says of its copies.
    pub fn service_cause(&self, name: &Name) -> Option<Cause> {
        let entry = self.ledger.get(&ResourceKey::Service(name.clone()));
        if let Some(cause) = entry.and_then(|entry| entry.cause.clone()) {
            return Some(cause);
        }
        let service = self.services.get(name)?;
        let seen = self.observed.orchestrator.services.get(name);
        let trouble = seen.filter(|seen| seen.ready < seen.wanted).and_then(|seen| seen.trouble.as_ref());
        let Some(trouble) = trouble else { return service.withdrawn.clone() };
        let remedy = remedy(trouble.obstacle, name, &self.desired().spec.name);
        let failure = unhealthy(trouble.words.clone()).with_remedy(remedy);
        // Not the time of the last look, or every look would be news.
        Some(failure.into_cause(Action::Await(ResourceKey::Service(name.clone())).to_string(), service.updated_at))
    }

    /// Why a deletion has failed: something of the cluster may be left.
    pub(crate) fn released_cause(&self, now: Timestamp) -> Cause {
        let strays = self.strays.iter().map(|stray| stray.present.id.clone());
        let left: Vec<String> = self.ledger.keys().map(ToString::to_string).chain(strays).collect();
        // Of hundreds of things the first must do: `info` lists them all, and a record has a limit.
        let left = words::at_most(words::MAX_BYTES, left.join(", "));
        let first = self.causes().into_iter().next();
        let why = first.as_ref().map_or_else(String::new, |cause| format!(": {}", cause.message));
        Cause {
            code: first.as_ref().map_or(ErrorCode::DeadlineExceeded, |cause| cause.code),
            step: "delete".to_owned(),
            message: if left.is_empty() {
                format!("could not make sure that nothing is left{why}")
            } else {
                format!("{left} may be left{why}")
            },
            provider_code: first.as_ref().and_then(|cause| cause.provider_code.clone()),
            provider_request_id: first.as_ref().and_then(|cause| cause.provider_request_id.clone()),
            remedy: Some("Muster goes on trying; `muster cluster info` lists what may be left".to_owned()),
            retry: Retry::Later,
            at: now,
        }
    }
}

/// What helps a service over an obstacle.
fn remedy(obstacle: Obstacle, service: &Name, cluster: &Name) -> String {
    match obstacle {
        Obstacle::Image => {
            "see that the image's name is right, that its registry has it for the machines' processor and \
             that the machines reach the registry; then ask again with `muster service update`"
                .to_owned()
        }
        Obstacle::Room => format!(
            "change the service's constraints, reservations or ports with `muster service update`, or give the cluster \
             machines that fit with `muster cluster scale {cluster}`"
        ),
        Obstacle::Addresses => {
            "scale services of the cluster down, or run this one on another cluster: machines do not help".to_owned()
        }
        Obstacle::Container => {
            "mend what the container is made with (command, user, mounts, files) with `muster service update`"
                .to_owned()
        }
        Obstacle::Health => format!(
            "see what the service says with `muster service logs {service} --cluster {cluster}`, and mend the service or \
             its check with `muster service update`"
        ),
        Obstacle::Program => format!(
            "see its output with `muster service logs {service} --cluster {cluster}`, mend it with `muster service update`"
        ),
    }
}

/// What an orchestrator says is not as it should be.
fn unhealthy(message: String) -> Failure {
    Failure::not_applied(ErrorCode::Unhealthy, message)
}
