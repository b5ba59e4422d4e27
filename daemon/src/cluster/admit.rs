//! What a supervisor makes of a change that it is asked for.

use std::collections::BTreeMap;

use muster_engine::desired::take_secrets;
use muster_engine::state::{ClusterState, ServiceChange};
use muster_engine::{validate, words};
use muster_protocol::model::operation::OperationInfo;
use muster_protocol::model::service::ServiceSpec;
use muster_protocol::{Error, ErrorCode, ServiceId};
use muster_store::Batch;

use super::intent::{Intent, Wish};
use super::workshop::Workshop;
use crate::journal::vault::SecretValues;

impl Intent {
    /// Changes the state, or refuses and leaves it to be thrown away. Sealed values go into the batch, for they are not part of the state.
    pub async fn admit(
        self,
        workshop: &Workshop,
        state: &mut ClusterState,
        batch: &mut Batch,
    ) -> Result<OperationInfo, Error> {
        let asked = self.asked;
        let info = match self.wish {
            Wish::Scale { control_planes, workers } => state.admit_scale(control_planes, workers, asked)?,
            Wish::Delete => state.admit_delete(asked)?,
            Wish::Retry => state.admit_retry(asked)?,
            Wish::Upgrade { version } => state.admit_upgrade(version, asked)?,
            Wish::Renew => state.admit_renew(asked)?,
            Wish::CreateServices { specs, template } => {
                let changes = specs.into_iter().map(|spec| new_service(workshop, state, batch, spec, template.clone()));
                let changes: Vec<(ServiceId, ServiceChange)> = changes.collect::<Result<_, _>>()?;
                state.admit_service_create(changes, asked)?
            }
            Wish::UpdateService { spec, expected_generation } => {
                // First of all: a spec that was made of another generation may be wrong for that reason alone.
                state.expect_generation(&spec.name, expected_generation)?;
                let change = changed_service(workshop, state, batch, *spec).await?;
                state.admit_service_update(change, expected_generation, asked)?
            }
            Wish::ScaleService(name, replicas) => state.admit_service_scale(&name, replicas, asked)?,
            Wish::RefreshService(name) => state.admit_service_refresh(&name, asked)?,
            Wish::DeleteService(name) => state.admit_service_delete(&name, asked)?,
            Wish::Cancel(operation) => state.admit_cancel(operation, asked)?,
        };
        if let Some(answer) = self.answer {
            batch.put(&answer.with(info.id)).map_err(|error| not_stored(&error))?;
        }
        if let Some(note) = self.audit {
            note.put(batch, Some(info.id)).map_err(|error| not_stored(&error))?;
        }
        Ok(info)
    }
}

fn new_service(
    workshop: &Workshop,
    state: &ClusterState,
    batch: &mut Batch,
    mut spec: ServiceSpec,
    template: Option<String>,
) -> Result<(ServiceId, ServiceChange), Error> {
    check(workshop, state, &spec)?;
    let values = take_secrets(&mut spec);
    if let Some(secret) = spec.secrets.iter().find(|secret| !values.contains_key(&secret.name)) {
        return Err(Error::invalid("secrets.value", format!("secret `{}` has no value", secret.name)));
    }
    let id = ServiceId::generate();
    let secrets_version = u64::from(!values.is_empty());
    store_secrets(workshop, batch, id, secrets_version, &values)?;
    Ok((id, ServiceChange { spec, secrets_version, template }))
}

/// A secret that is given no value keeps the one it has.
async fn changed_service(
    workshop: &Workshop,
    state: &ClusterState,
    batch: &mut Batch,
    mut spec: ServiceSpec,
) -> Result<ServiceChange, Error> {
    check(workshop, state, &spec)?;
    let service = state.services.get(&spec.name).ok_or_else(|| Error::not_found("service", &spec.name))?;
    let present_version = service.version.secrets_version;
    let kept = workshop.shared.vault.secrets(service.id, present_version).await.map_err(|error| {
        Error::new(ErrorCode::Store, format!("the service's secrets cannot be read: {}", words::chain(&error)))
    })?;
    let given = take_secrets(&mut spec);
    let mut values = BTreeMap::new();
    for secret in &spec.secrets {
        let value = given.get(&secret.name).or_else(|| kept.get(&secret.name)).cloned();
        let value = value.ok_or_else(|| {
            Error::invalid("secrets.value", format!("secret `{}` is new and has no value", secret.name))
        })?;
        values.insert(secret.name.clone(), value);
    }
    let secrets_version = match (values == kept, values.is_empty()) {
        (true, _) => present_version,
        (false, true) => 0,
        // Never a number that was used before: the last good version may still need its own.
        (false, false) => service.generation + 1,
    };
    if secrets_version != present_version {
        store_secrets(workshop, batch, service.id, secrets_version, &values)?;
    }
    Ok(ServiceChange { spec, secrets_version, template: None })
}

fn check(workshop: &Workshop, state: &ClusterState, spec: &ServiceSpec) -> Result<(), Error> {
    validate::service(spec)?;
    workshop.handler.validate(spec)?;
    workshop.handler.validate_on(spec, &state.observed.orchestrator)
}

fn store_secrets(
    workshop: &Workshop,
    batch: &mut Batch,
    service: ServiceId,
    version: u64,
    values: &SecretValues,
) -> Result<(), Error> {
    if version == 0 {
        return Ok(());
    }
    // Those that an update keeps count as well.
    validate::service_secrets(values)?;
    workshop.shared.vault.put_secrets(batch, service, version, values).map_err(|error| not_stored(&error))
}

fn not_stored(error: &muster_store::BatchError) -> Error {
    Error::new(ErrorCode::Store, format!("the change cannot be stored: {}", words::chain(error)))
}
