//! Submitting, finding and removing services.

use bollard::auth::DockerCredentials;
use bollard::models::{Platform, Service, ServiceSpec};
use bollard::query_parameters::{ListServicesOptions, UpdateServiceOptions};
use muster_engine::context::{ClusterContext, mark};
use muster_engine::failure::Failure;
use muster_engine::handler::ServiceOrder;
use muster_engine::ledger::{Facts, Present};
use muster_protocol::model::service::ServiceMode;
use muster_protocol::{ErrorCode, Name};

use super::digest::Resolved;
use super::objects::Specs;
use super::translate::{self, KnownImage, References};
use super::{digest, images, network, objects, volumes};
use crate::connect::Engine;
use crate::failures::{Answer as _, is_missing, is_out_of_sequence, is_taken};
use crate::marks::{self, Labels, REFUSED_IMAGE, SECRETS_VERSION, SERVICE, TEMPLATE, UNANSWERED_IMAGE};

/// How often a change is tried that others were faster than.
const ATTEMPTS: u32 = 8;

/// Creates the service, or changes it to this generation by compare-and-swap.
pub(crate) async fn deploy(
    cluster: &ClusterContext,
    manager: &Engine,
    order: &ServiceOrder,
) -> Result<Present, Failure> {
    // What is refused for what is there, is refused before anything is made.
    changeable(cluster, manager, order).await?;
    let network = network::ensure(cluster, manager).await?;
    // Whatever fails from here on, secrets and files may have been made: looking the service up takes care of them.
    submit(cluster, manager, order, network).await.map_err(Failure::in_doubt)
}

async fn submit(
    cluster: &ClusterContext,
    manager: &Engine,
    order: &ServiceOrder,
    network: String,
) -> Result<Present, Failure> {
    let name = &order.spec.name;
    let mut digest = order.digest.clone();
    for _ in 0..ATTEMPTS {
        let existing = changeable(cluster, manager, order).await?;
        // Submitting a job again would run it again.
        if let Some(service) = existing.as_ref().filter(|service| is_submitted(service, order)) {
            return Ok(present(service));
        }
        let mut references = References {
            network: network.clone(),
            secrets: objects::ensure_secrets(cluster, manager, order).await?,
            files: objects::ensure_configs(cluster, manager, order).await?,
            volumes: volumes::holding(manager, order, existing.as_ref()).await?,
            digest: digest.clone(),
            ..References::default()
        };
        let spec = translate::service(cluster, order, &references);
        let kept = existing.as_ref().filter(|service| keeps_copies(service, &spec) && !order.asks_anew());
        match kept {
            // Copies that stay go on with what they run: a tag is no reason to replace them.
            Some(service) => references.image = known_of(service),
            None if digest.is_some() => {}
            None => match digest::resolve(manager, order).await {
                Resolved::Known(resolved, platforms) => {
                    digest = resolved;
                    references.image.platforms = platforms;
                }
                Resolved::Refused(why) | Resolved::Unknown(why) if order.asks_anew() => {
                    return Err(order.not_refreshed(&why));
                }
                Resolved::Refused(words) => references.image.refused = Some(words),
                Resolved::Unknown(why) => references.image.unanswered = Some(why),
            },
        }
        references.digest.clone_from(&digest);
        let spec = translate::service(cluster, order, &references);
        if let Some(image) = image_of(&spec) {
            images::note(cluster, manager, image).await?;
        }
        let (outcome, id) = match &existing {
            None => match manager.api().create_service(spec, credentials(order)).await {
                Ok(created) => (Ok(()), created.id.unwrap_or_default()),
                Err(error) => (Err(error), String::new()),
            },
            Some(service) => {
                let id = service.id.clone().unwrap_or_default();
                let options = UpdateServiceOptions { version: version(service), ..Default::default() };
                (manager.api().update_service(&id, spec, options, credentials(order)).await.map(drop), id)
            }
        };
        match outcome {
            // Somebody was faster, perhaps an earlier call of our own: look again.
            Err(error) if is_out_of_sequence(&error) || existing.is_none() && is_taken(&error) => {}
            Ok(()) => {
                tidy(manager, name, objects::read_specs(manager, &id).await, cluster).await;
                return Ok(Present { id, facts: Facts::Service { generation: order.generation } });
            }
            refused => refused.writing("submit the service")?,
        }
    }
    Err(Failure::not_applied(ErrorCode::Conflict, format!("somebody else keeps changing the service `{name}`")))
}

/// The login with which the machines pull the image. The swarm keeps it with the service, encrypted in its raft log.
pub(super) fn credentials(order: &ServiceOrder) -> Option<DockerCredentials> {
    let login = order.login.as_ref()?;
    Some(DockerCredentials {
        username: Some(login.user.clone()),
        password: Some(login.password.expose().to_owned()),
        serveraddress: Some(login.registry.clone()),
        ..Default::default()
    })
}

fn image_of(spec: &ServiceSpec) -> Option<&str> {
    spec.task_template.as_ref()?.container_spec.as_ref()?.image.as_deref()
}

/// Whether the swarm would replace no copy of the service for this spec.
fn keeps_copies(service: &Service, spec: &ServiceSpec) -> bool {
    let template = |spec: &ServiceSpec| {
        let container = spec.task_template.as_ref()?.container_spec.as_ref()?;
        container.labels.as_ref()?.get(TEMPLATE).cloned()
    };
    let present = service.spec.as_ref().and_then(template);
    present.is_some() && present == template(spec)
}

/// What was learnt of the service's image when it was submitted.
fn known_of(service: &Service) -> KnownImage {
    KnownImage {
        platforms: platforms(service).to_vec(),
        refused: refused_image(service).cloned(),
        unanswered: unanswered_image(service).cloned(),
    }
}

/// Where the service's image runs; empty if that is not known.
pub(crate) fn platforms(service: &Service) -> &[Platform] {
    let task = service.spec.as_ref().and_then(|spec| spec.task_template.as_ref());
    let placement = task.and_then(|task| task.placement.as_ref());
    placement.and_then(|placement| placement.platforms.as_deref()).unwrap_or_default()
}

/// Why the registry of the service's image has refused it, if it has.
pub(crate) fn refused_image(service: &Service) -> Option<&String> {
    service.spec.as_ref()?.labels.as_ref()?.get(REFUSED_IMAGE)
}

/// Why nothing is known of the service's image, if its registry was asked in vain.
pub(crate) fn unanswered_image(service: &Service) -> Option<&String> {
    service.spec.as_ref()?.labels.as_ref()?.get(UNANSWERED_IMAGE)
}

/// The service that the order would change; none if it would make a new one. Refuses what cannot be changed to it.
async fn changeable(
    cluster: &ClusterContext,
    manager: &Engine,
    order: &ServiceOrder,
) -> Result<Option<Service>, Failure> {
    let name = &order.spec.name;
    let Some(service) = find(manager, name).await? else { return Ok(None) };
    if !is_ours(cluster, &service) {
        return Err(foreign(name));
    }
    if !has_mode(&service, order.spec.mode) {
        return Err(other_mode(name));
    }
    Ok(Some(service))
}

/// The service, if it is there and ours.
pub(crate) async fn find_ours(
    cluster: &ClusterContext,
    manager: &Engine,
    name: &Name,
) -> Result<Option<Service>, Failure> {
    Ok(find(manager, name).await?.filter(|service| is_ours(cluster, service)))
}

/// The service as it was last submitted. "Not there" has to be true of its secrets and files too, so what was made for
/// one that did not come to be is removed first.
pub(crate) async fn look_up_service(
    cluster: &ClusterContext,
    manager: &Engine,
    name: &Name,
) -> Result<Option<Present>, Failure> {
    let found = find_ours(cluster, manager, name).await?;
    if found.is_none() {
        objects::remove_unused(cluster, manager, name, &Specs::default()).await?;
    }
    Ok(found.as_ref().map(present))
}

/// Removes the service, then its secrets and configuration files. Somebody else's service of that name stays.
pub(crate) async fn remove_service(cluster: &ClusterContext, manager: &Engine, name: &Name) -> Result<(), Failure> {
    if let Some(service) = find_ours(cluster, manager, name).await? {
        match manager.api().delete_service(service.id.as_deref().unwrap_or_default()).await {
            Err(error) if is_missing(&error) => {}
            answer => answer.writing("remove the service")?,
        }
    }
    objects::remove_unused(cluster, manager, name, &Specs::default()).await
}

/// For which generation a service of ours was last submitted.
pub(crate) fn generation(service: &Service) -> u64 {
    number(service, mark::GENERATION).unwrap_or(0)
}

/// The service's labels.
pub(crate) fn labels(service: &Service) -> Option<&Labels> {
    service.spec.as_ref()?.labels.as_ref()
}

fn number(service: &Service, label: &str) -> Option<u64> {
    labels(service)?.get(label)?.parse().ok()
}

fn is_ours(cluster: &ClusterContext, service: &Service) -> bool {
    marks::are_ours(cluster, labels(service))
}

fn is_submitted(service: &Service, order: &ServiceOrder) -> bool {
    // Those of earlier releases do not say it.
    let id = labels(service).and_then(|labels| labels.get(SERVICE));
    id.is_none_or(|id| *id == order.id.to_string())
        && number(service, mark::GENERATION) == Some(order.generation)
        && number(service, SECRETS_VERSION) == Some(order.secrets_version)
}

fn has_mode(service: &Service, wanted: ServiceMode) -> bool {
    let mode = service.spec.as_ref().and_then(|spec| spec.mode.as_ref());
    mode.is_none_or(|mode| match wanted {
        ServiceMode::Replicated => mode.replicated.is_some(),
        ServiceMode::Global => mode.global.is_some(),
        ServiceMode::Job => mode.replicated_job.is_some(),
    })
}

fn present(service: &Service) -> Present {
    Present { id: service.id.clone().unwrap_or_default(), facts: Facts::Service { generation: generation(service) } }
}

fn version(service: &Service) -> i32 {
    let index = service.version.as_ref().and_then(|version| version.index).unwrap_or_default();
    i32::try_from(index).unwrap_or(i32::MAX)
}

/// By listing, because reading by name would also take the beginning of an id for one.
async fn find(manager: &Engine, name: &Name) -> Result<Option<Service>, Failure> {
    let filters = Some([("name".to_owned(), vec![name.to_string()])].into());
    let options = ListServicesOptions { filters, status: None };
    let listed = manager.api().list_services(Some(options)).await.reading("list the services")?;
    let is_it = |service: &Service| service.spec.as_ref().and_then(|spec| spec.name.as_deref()) == Some(name.as_str());
    Ok(listed.into_iter().find(is_it))
}

/// The answer stands, whatever comes of this: what stays goes with the next change, or with the service.
async fn tidy(manager: &Engine, name: &Name, specs: Result<Specs, Failure>, cluster: &ClusterContext) {
    let tidied = match specs {
        Ok(specs) => objects::remove_unused(cluster, manager, name, &specs).await,
        Err(failure) => Err(failure),
    };
    if let Err(failure) = tidied {
        tracing::warn!(service = %name, %failure, "secrets or files of earlier versions stay in the swarm for now");
    }
}

fn other_mode(name: &Name) -> Failure {
    Failure::not_applied(
        ErrorCode::Unsupported,
        format!("Docker Swarm cannot change the `mode` of the service `{name}`"),
    )
    .permanent()
    .with_remedy("delete the service and create it again")
}

fn foreign(name: &Name) -> Failure {
    let message = format!("the swarm has a service `{name}` already, which Muster did not make");
    Failure::not_applied(ErrorCode::Conflict, message)
        .permanent()
        .with_remedy(format!("choose another name, or remove it with `docker service rm {name}`"))
}

#[cfg(test)]
mod tests;
