//! Requests about services.

use std::time::Duration;

use muster_protocol::model::cluster::ClusterPhase;
use muster_protocol::model::operation::{OperationInfo, OperationKind};
use muster_protocol::model::service::{ServicePhase, ServiceSpec};
use muster_protocol::{Error, ErrorCode, Name, OperationId, ServiceId, Timestamp};

use super::Requested;
use crate::desired::{ServiceRecord, ServiceVersion};
use crate::ledger::ResourceKey;
use crate::operation::{ServiceTarget, Target};
use crate::state::ClusterState;

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

impl ClusterState {
    /// Creates services, all or none.
    pub fn admit_service_create(
        &mut self,
        changes: Vec<(ServiceId, ServiceChange)>,
        asked: Requested,
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
            let version = ServiceVersion::new(change.spec, change.secrets_version);
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

    /// Replaces what is asked for of a service, if it is of the expected generation or none is expected.
    /// The same again changes nothing and succeeds.
    pub fn admit_service_update(
        &mut self,
        change: ServiceChange,
        expected_generation: Option<u64>,
        asked: Requested,
    ) -> Result<OperationInfo, Error> {
        self.expect_generation(&change.spec.name, expected_generation)?;
        let version = ServiceVersion::new(change.spec, change.secrets_version);
        self.change_service(OperationKind::ServiceUpdate, version, change.template, asked)
    }

    /// Refuses a change that was made of another generation of the service than the present one: it would undo, unseen,
    /// what somebody else changed since.
    pub fn expect_generation(&self, name: &Name, expected: Option<u64>) -> Result<(), Error> {
        let Some(expected) = expected else { return Ok(()) };
        self.refuse_if_leaving()?;
        let present = self.living_service(name)?.generation;
        if present == expected {
            return Ok(());
        }
        let message = format!("service `{name}` is of generation {present} by now, not {expected}: it was changed");
        Err(Error::new(ErrorCode::Conflict, message)
            .with_remedy("read the service again, and make your change of what it is now")
            .with_detail("generation", present))
    }

    /// Changes the number of copies of a service.
    pub fn admit_service_scale(
        &mut self,
        name: &Name,
        replicas: u32,
        asked: Requested,
    ) -> Result<OperationInfo, Error> {
        let mut version = self.living_service(name)?.version.clone();
        version.spec.replicas = replicas;
        crate::validate::service(&version.spec)?;
        self.change_service(OperationKind::ServiceScale, version, None, asked)
    }

    /// Submits a service once more: the orchestrator resolves its image's tag anew. Copies are replaced only if the tag means
    /// another digest by now.
    pub fn admit_service_refresh(&mut self, name: &Name, asked: Requested) -> Result<OperationInfo, Error> {
        self.refuse_if_leaving()?;
        let before = self.living_service(name)?.version.clone();
        self.supersede_service_operations(name, &asked);
        let version = ServiceVersion { digest: None, ..before.clone() };
        self.submit_anew(name, version, asked.at);
        let wait = Duration::from_millis(before.spec.update.deadline_ms);
        Ok(self.admitted_change(OperationKind::ServiceRefresh, name, before, wait, asked))
    }

    /// Removes a service. One that is being removed is not removed twice.
    pub fn admit_service_delete(&mut self, name: &Name, asked: Requested) -> Result<OperationInfo, Error> {
        self.refuse_if_leaving()?;
        let Some(service) = self.services.get(name) else { return Err(Error::not_found("service", name)) };
        let (was_absent, generation, before) = (service.absent, service.generation, service.version.clone());
        let running = self.running_operations().find(|operation| {
            operation.info.kind == OperationKind::ServiceDelete && operation.info.services.contains(name)
        });
        if let (true, Some(operation)) = (was_absent, running) {
            return Ok(operation.info.clone());
        }
        self.supersede_service_operations(name, &asked);
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

    pub(super) fn restore_service(&mut self, target: ServiceTarget, now: Timestamp) {
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
        version: ServiceVersion,
        template: Option<String>,
        asked: Requested,
    ) -> Result<OperationInfo, Error> {
        self.refuse_if_leaving()?;
        let name = version.spec.name.clone();
        let before = self.living_service(&name)?.version.clone();
        if version.spec.mode != before.spec.mode {
            return Err(Error::unsupported("mode", "an update of a service")
                .with_remedy("delete the service and create it with the other mode"));
        }
        self.supersede_service_operations(&name, &asked);
        let wait = Duration::from_millis(version.spec.update.deadline_ms);
        if !version.asks_for_the_same(&before) {
            self.submit_anew(&name, version, asked.at);
        }
        if let Some(service) = self.services.get_mut(&name) {
            service.template = template.or(service.template.take());
        }
        Ok(self.admitted_change(kind, &name, before, wait, asked))
    }

    /// From now on this version is asked for, as a generation of its own.
    fn submit_anew(&mut self, name: &Name, version: ServiceVersion, now: Timestamp) {
        let Some(service) = self.services.get_mut(name) else { return };
        service.version = version;
        service.generation += 1;
        service.updated_at = now;
        service.withdrawn = None;
    }

    /// The operation of a change of one service, which was of another version before.
    fn admitted_change(
        &mut self,
        kind: OperationKind,
        name: &Name,
        before: ServiceVersion,
        wait: Duration,
        asked: Requested,
    ) -> OperationInfo {
        self.forget_failure(&ResourceKey::Service(name.clone()));
        let generation = self.services.get(name).map_or(0, |service| service.generation);
        let target = ServiceTarget { name: name.clone(), generation, before: Some(before) };
        self.admitted(kind, Target::Services(vec![target]), vec![name.clone()], wait, asked)
    }

    fn living_service(&self, name: &Name) -> Result<&ServiceRecord, Error> {
        let service = self.services.get(name).filter(|service| !service.absent);
        service.ok_or_else(|| Error::not_found("service", name))
    }

    fn supersede_service_operations(&mut self, name: &Name, asked: &Requested) {
        let operations = self.running_operations();
        let others = operations.filter(|operation| operation.info.services.contains(name));
        let others: Vec<OperationId> = others.map(|operation| operation.info.id).collect();
        self.supersede(&others, asked);
    }
}
