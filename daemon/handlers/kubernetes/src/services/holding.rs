//! Holds services where their volumes are: what is due is written to nodes and workloads.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::api::{ListParams, Patch, PatchParams};
use kube::{Api, Client, Resource};
use muster_engine::failure::Failure;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::volumes::{self, Due, LabelChanges};
use super::workloads::Kind;
use crate::failures::{Answer as _, is_missing};
use crate::handler::KubernetesHandler;
use crate::marks::{FIELD_MANAGER, NAMESPACE, PLACED_VOLUMES};
use crate::watches::Watches;

/// How long changes that come together are waited for, before what is due is looked at.
const PAUSE: Duration = Duration::from_millis(200);
/// How often it is looked at although nothing has changed: what could not be written is tried again.
const INTERVAL: Duration = Duration::from_secs(5);

/// What an order finds of the volumes at which its service is to be held.
#[derive(Default)]
pub(super) struct Plan {
    /// The volumes with a place.
    pub(super) placed: BTreeSet<String>,
    /// What nodes have to be labelled with before the service is submitted.
    pub(super) labels: LabelChanges,
}

/// Looks where these volumes are. Those of copies that run are where they run, whatever was noted of them; `placed_before`
/// are those of which it was noted that they have a place.
pub(super) async fn plan(
    client: &Client,
    service: &str,
    wanted: &BTreeSet<String>,
    placed_before: &BTreeSet<String>,
) -> Result<Plan, Failure> {
    let mut plan = Plan::default();
    if wanted.is_empty() {
        return Ok(plan);
    }
    let pods: Api<Pod> = Api::namespaced(client.clone(), NAMESPACE);
    let pods = pods.list(&ListParams::default().labels(service)).await.reading("list the pods")?;
    let pods: Vec<Arc<Pod>> = pods.items.into_iter().map(Arc::new).collect();
    let nodes: Api<Node> = Api::all(client.clone());
    let nodes = nodes.list(&ListParams::default()).await.reading("list the nodes")?;
    let nodes: Vec<Arc<Node>> = nodes.items.into_iter().map(Arc::new).collect();
    for volume in wanted {
        let homes = volumes::homes(volume, &pods);
        if !homes.is_empty() || placed_before.contains(volume) || volumes::is_somewhere(volume, &nodes) {
            plan.placed.insert(volume.clone());
        } else {
            plan.labels.may_get(&nodes, volume);
        }
        for node in homes {
            plan.labels.has(node, volume);
        }
    }
    Ok(plan)
}

/// Labels the nodes.
pub(super) async fn label(client: &Client, changes: &LabelChanges) -> Result<(), Failure> {
    let nodes: Api<Node> = Api::all(client.clone());
    for (node, labels) in &changes.0 {
        let change = Patch::Merge(json!({ "metadata": { "labels": labels } }));
        match nodes.patch_metadata(node, &by_us(), &change).await {
            // It is gone, and its volumes with it.
            Err(error) if is_missing(&error) => {}
            answer => answer.writing("label a node with its volumes").map(drop)?,
        }
    }
    Ok(())
}

async fn note(client: &Client, kind: Kind, name: &str, placed: &BTreeSet<String>) -> Result<(), Failure> {
    match kind {
        Kind::Deployment => note_on::<Deployment>(client, name, placed).await,
        Kind::Job => note_on::<Job>(client, name, placed).await,
        // It has a copy on every node, and is held nowhere.
        Kind::DaemonSet => Ok(()),
    }
}

async fn note_on<K>(client: &Client, name: &str, placed: &BTreeSet<String>) -> Result<(), Failure>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + Debug + DeserializeOwned,
{
    let api: Api<K> = Api::namespaced(client.clone(), NAMESPACE);
    let change = Patch::Merge(json!({ "metadata": { "annotations": { PLACED_VOLUMES: volumes::note(placed) } } }));
    match api.patch_metadata(name, &by_us(), &change).await {
        Err(error) if is_missing(&error) => Ok(()),
        answer => answer.writing("note where volumes are").map(drop),
    }
}

fn by_us() -> PatchParams {
    PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..Default::default() }
}

/// Writes what is due for as long as the cluster is supervised. It goes by what the watches have seen, so a cluster in which
/// nothing happens is asked nothing. That the API does not answer is told by those who observe it.
pub(crate) async fn keep_holding(handler: &KubernetesHandler) -> Failure {
    let mut last: Option<(Arc<Watches>, tokio::sync::watch::Receiver<u64>)> = None;
    loop {
        let Some(watches) = handler.present_watches().await else {
            last = None;
            tokio::time::sleep(INTERVAL).await;
            continue;
        };
        let known = last.take().filter(|(known, _)| Arc::ptr_eq(known, &watches));
        let mut ticks = match known {
            Some((_, ticks)) => ticks,
            None => watches.ticks(),
        };
        if let Err(failure) = hold_all(&watches).await {
            tracing::debug!(cluster = %handler.cluster.name(), %failure, "services are not held at their volumes for now");
        }
        // That nothing has changed is no reason to end, nor that the watches have: then there are others.
        let _ = tokio::time::timeout(INTERVAL, ticks.changed()).await;
        tokio::time::sleep(PAUSE).await;
        last = Some((watches, ticks));
    }
}

async fn hold_all(watches: &Watches) -> Result<(), Failure> {
    let due = Due::of(&watches.seen().await?);
    if due.is_nothing() {
        return Ok(());
    }
    let client = watches.client();
    // In this order: what is noted to have a place has one on a node.
    label(client, &due.homes).await?;
    for (kind, workload, placed) in &due.notes {
        note(client, *kind, workload, placed).await?;
    }
    label(client, &due.open).await
}
