//! The workloads that a cluster has: Deployments, DaemonSets and Jobs, in one form.

use std::fmt::Debug;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{PodSpec, PodTemplateSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{DeleteParams, ListParams, Preconditions};
use kube::{Api, Client, Resource};
use muster_engine::failure::Failure;
use serde::de::DeserializeOwned;

use crate::failures::{Answer as _, is_missing};
use crate::marks::{self, NAMESPACE, TEMPLATE};

/// Which kind a workload is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Deployment,
    DaemonSet,
    Job,
}

/// A workload, as far as all kinds have it.
#[derive(Clone, Debug)]
pub(crate) struct FoundWorkload {
    pub(crate) kind: Kind,
    pub(crate) metadata: ObjectMeta,
    pub(crate) pod: Option<PodSpec>,
    /// The name of its pods' template.
    pub(crate) template: Option<String>,
}

impl FoundWorkload {
    pub(super) fn new(kind: Kind, metadata: ObjectMeta, template: Option<PodTemplateSpec>) -> Self {
        let PodTemplateSpec { metadata: of_pod, spec } = template.unwrap_or_default();
        let name = of_pod.and_then(|metadata| marks::label(&metadata, TEMPLATE).cloned());
        Self { kind, metadata, pod: spec, template: name }
    }

    /// The image of its pods.
    pub(crate) fn image(&self) -> Option<&str> {
        self.pod.as_ref()?.containers.first()?.image.as_deref()
    }

    pub(crate) fn name(&self) -> &str {
        self.metadata.name.as_deref().unwrap_or_default()
    }

    pub(crate) fn uid(&self) -> &str {
        self.metadata.uid.as_deref().unwrap_or_default()
    }

    pub(crate) fn generation(&self) -> u64 {
        marks::generation(&self.metadata)
    }
}

/// The workloads with these labels that are not being removed.
pub(crate) async fn list(client: &Client, selector: &str) -> Result<Vec<FoundWorkload>, Failure> {
    let (deployments, daemon_sets, jobs) = tokio::try_join!(
        of_kind::<Deployment>(client, selector),
        of_kind::<DaemonSet>(client, selector),
        of_kind::<Job>(client, selector),
    )?;
    let deployments = deployments
        .into_iter()
        .map(|one| FoundWorkload::new(Kind::Deployment, one.metadata, one.spec.map(|spec| spec.template)));
    let daemon_sets = daemon_sets
        .into_iter()
        .map(|one| FoundWorkload::new(Kind::DaemonSet, one.metadata, one.spec.map(|spec| spec.template)));
    let jobs =
        jobs.into_iter().map(|one| FoundWorkload::new(Kind::Job, one.metadata, one.spec.map(|spec| spec.template)));
    let all = deployments.chain(daemon_sets).chain(jobs);
    Ok(all.filter(|one| one.metadata.deletion_timestamp.is_none()).collect())
}

async fn of_kind<K>(client: &Client, selector: &str) -> Result<Vec<K>, Failure>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + Debug + DeserializeOwned,
{
    let api: Api<K> = Api::namespaced(client.clone(), NAMESPACE);
    let what = format!("list the {}", K::plural(&()));
    Ok(api.list(&ListParams::default().labels(selector)).await.reading(&what)?.items)
}

/// Removes exactly this workload; Kubernetes removes its pods after it.
pub(crate) async fn delete(client: &Client, workload: &FoundWorkload) -> Result<(), Failure> {
    let mut params = DeleteParams::background();
    params.preconditions = Some(Preconditions { uid: workload.metadata.uid.clone(), resource_version: None });
    match workload.kind {
        Kind::Deployment => delete_one::<Deployment>(client, workload.name(), &params).await,
        Kind::DaemonSet => delete_one::<DaemonSet>(client, workload.name(), &params).await,
        Kind::Job => delete_one::<Job>(client, workload.name(), &params).await,
    }
}

async fn delete_one<K>(client: &Client, name: &str, params: &DeleteParams) -> Result<(), Failure>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + Debug + DeserializeOwned,
{
    let api: Api<K> = Api::namespaced(client.clone(), NAMESPACE);
    match api.delete(name, params).await {
        Err(error) if is_missing(&error) => Ok(()),
        answer => answer.writing("remove a workload").map(drop),
    }
}
