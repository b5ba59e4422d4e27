//! Removing what a service does not need: all of it when the service goes, objects of earlier versions after a change.

use std::collections::BTreeSet;
use std::fmt::Debug;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, PodSpec, Secret, Service};
use kube::api::ListParams;
use kube::{Api, Client, Resource};
use muster_engine::context::ClusterContext;
use muster_engine::failure::Failure;
use muster_protocol::Name;
use serde::de::DeserializeOwned;

use super::{objects, workloads};
use crate::failures::Answer as _;
use crate::marks::{self, NAMESPACE};

/// Removes everything of a service: its workloads first, so that nothing runs without its files.
pub(crate) async fn remove_everything(cluster: &ClusterContext, client: &Client, name: &Name) -> Result<(), Failure> {
    let selector = marks::selector_of_service(cluster, name);
    for workload in workloads::list(client, &selector).await? {
        workloads::delete(client, &workload).await?;
    }
    let nothing = BTreeSet::new();
    remove_others::<Service>(client, &selector, &nothing).await?;
    remove_others::<Secret>(client, &selector, &nothing).await?;
    remove_others::<ConfigMap>(client, &selector, &nothing).await
}

/// Removes secrets and files of earlier versions that no pod needs any more, and none will.
pub(crate) async fn remove_unused(
    cluster: &ClusterContext,
    client: &Client,
    name: &Name,
    current: &PodSpec,
) -> Result<(), Failure> {
    let selector = marks::selector_of_service(cluster, name);
    let mut used = Used::default();
    used.add(current);
    // A pod that is ending has its files, and starts nothing again.
    for pod in list::<Pod>(client, &selector).await?.into_iter().filter(|pod| pod.metadata.deletion_timestamp.is_none())
    {
        used.add(&pod.spec.unwrap_or_default());
    }
    // A set with copies may have to make one again.
    for set in list::<ReplicaSet>(client, &selector).await? {
        let Some(spec) = set.spec else { continue };
        if spec.replicas.unwrap_or_default() > 0 {
            used.add(&spec.template.and_then(|template| template.spec).unwrap_or_default());
        }
    }
    remove_others::<Secret>(client, &selector, &used.secrets).await?;
    remove_others::<ConfigMap>(client, &selector, &used.files).await
}

/// Removes the Services of these marks that are not among those to keep.
pub(crate) async fn keep_services(
    cluster: &ClusterContext,
    client: &Client,
    name: &Name,
    keep: &BTreeSet<String>,
) -> Result<(), Failure> {
    remove_others::<Service>(client, &marks::selector_of_service(cluster, name), keep).await
}

#[derive(Default)]
struct Used {
    secrets: BTreeSet<String>,
    files: BTreeSet<String>,
}

impl Used {
    fn add(&mut self, pod: &PodSpec) {
        self.secrets.extend(pod.image_pull_secrets.iter().flatten().map(|login| login.name.clone()));
        for volume in pod.volumes.iter().flatten() {
            self.secrets.extend(volume.secret.as_ref().and_then(|secret| secret.secret_name.clone()));
            self.files.extend(volume.config_map.as_ref().map(|files| files.name.clone()));
        }
    }
}

async fn remove_others<K>(client: &Client, selector: &str, keep: &BTreeSet<String>) -> Result<(), Failure>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + Debug + DeserializeOwned,
{
    let api: Api<K> = Api::namespaced(client.clone(), NAMESPACE);
    let what = format!("list the {}", K::plural(&()));
    // Only the metadata: values of secrets have no business here.
    let listed = api.list_metadata(&ListParams::default().labels(selector)).await.reading(&what)?;
    for found in listed.items {
        let name = found.metadata.name.unwrap_or_default();
        if !keep.contains(&name) {
            objects::delete::<K>(client, &name).await?;
        }
    }
    Ok(())
}

async fn list<K>(client: &Client, selector: &str) -> Result<Vec<K>, Failure>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + Debug + DeserializeOwned,
{
    let api: Api<K> = Api::namespaced(client.clone(), NAMESPACE);
    let what = format!("list the {}", K::plural(&()));
    Ok(api.list(&ListParams::default().labels(selector)).await.reading(&what)?.items)
}
