//! Requests: how each changes what is asked for. Nothing is changed if a request is refused.
//!
//! Here only what needs the cluster's present state is checked. What can be checked without it
//! is checked by [`crate::validate`] and [`crate::handler::Handler::validate`] before.

use std::collections::BTreeMap;
use std::time::Duration;

use muster_protocol::model::cluster::{ClusterPhase, ClusterSpec};
use muster_protocol::model::event::EventKind;
use muster_protocol::model::operation::{OperationInfo, OperationKind, OperationPhase};
use muster_protocol::model::service::{ServicePhase, ServiceSpec};
use muster_protocol::{ClusterId, Error, ErrorCode, Name, OperationId, Retry, SecretString, ServiceId, Timestamp};

use super::{Announcement, ClusterState, Deadlines, retry};
use crate::desired::{ClusterRecord, Desired, ServiceRecord, ServiceVersion};
use crate::ledger::ResourceKey;
use crate::operation::{OperationRecord, ServiceTarget, Target};

/// Who asks for a change, when, and under which id it is kept.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// The id of its record.
    pub operation: OperationId,
    /// The user, by number.
    pub by: u32,
    /// When.
    pub at: Timestamp,
}

/// A service to create or change.
#[derive(Clone, Debug)]
pub struct ServiceChange {
    /// What to run, without the values of its secrets.
    pub spec: ServiceSpec,
    /// Under which number the values of its secrets are kept; 0 if it has none.
    pub secrets_version: u64,
    /// The template it came from.
    pub template: Option<String>,
}

impl ServiceChange {
    /// Takes the values of the secrets out of a spec, by the secrets' names. Those go to the store sealed; the rest may be shown.
    pub fn take_secrets(spec: &mut ServiceSpec) -> BTreeMap<Name, SecretString> {
        let secrets = spec.secrets.iter_mut();
        secrets.filter_map(|secret| secret.value.take().map(|value| (secret.name.clone(), value))).collect()
    }
}

impl ClusterState {
    /// A cluster that was just asked for.
    pub fn create(id: ClusterId, spec: ClusterSpec, recipe: String, deadlines: Deadlines, asked: Asked) -> Self {
        let record = ClusterRecord {
            id,
            desired: Desired { generation: 1, spec, absent: false },
            phase: ClusterPhase::Creating,
            phase_since: asked.at,
            was_ready: false,
            created_at: asked.at,
            removal_deadline: None,
            swept: false,
        };
        let mut state = Self::loaded(record, recipe, deadlines);
        let target = Target::Cluster { before: None };
        state.start_operation(OperationKind::ClusterCreate, target, Vec::new(), deadlines.cluster, asked);
        state.settle(asked.at);
        state
    }

    /// Changes the numbers of machines.
    pub fn admit_scale(
        &mut self,
        control_planes: Option<u32>,
        workers: Option<u32>,
        asked: Asked,
    ) -> Result<OperationInfo, Error> {
        self.refuse_if_leaving()?;
        let mut spec = self.desired().spec.clone();
        spec.control_planes = control_planes.unwrap_or(spec.control_planes);
        spec.workers = workers.unwrap_or(spec.workers);
        crate::validate::cluster(&spec)?;
        self.supersede_cluster_operations(asked);
        let before = self.record.desired.clone();
        self.record.desired = Desired { generation: before.generation + 1, spec, absent: false };
        self.forget_all_failures();
        let target = Target::Cluster { before: Some(before) };
        Ok(self.admitted(OperationKind::ClusterScale, target, Vec::new(), self.deadlines.cluster, asked))
    }

    /// Removes the cluster. Asked for again, it is the same removal.
    pub fn admit_delete(&mut self, asked: Asked) -> Result<OperationInfo, Error> {
        let running = self.running_operations().find(|operation| operation.info.kind == OperationKind::ClusterDelete);
        if let Some(operation) = running {
            return Ok(operation.info.clone());
        }
        let all: Vec<OperationId> = self.running_operations().map(|operation| operation.info.id).collect();
        self.supersede(&all, asked);
        let before = self.record.desired.clone();
        self.leave(asked.at);
        let target = Target::Cluster { before: Some(before) };
        Ok(self.admitted(OperationKind::ClusterDelete, target, Vec::new(), self.deadlines.removal, asked))
    }

    /// Tries again now what failed and waits, or was given up.
    pub fn admit_retry(&mut self, asked: Asked) -> Result<OperationInfo, Error> {
        self.forget_all_failures();
        if self.desired().absent {
            self.record.removal_deadline = Some(asked.at + self.deadlines.removal);
        }
        let (kind, wait) = if self.desired().absent {
            (OperationKind::ClusterDelete, self.deadlines.removal)
        } else {
            (OperationKind::ClusterRetry, self.deadlines.cluster)
        };
        // A deletion that is tried again is still the same deletion, and can be cancelled as such.
        let retried = self.running_operations().find(|operation| operation.info.kind == kind);
        let anew = || Target::Cluster { before: Some(self.record.desired.clone()) };
        let target = retried.map_or_else(anew, |operation| operation.target.clone());
        self.supersede_cluster_operations(asked);
        Ok(self.admitted(kind, target, Vec::new(), wait, asked))
    }

    /// Creates services, all or none.
    pub fn admit_service_create(
        &mut self,
        changes: Vec<(ServiceId, ServiceChange)>,
        asked: Asked,
    ) -> Result<OperationInfo, Error> {
        self.refuse_if_leaving()?;
        for (_, change) in &changes {
            let name = &change.spec.name;
            if let Some(service) = self.services.get(name) {
                let why = if service.absent { "is still being removed" } else { "exists already" };
                return Err(Error::new(ErrorCode::AlreadyExists, format!("service `{name}` {why}"))
                    .with_remedy("choose another name, or change it with `muster service update`"));
            }
        }
        let mut targets = Vec::new();
        let mut wait = Duration::ZERO;
        for (id, change) in changes {
            wait = wait.max(Duration::from_millis(change.spec.update.deadline_ms));
            let name = change.spec.name.clone();
            targets.push(ServiceTarget { name: name.clone(), generation: 1, before: None });
            let version = ServiceVersion { spec: change.spec, secrets_version: change.secrets_version };
            let record = ServiceRecord {
                id,
                generation: 1,
                version,
                absent: false,
                last_good: None,
                template: change.template,
                phase: ServicePhase::Deploying,
                created_at: asked.at,
                updated_at: asked.at,
                withdrawn: None,
            };
            self.services.insert(name, record);
        }
        if self.record.phase != ClusterPhase::Ready {
            wait = wait.max(self.deadlines.first_service);
        }
        let names = targets.iter().map(|target| target.name.clone()).collect();
        Ok(self.admitted(OperationKind::ServiceCreate, Target::Services(targets), names, wait, asked))
    }

    /// Replaces what is asked for of a service. The same again changes nothing and succeeds.
    pub fn admit_service_update(&mut self, change: ServiceChange, asked: Asked) -> Result<OperationInfo, Error> {
        self.change_service(OperationKind::ServiceUpdate, change, asked)
    }

    /// Changes the number of copies of a service.
    pub fn admit_service_scale(&mut self, name: &Name, replicas: u32, asked: Asked) -> Result<OperationInfo, Error> {
        let mut version = self.living_service(name)?.version.clone();
        version.spec.replicas = replicas;
        crate::validate::service(&version.spec)?;
        let change = ServiceChange { spec: version.spec, secrets_version: version.secrets_version, template: None };
        self.change_service(OperationKind::ServiceScale, change, asked)
    }

    /// Removes a service. One that is being removed is not removed twice.
    pub fn admit_service_delete(&mut self, name: &Name, asked: Asked) -> Result<OperationInfo, Error> {
        self.refuse_if_leaving()?;
        let Some(service) = self.services.get(name) else { return Err(Error::not_found("service", name)) };
        let (was_absent, generation, before) = (service.absent, service.generation, service.version.clone());
        let running = self.running_operations().find(|operation| {
            operation.info.kind == OperationKind::ServiceDelete && operation.info.services.contains(name)
        });
        if let (true, Some(operation)) = (was_absent, running) {
            return Ok(operation.info.clone());
        }
        self.supersede_service_operations(name, asked);
        let key = ResourceKey::Service(name.clone());
        if let Some(service) = self.services.get_mut(name) {
            service.absent = true;
            service.generation += 1;
            service.updated_at = asked.at;
        }
        self.forget_failure(&key);
        let target = ServiceTarget { name: name.clone(), generation: generation + 1, before: Some(before) };
        let names = vec![name.clone()];
        let wait = self.deadlines.first_service;
        Ok(self.admitted(OperationKind::ServiceDelete, Target::Services(vec![target]), names, wait, asked))
    }

    /// Ends an operation; what was asked for before it is asked for again. One that has ended stays as it ended.
    pub fn admit_cancel(&mut self, id: OperationId, asked: Asked) -> Result<OperationInfo, Error> {
        let Some(operation) = self.operations.get(&id).cloned() else {
            return Err(Error::not_found("operation", id));
        };
        if operation.info.phase.is_ended() {
            return Ok(operation.info);
        }
        match operation.target {
            Target::Cluster { before: None } => self.leave(asked.at),
            Target::Cluster { before: Some(before) } => {
                let generation = self.record.desired.generation + 1;
                if !before.absent {
                    self.record.removal_deadline = None;
                    self.record.swept = false;
                }
                self.record.desired = Desired { generation, ..before };
            }
            Target::Services(targets) => {
                for target in targets {
                    self.restore_service(target, asked.at);
                }
            }
        }
        self.forget_all_failures();
        self.end_operation(id, OperationPhase::Cancelled, None, asked.at);
        let info = self.operations.get(&id).map_or(operation.info, |operation| operation.info.clone());
        self.tidy();
        self.settle(asked.at);
        Ok(info)
    }

    fn restore_service(&mut self, target: ServiceTarget, now: Timestamp) {
        let Some(service) = self.services.get_mut(&target.name) else { return };
        service.generation += 1;
        service.updated_at = now;
        match target.before {
            Some(before) => {
                service.absent = false;
                service.version = before;
            }
            None => service.absent = true,
        }
    }

    fn change_service(
        &mut self,
        kind: OperationKind,
        change: ServiceChange,
        asked: Asked,
    ) -> Result<OperationInfo, Error> {
        self.refuse_if_leaving()?;
        let name = change.spec.name.clone();
        let before = self.living_service(&name)?.version.clone();
        if change.spec.mode != before.spec.mode {
            return Err(Error::invalid("mode", "the mode of a service cannot be changed")
                .with_remedy("delete the service and create it with the other mode"));
        }
        self.supersede_service_operations(&name, asked);
        let wait = Duration::from_millis(change.spec.update.deadline_ms);
        let mut generation = 0;
        if let Some(service) = self.services.get_mut(&name) {
            let version = ServiceVersion { spec: change.spec, secrets_version: change.secrets_version };
            if version != service.version {
                service.version = version;
                service.generation += 1;
                service.updated_at = asked.at;
                service.withdrawn = None;
            }
            service.template = change.template.or(service.template.take());
            generation = service.generation;
        }
        self.forget_failure(&ResourceKey::Service(name.clone()));
        let target = ServiceTarget { name: name.clone(), generation, before: Some(before) };
        Ok(self.admitted(kind, Target::Services(vec![target]), vec![name], wait, asked))
    }

    fn living_service(&self, name: &Name) -> Result<&ServiceRecord, Error> {
        let service = self.services.get(name).filter(|service| !service.absent);
        service.ok_or_else(|| Error::not_found("service", name))
    }

    fn refuse_if_leaving(&self) -> Result<(), Error> {
        if self.desired().absent {
            let name = &self.desired().spec.name;
            return Err(Error::new(ErrorCode::Conflict, format!("cluster `{name}` is being deleted"))
                .with_remedy("wait until it is gone, or cancel the deletion with `muster operation cancel`"));
        }
        Ok(())
    }

    fn leave(&mut self, now: Timestamp) {
        self.record.desired.generation += 1;
        self.record.desired.absent = true;
        self.record.removal_deadline = Some(now + self.deadlines.removal);
        self.record.swept = false;
        self.forget_all_failures();
    }

    fn supersede_cluster_operations(&mut self, asked: Asked) {
        let operations = self.running_operations();
        let others = operations.filter(|operation| matches!(operation.target, Target::Cluster { .. }));
        let others: Vec<OperationId> = others.map(|operation| operation.info.id).collect();
        self.supersede(&others, asked);
    }

    fn supersede_service_operations(&mut self, name: &Name, asked: Asked) {
        let operations = self.running_operations();
        let others = operations.filter(|operation| operation.info.services.contains(name));
        let others: Vec<OperationId> = others.map(|operation| operation.info.id).collect();
        self.supersede(&others, asked);
    }

    fn supersede(&mut self, operations: &[OperationId], asked: Asked) {
        for id in operations {
            let failure = crate::failure::Failure::not_applied(
                ErrorCode::Superseded,
                format!("operation {} took its place", asked.operation),
            );
            let mut cause = failure.into_cause("supersede".to_owned(), asked.at);
            cause.retry = Retry::Never;
            self.end_operation(*id, OperationPhase::Superseded, Some(cause), asked.at);
        }
    }

    /// Failed calls may be made again at once.
    pub(super) fn forget_failure(&mut self, key: &ResourceKey) {
        if let Some(entry) = self.ledger.get_mut(key) {
            retry::clear_failure(entry);
        }
    }

    fn forget_all_failures(&mut self) {
        self.ledger.values_mut().for_each(retry::clear_failure);
        self.sweep_retry = None;
    }

    fn admitted(
        &mut self,
        kind: OperationKind,
        target: Target,
        services: Vec<Name>,
        wait: Duration,
        asked: Asked,
    ) -> OperationInfo {
        self.start_operation(kind, target, services, wait, asked);
        self.tidy();
        self.settle(asked.at);
        let operation = self.operations.get(&asked.operation).map(|operation| operation.info.clone());
        #[expect(
            clippy::expect_used,
            reason = "it was inserted above, and settling ends operations without removing them"
        )]
        operation.expect("the operation was just started")
    }

    fn start_operation(
        &mut self,
        kind: OperationKind,
        target: Target,
        services: Vec<Name>,
        wait: Duration,
        asked: Asked,
    ) {
        let cluster = self.desired().spec.name.clone();
        let service = services.first().cloned();
        let info = OperationInfo {
            id: asked.operation,
            kind,
            cluster_id: self.id(),
            cluster,
            services,
            phase: OperationPhase::Running,
            requested_by: asked.by,
            created_at: asked.at,
            deadline: asked.at + wait,
            ended_at: None,
            steps_done: 0,
            steps_total: 0,
            message: String::new(),
            cause: None,
        };
        self.operations.insert(asked.operation, OperationRecord { info, target });
        self.outbox.push(Announcement {
            kind: EventKind::OperationStarted,
            at: asked.at,
            operation: Some(asked.operation),
            service,
            message: kind.to_string(),
            cause: None,
        });
    }
}
