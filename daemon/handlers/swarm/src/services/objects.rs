//! Secrets and configs. Swarm never changes one: a new value is a new object, and the old one goes
//! when no spec of the service refers to it any more.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bollard::models::{ConfigSpec, SecretSpec, ServiceSpec, TaskSpecContainerSpec};
use bollard::query_parameters::{ListConfigsOptions, ListSecretsOptions};
use muster_engine::context::ClusterContext;
use muster_engine::failure::Failure;
use muster_engine::handler::ServiceOrder;
use muster_engine::ledger::ResourceKey;
use muster_protocol::{ErrorCode, Name};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::translate::Reference;
use crate::connect::Engine;
use crate::failures::{Answer as _, is_missing, is_taken};
use crate::marks::{self, Labels, SECRET, SECRETS_VERSION};

/// The service's secrets in this version, made where they are not there. No other version stands in for one whose values
/// are lost: copies would run with a secret that nobody asked for.
pub(crate) async fn ensure_secrets(
    cluster: &ClusterContext,
    manager: &Engine,
    order: &ServiceOrder,
) -> Result<BTreeMap<Name, Reference>, Failure> {
    let mut references = BTreeMap::new();
    if order.spec.secrets.is_empty() {
        return Ok(references);
    }
    let known = list_secrets(cluster, manager, &order.spec.name).await?;
    for secret in &order.spec.secrets {
        // Twelve digits of the service's id, the name, the version: within the 64 characters that swarm allows.
        let name = format!("{}.{}.{}", order.id.short(), secret.name, order.secrets_version);
        if let Some(found) = known.iter().find(|reference| reference.name == name) {
            references.insert(secret.name.clone(), found.clone());
            continue;
        }
        let value = secret.value.as_ref().ok_or_else(|| missing_value(&secret.name))?;
        let mut labels = marks::of(cluster, &key(&order.spec.name));
        labels.insert(SECRET.to_owned(), secret.name.to_string());
        labels.insert(SECRETS_VERSION.to_owned(), order.secrets_version.to_string());
        let data = Some(STANDARD.encode(value.expose()));
        let spec = SecretSpec { name: Some(name.clone()), labels: Some(labels), data, ..Default::default() };
        let id = match manager.api().create_secret(spec).await {
            Err(error) if is_taken(&error) => return Err(taken(&name)),
            answer => answer.writing("create a secret")?.id,
        };
        references.insert(secret.name.clone(), Reference { id, name });
    }
    Ok(references)
}

/// The service's configuration files, made where they are not there. Named by their content, so that what did not
/// change stays the same object and no copy is replaced for it.
pub(crate) async fn ensure_configs(
    cluster: &ClusterContext,
    manager: &Engine,
    order: &ServiceOrder,
) -> Result<BTreeMap<String, Reference>, Failure> {
    let mut references = BTreeMap::new();
    if order.spec.files.is_empty() {
        return Ok(references);
    }
    let mut known = list_configs(cluster, manager, &order.spec.name).await?;
    for file in &order.spec.files {
        let name = format!("{}.{}", order.id.short(), digest(file.content.bytes()));
        let found = known.iter().find(|reference| reference.name == name).cloned();
        let reference = match found {
            Some(reference) => reference,
            None => {
                let labels = Some(marks::of(cluster, &key(&order.spec.name)));
                let data = Some(STANDARD.encode(file.content.bytes()));
                let spec = ConfigSpec { name: Some(name.clone()), labels, data, ..Default::default() };
                let id = match manager.api().create_config(spec).await {
                    Err(error) if is_taken(&error) => return Err(taken(&name)),
                    answer => answer.writing("create a configuration file")?.id,
                };
                Reference { id, name }
            }
        };
        known.push(reference.clone());
        references.insert(file.path.clone(), reference);
    }
    Ok(references)
}

/// A service's spec and the one before it, which the typed API leaves out.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Specs {
    spec: Option<ServiceSpec>,
    previous_spec: Option<ServiceSpec>,
}

impl Specs {
    /// The images of both.
    pub(super) fn images(&self) -> impl Iterator<Item = &str> {
        let both = [self.spec.as_ref(), self.previous_spec.as_ref()];
        let tasks = both.into_iter().flatten().filter_map(|spec| spec.task_template.as_ref());
        tasks.filter_map(|task| task.container_spec.as_ref()?.image.as_deref())
    }
}

/// Reads both specs of a service.
pub(crate) async fn read_specs(manager: &Engine, service_id: &str) -> Result<Specs, Failure> {
    manager.get(&format!("/services/{service_id}"), "read the service").await
}

/// Removes the service's secrets and configs that neither its spec nor the one before it (whose copies may still
/// run, and to which a change may return) refers to. With no specs, as when the service is gone: all of them.
pub(crate) async fn remove_unused(
    cluster: &ClusterContext,
    manager: &Engine,
    service: &Name,
    specs: &Specs,
) -> Result<(), Failure> {
    let used = used_ids(specs);
    for secret in list_secrets(cluster, manager, service).await? {
        if used.contains(secret.id.as_str()) {
            continue;
        }
        match manager.api().delete_secret(&secret.id).await {
            Err(error) if is_missing(&error) => {}
            answer => answer.writing("remove a secret")?,
        }
    }
    for config in list_configs(cluster, manager, service).await? {
        if used.contains(config.id.as_str()) {
            continue;
        }
        match manager.api().delete_config(&config.id).await {
            Err(error) if is_missing(&error) => {}
            answer => answer.writing("remove a configuration file")?,
        }
    }
    Ok(())
}

fn used_ids(specs: &Specs) -> BTreeSet<&str> {
    let both = [specs.spec.as_ref(), specs.previous_spec.as_ref()];
    let tasks = both.into_iter().flatten().filter_map(|spec| spec.task_template.as_ref());
    tasks.filter_map(|task| task.container_spec.as_ref()).flat_map(ids_in).collect()
}

fn ids_in(container: &TaskSpecContainerSpec) -> impl Iterator<Item = &str> {
    let secrets = container.secrets.iter().flatten().filter_map(|secret| secret.secret_id.as_deref());
    let configs = container.configs.iter().flatten().filter_map(|config| config.config_id.as_deref());
    secrets.chain(configs)
}

async fn list_secrets(cluster: &ClusterContext, manager: &Engine, service: &Name) -> Result<Vec<Reference>, Failure> {
    let filters = Some(marks::filter(cluster, Some(&key(service))));
    let listed = manager.api().list_secrets(Some(ListSecretsOptions { filters })).await.reading("list the secrets")?;
    let ours = listed.into_iter().filter_map(|secret| {
        let spec = secret.spec.filter(|spec| marks::are_ours(cluster, spec.labels.as_ref()))?;
        Some(Reference { id: secret.id?, name: spec.name? })
    });
    Ok(ours.collect())
}

async fn list_configs(cluster: &ClusterContext, manager: &Engine, service: &Name) -> Result<Vec<Reference>, Failure> {
    let filters = Some(marks::filter(cluster, Some(&key(service))));
    let options = ListConfigsOptions { filters };
    let listed = manager.api().list_configs(Some(options)).await.reading("list the configuration files")?;
    let is_ours = |labels: Option<&Labels>| marks::are_ours(cluster, labels);
    let ours = listed.into_iter().filter_map(|config| {
        let spec = config.spec.filter(|spec| is_ours(spec.labels.as_ref()))?;
        Some(Reference { id: config.id?, name: spec.name? })
    });
    Ok(ours.collect())
}

fn key(service: &Name) -> ResourceKey {
    ResourceKey::Service(service.clone())
}

/// A name for a content, of 32 digits.
pub(super) fn digest(content: &[u8]) -> String {
    let hash = Sha256::digest(content);
    hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

fn missing_value(secret: &Name) -> Failure {
    Failure::not_applied(ErrorCode::InvalidArgument, format!("the value of the secret `{secret}` is lost"))
        .permanent()
        .with_remedy("give it a value again with `muster service update`")
}

/// Not ours, or made a moment ago by a call whose answer was lost: the next try sees which.
fn taken(name: &str) -> Failure {
    Failure::not_applied(ErrorCode::Conflict, format!("the swarm has a secret or config `{name}` already"))
}
