//! Submitting, finding and removing services.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::PodSpec;
use kube::{Client, ResourceExt as _};
use muster_engine::context::ClusterContext;
use muster_engine::failure::Failure;
use muster_engine::handler::ServiceOrder;
use muster_engine::ledger::{Facts, Present};
use muster_protocol::Name;
use muster_protocol::model::service::{MountKind, ServiceMode};

use super::findings::Findings;
use super::holding::{self, Plan};
use super::host_ports::{self, HostPorts};
use super::translate::{self, Objects, Workload};
use super::workloads::{self, FoundWorkload, Kind};
use super::{namespace, objects, tidy, volumes};
use crate::marks::{self, SECRETS_VERSION, UNANSWERED_IMAGE};
use crate::registry::{self, Registries};

/// Creates the service, or changes it to this generation.
pub(crate) async fn deploy(
    cluster: &ClusterContext,
    client: &Client,
    registries: &dyn Registries,
    order: &ServiceOrder,
) -> Result<Present, Failure> {
    namespace::ensure(client).await?;
    let found = workloads::list(client, &marks::selector_of_service(cluster, &order.spec.name)).await?;
    // Submitting a job again would run it again.
    if let Some(job) = found.iter().find(|one| one.kind == Kind::Job && is_submitted(one, order)) {
        return Ok(present(job));
    }
    let host_ports = choose_host_ports(cluster, client, order, &found).await?;
    let (objects, plan) = match as_it_runs(cluster, order, &found, &host_ports) {
        Some(objects) => (objects, Plan::default()),
        None => {
            let plan = plan_volumes(cluster, client, order, &found).await?;
            let findings = find_out(registries, order, host_ports, &plan).await?;
            (translate::objects(cluster, order, &findings), plan)
        }
    };
    let standing = PresentServices::read(cluster, client, order, &objects).await?;
    holding::label(client, &plan.labels).await?;
    // Whatever fails from here on, some objects may have been made: looking the service up takes care of them.
    submit(cluster, client, order, &objects, standing, &found).await.map_err(Failure::in_doubt)
}

/// The objects with which no copy is replaced, if there are any. Copies that stay go on with what they run and where: a tag
/// is no reason to replace them, nor is a volume. So the image's registry is not asked.
fn as_it_runs(
    cluster: &ClusterContext,
    order: &ServiceOrder,
    found: &[FoundWorkload],
    host_ports: &HostPorts,
) -> Option<Objects> {
    if order.asks_anew() {
        return None;
    }
    let as_this_one = |present: &FoundWorkload| {
        let digest = order.digest.clone().or_else(|| digest_of(present, order));
        let unanswered = marks::annotation(&present.metadata, UNANSWERED_IMAGE).filter(|_| digest.is_none()).cloned();
        let placed = volumes::placed(&present.metadata);
        let held = if placed.is_some() { volumes::to_hold(&order.spec) } else { BTreeSet::new() };
        let placed = placed.map(|placed| placed.intersection(&held).cloned().collect());
        let findings = Findings { host_ports: host_ports.clone(), digest, unanswered, held, placed };
        let objects = translate::objects(cluster, order, &findings);
        (objects.template() == present.template.as_ref()).then_some(objects)
    };
    found.iter().filter(|one| one.kind != Kind::Job).find_map(as_this_one)
}

/// Where the volumes are at which the service is to be held.
async fn plan_volumes(
    cluster: &ClusterContext,
    client: &Client,
    order: &ServiceOrder,
    found: &[FoundWorkload],
) -> Result<Plan, Failure> {
    let placed_before = found.iter().filter_map(|one| volumes::placed(&one.metadata)).flatten().collect();
    let service = marks::selector_of_service(cluster, &order.spec.name);
    holding::plan(client, &service, &volumes::to_hold(&order.spec), &placed_before).await
}

/// Asks the image's registry what its tag means, unless this version of the service was submitted before.
async fn find_out(
    registries: &dyn Registries,
    order: &ServiceOrder,
    host_ports: HostPorts,
    plan: &Plan,
) -> Result<Findings, Failure> {
    let spec = &order.spec;
    let has_volumes = spec.mounts.iter().any(|mount| mount.kind == MountKind::Volume);
    let mut findings = Findings {
        host_ports,
        digest: order.digest.clone(),
        unanswered: None,
        held: volumes::to_hold(spec),
        placed: has_volumes.then(|| plan.placed.clone()),
    };
    if findings.digest.is_none() && registry::digest_in(&spec.image).is_none() {
        match registries.digest(&spec.image, order.login.as_ref()).await {
            Ok(digest) => findings.digest = Some(digest),
            Err(why) if order.refresh => return Err(order.not_refreshed(&why)),
            Err(why) => {
                let (service, image) = (&spec.name, &spec.image);
                tracing::info!(%service, image, cause = %why, "an image's tag is submitted as it is: each machine resolves it for itself");
                findings.unanswered = Some(why);
            }
        }
    }
    Ok(findings)
}

/// The digest that copies run which are there, if it is one of the order's image.
fn digest_of(found: &FoundWorkload, order: &ServiceOrder) -> Option<String> {
    Some(found.image()?.strip_prefix(&order.spec.image)?.strip_prefix('@')?.to_owned())
}

/// The service as it was last submitted. "Not there" has to be true of its files and secrets too, so what was made for
/// one that did not come to be is removed first.
pub(crate) async fn look_up_service(
    cluster: &ClusterContext,
    client: &Client,
    name: &Name,
) -> Result<Option<Present>, Failure> {
    let found = workloads::list(client, &marks::selector_of_service(cluster, name)).await?;
    let newest = found.iter().max_by_key(|one| one.generation());
    if newest.is_none() {
        tidy::remove_everything(cluster, client, name).await?;
    }
    Ok(newest.map(present))
}

/// Removes the service with everything that was made for it. Somebody else's objects stay.
pub(crate) async fn remove_service(cluster: &ClusterContext, client: &Client, name: &Name) -> Result<(), Failure> {
    tidy::remove_everything(cluster, client, name).await
}

/// The Services that are there already.
struct PresentServices {
    inside: Option<k8s_openapi::api::core::v1::Service>,
    outside: Option<k8s_openapi::api::core::v1::Service>,
}

impl PresentServices {
    /// Reads what is there under the names that we need. What others made is refused before anything is changed.
    async fn read(
        cluster: &ClusterContext,
        client: &Client,
        order: &ServiceOrder,
        objects: &Objects,
    ) -> Result<Self, Failure> {
        let name = &order.spec.name;
        match &objects.workload {
            Workload::Deployment(one) => objects::ours(cluster, client, name, &**one).await.map(drop)?,
            Workload::DaemonSet(one) => objects::ours(cluster, client, name, &**one).await.map(drop)?,
            Workload::Job(one) => objects::ours(cluster, client, name, &**one).await.map(drop)?,
        }
        let inside = objects::ours(cluster, client, name, &objects.inside).await?;
        let outside = match &objects.outside {
            Some(wanted) => objects::ours(cluster, client, name, wanted).await?,
            None => None,
        };
        Ok(Self { inside, outside })
    }
}

async fn submit(
    cluster: &ClusterContext,
    client: &Client,
    order: &ServiceOrder,
    objects: &Objects,
    standing: PresentServices,
    found: &[FoundWorkload],
) -> Result<Present, Failure> {
    if let Some(files) = &objects.files {
        objects::apply(client, files).await?;
    }
    for secrets in objects.secrets.iter().chain(&objects.login) {
        objects::apply_secrets(client, secrets).await?;
    }
    objects::apply_service(client, standing.inside, &objects.inside).await?;
    if let Some(outside) = &objects.outside {
        objects::apply_service(client, standing.outside, outside).await?;
    }
    // A workload of another mode, and a job's earlier run, make room first.
    let (kind, workload_name) = match &objects.workload {
        Workload::Deployment(one) => (Kind::Deployment, one.name_any()),
        Workload::DaemonSet(one) => (Kind::DaemonSet, one.name_any()),
        Workload::Job(one) => (Kind::Job, one.name_any()),
    };
    for other in found.iter().filter(|one| (one.kind, one.name()) != (kind, workload_name.as_str())) {
        workloads::delete(client, other).await?;
    }
    let (uid, pod) = match &objects.workload {
        Workload::Deployment(one) => {
            let pod = one.spec.as_ref().and_then(|spec| spec.template.spec.clone());
            (objects::apply(client, &**one).await?.metadata.uid, pod)
        }
        Workload::DaemonSet(one) => {
            let pod = one.spec.as_ref().and_then(|spec| spec.template.spec.clone());
            (objects::apply(client, &**one).await?.metadata.uid, pod)
        }
        Workload::Job(one) => {
            let pod = one.spec.as_ref().and_then(|spec| spec.template.spec.clone());
            (objects::apply(client, &**one).await?.metadata.uid, pod)
        }
    };
    if !found.is_empty() {
        clean_up(cluster, client, order, objects, &pod.unwrap_or_default()).await;
    }
    Ok(Present { id: uid.unwrap_or_default(), facts: Facts::Service { generation: order.generation } })
}

/// The answer stands, whatever comes of this: what stays goes with the next change, or with the service.
async fn clean_up(
    cluster: &ClusterContext,
    client: &Client,
    order: &ServiceOrder,
    objects: &Objects,
    current: &PodSpec,
) {
    let services = [Some(&objects.inside), objects.outside.as_ref()];
    let keep: BTreeSet<String> = services.into_iter().flatten().map(|service| service.name_any()).collect();
    let name = &order.spec.name;
    let cleaned = async {
        tidy::keep_services(cluster, client, name, &keep).await?;
        tidy::remove_unused(cluster, client, name, current).await
    };
    if let Err(failure) = cleaned.await {
        tracing::warn!(service = %name, %failure, "objects of earlier versions stay in the cluster for now");
    }
}

/// The numbers for ports of the host that the order leaves open.
async fn choose_host_ports(
    cluster: &ClusterContext,
    client: &Client,
    order: &ServiceOrder,
    found: &[FoundWorkload],
) -> Result<HostPorts, Failure> {
    if !host_ports::leaves_open(&order.spec) {
        return Ok(HostPorts::default());
    }
    let all = workloads::list(client, &marks::selector_of_cluster(cluster)).await?;
    let others = all.iter().filter(|one| !found.iter().any(|own| own.uid() == one.uid()));
    let taken = others.filter_map(|one| one.pod.as_ref());
    let taken = taken.flat_map(|pod| HostPorts::in_pod(pod).numbers().collect::<Vec<_>>()).collect();
    let present = found.iter().filter_map(|one| one.pod.as_ref()).next_back().map(HostPorts::in_pod);
    Ok(HostPorts::choose(&order.spec, &present.unwrap_or_default(), &taken))
}

fn is_submitted(found: &FoundWorkload, order: &ServiceOrder) -> bool {
    let version = marks::label(&found.metadata, SECRETS_VERSION).and_then(|text| text.parse().ok());
    order.spec.mode == ServiceMode::Job
        && found.generation() == order.generation
        && version == Some(order.secrets_version)
}

fn present(found: &FoundWorkload) -> Present {
    Present { id: found.uid().to_owned(), facts: Facts::Service { generation: found.generation() } }
}

#[cfg(test)]
mod digest_tests;
#[cfg(test)]
mod tests;
