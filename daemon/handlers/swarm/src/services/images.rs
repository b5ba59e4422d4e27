//! Images that no service needs any more. Swarm leaves every image on every machine that ever ran it; here they go after a
//! while, as the option `keepImages` says.
//!
//! Only images that our services were given are touched: each is noted in the swarm itself, as a config with our marks,
//! before the service is submitted, and by its digest, which no other user of a machine's engine pulls by chance. The
//! engine itself refuses to remove what a container still has; so the ended copies of services that are gone go first, for
//! Swarm forgets those of jobs where they ran.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bollard::models::ConfigSpec;
use bollard::query_parameters::{
    ListConfigsOptions, ListContainersOptions, ListNodesOptions, RemoveContainerOptions, RemoveImageOptions,
};
use muster_engine::context::ClusterContext;
use muster_engine::failure::Failure;
use muster_engine::member::Member;
use muster_material::images;
use serde::Deserialize;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::objects::{Specs, digest};
use crate::connect::Engine;
use crate::failures::{Answer as _, is_in_use, is_missing, is_taken};
use crate::managers::Managers;
use crate::marks::{self, NOTED_IMAGE, TEMPLATE};

/// Swarm's own label on a copy's container: the id of its service.
const SERVICE_ID: &str = "com.docker.swarm.service.id";

/// How long one machine may take to remove an image.
const LIMIT: Duration = Duration::from_secs(10);
/// Between two rounds while something is to go.
const SHORTEST_INTERVAL: Duration = Duration::from_secs(1);
const LONGEST_INTERVAL: Duration = Duration::from_secs(60);

/// Notes in the swarm that a service is given this image, if that is one by digest.
pub(super) async fn note(cluster: &ClusterContext, manager: &Engine, image: &str) -> Result<(), Failure> {
    let Some(image) = by_digest(image) else { return Ok(()) };
    let mut labels = marks::of_cluster(cluster);
    labels.insert(NOTED_IMAGE.to_owned(), image.clone());
    let name = format!("io.muster.image.{}", digest(image.as_bytes()));
    let data = Some(STANDARD.encode(&image));
    match manager
        .api()
        .create_config(ConfigSpec { name: Some(name), labels: Some(labels), data, ..Default::default() })
        .await
    {
        // Noted by an earlier version, or by another service.
        Err(error) if is_taken(&error) => Ok(()),
        answer => answer.writing("note the service's image").map(drop),
    }
}

/// Removes images for as long as the cluster is supervised. While none is to go, nothing is asked until `changed` tells
/// that a service was submitted or removed.
pub(crate) async fn keep_clean(
    cluster: &ClusterContext,
    managers: &Managers,
    members: watch::Receiver<Vec<Member>>,
    changed: &Notify,
) -> Failure {
    // What cannot be read was refused when the cluster was created.
    let Ok(Some(kept_for)) = images::kept_for(&cluster.spec.options) else { return std::future::pending().await };
    let interval = kept_for.clamp(SHORTEST_INTERVAL, LONGEST_INTERVAL);
    let mut unneeded_since = BTreeMap::new();
    loop {
        tokio::time::sleep(interval).await;
        let members = members.borrow().clone();
        if members.is_empty() {
            continue;
        }
        match clean(cluster, managers, &members, kept_for, &mut unneeded_since).await {
            Ok(Cleaned::All) => changed.notified().await,
            Ok(Cleaned::NotYet) => {}
            Err(failure) => {
                tracing::debug!(cluster = %cluster.name(), %failure, "images are not removed for now");
            }
        }
    }
}

/// Whether everything has gone that is to go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Cleaned {
    /// Every image that was noted is needed.
    All,
    /// Some wait for their time, for their last container, or for a machine.
    NotYet,
}

/// One round.
async fn clean(
    cluster: &ClusterContext,
    managers: &Managers,
    members: &[Member],
    kept_for: Duration,
    unneeded_since: &mut BTreeMap<String, Instant>,
) -> Result<Cleaned, Failure> {
    let manager = managers.find(members).await?.engine;
    let noted = noted(cluster, &manager).await?;
    let services = AllServices::read(&manager).await?;
    unneeded_since.retain(|image, _| noted.contains_key(image) && !services.images.contains(image));
    let unneeded: Vec<_> = noted.iter().filter(|(image, _)| !services.images.contains(*image)).collect();
    if unneeded.is_empty() {
        return Ok(Cleaned::All);
    }
    let nodes = manager.api().list_nodes(None::<ListNodesOptions>).await.reading("list the nodes")?;
    let mut cleaned = Cleaned::All;
    for (image, config) in unneeded {
        let since = *unneeded_since.entry(image.clone()).or_insert_with(Instant::now);
        let is_time = since.elapsed() >= kept_for;
        // A service that was submitted meanwhile may be about to start with it; and a machine that cannot be asked now may
        // still have it.
        let may_go = is_time && !AllServices::read(&manager).await?.images.contains(image);
        if !may_go || !is_gone_everywhere(managers, &manager, members, image).await || nodes.len() > members.len() {
            cleaned = Cleaned::NotYet;
            continue;
        }
        match manager.api().delete_config(config).await {
            Err(error) if is_missing(&error) => {}
            answer => answer.writing("forget an image")?,
        }
        tracing::info!(cluster = %cluster.name(), image, "an image that no service needs is gone from all machines");
    }
    Ok(cleaned)
}

/// The images that services of ours were given, each with the config that notes it.
async fn noted(cluster: &ClusterContext, manager: &Engine) -> Result<BTreeMap<String, String>, Failure> {
    let mut filters = marks::filter(cluster, None);
    filters.entry("label".to_owned()).or_default().push(NOTED_IMAGE.to_owned());
    let options = ListConfigsOptions { filters: Some(filters) };
    let listed = manager.api().list_configs(Some(options)).await.reading("list the images that were noted")?;
    let ours = listed.into_iter().filter_map(|config| {
        let labels = config.spec?.labels.filter(|labels| marks::are_ours(cluster, Some(labels)))?;
        Some((labels.get(NOTED_IMAGE)?.clone(), config.id?))
    });
    Ok(ours.collect())
}

/// The services of the swarm, whoever made them.
struct AllServices {
    ids: BTreeSet<String>,
    /// Their images, and those to which they may return.
    images: BTreeSet<String>,
}

/// A service as far as it matters here.
#[derive(Deserialize)]
struct OneService {
    #[serde(rename = "ID")]
    id: String,
    #[serde(flatten)]
    specs: Specs,
}

impl AllServices {
    async fn read(manager: &Engine) -> Result<Self, Failure> {
        let services: Vec<OneService> = manager.get("/services", "list the services").await?;
        let images = services.iter().flat_map(|service| service.specs.images()).filter_map(by_digest).collect();
        Ok(Self { images, ids: services.into_iter().map(|service| service.id).collect() })
    }
}

/// Removes an image from every machine; whether no machine has it now.
async fn is_gone_everywhere(managers: &Managers, manager: &Engine, members: &[Member], image: &str) -> bool {
    let mut is_gone = true;
    for member in members {
        let removal = async {
            let engine = managers.engine(member)?;
            remove_ended_copies(&engine, manager).await?;
            let options = RemoveImageOptions { force: false, ..Default::default() };
            match engine.api().remove_image(image, Some(options), None).await {
                Err(error) if is_missing(&error) => Ok(true),
                Err(error) if is_in_use(&error) => Ok(false),
                answer => answer.writing("remove an image").map(|_| true),
            }
        };
        // A machine that does not answer is asked in the next round.
        is_gone &= matches!(tokio::time::timeout(LIMIT, removal).await, Ok(Ok::<_, Failure>(true)));
    }
    is_gone
}

/// Removes the containers on a machine that were copies of services of ours, have ended, and whose service is gone.
async fn remove_ended_copies(engine: &Engine, manager: &Engine) -> Result<(), Failure> {
    let filters = HashMap::from([
        ("label".to_owned(), vec![TEMPLATE.to_owned()]),
        ("status".to_owned(), ["exited", "dead"].map(str::to_owned).to_vec()),
    ]);
    let options = ListContainersOptions { all: true, filters: Some(filters), ..Default::default() };
    let ended = engine.api().list_containers(Some(options)).await.reading("list the containers that have ended")?;
    if ended.is_empty() {
        return Ok(());
    }
    // Read behind the containers: what is not there now was there before them, and is gone.
    let services = AllServices::read(manager).await?;
    for container in ended {
        let service = container.labels.as_ref().and_then(|labels| labels.get(SERVICE_ID));
        let (Some(id), Some(service)) = (&container.id, service) else { continue };
        if services.ids.contains(service) {
            continue;
        }
        // Its volumes without a name go with it, as with any copy that Swarm itself removes.
        let options = RemoveContainerOptions { v: true, ..Default::default() };
        match engine.api().remove_container(id, Some(options)).await {
            Err(error) if is_missing(&error) || is_in_use(&error) => {}
            answer => answer.writing("remove a container that has ended")?,
        }
    }
    Ok(())
}

/// The image's name and digest without its tag, as an engine keeps what it has pulled by digest.
fn by_digest(image: &str) -> Option<String> {
    let (name, digest) = image.split_once('@')?;
    let untagged = match name.rsplit_once(':') {
        // What has a slash behind its colon is a registry's port.
        Some((untagged, tag)) if !tag.contains('/') => untagged,
        Some(_) | None => name,
    };
    Some(format!("{untagged}@{digest}"))
}

#[cfg(test)]
mod tests;
