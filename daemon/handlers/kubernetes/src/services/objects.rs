//! Applying and removing single objects. Only what is ours is ever changed.

use std::fmt::Debug;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::{Secret, Service};
use kube::api::{DeleteParams, Patch, PatchParams};
use kube::{Api, Client, Resource, ResourceExt as _};
use muster_engine::context::ClusterContext;
use muster_engine::failure::Failure;
use muster_protocol::{ErrorCode, Name};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::translate::SecretPlan;
use crate::failures::{Answer as _, is_missing};
use crate::marks::{self, FIELD_MANAGER, NAMESPACE};

/// Submits an object by server-side apply: our fields become as they are here, those of others stay.
pub(crate) async fn apply<K>(client: &Client, object: &K) -> Result<K, Failure>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + Debug + Serialize + DeserializeOwned,
{
    let api: Api<K> = Api::namespaced(client.clone(), NAMESPACE);
    let what = format!("submit the {} `{}`", K::kind(&()), object.name_any());
    api.patch(&object.name_any(), &PatchParams::apply(FIELD_MANAGER).force(), &Patch::Apply(object))
        .await
        .writing(&what)
}

/// Refuses an object whose name somebody else has taken. Returns the object that is there and ours.
pub(crate) async fn ours<K>(
    cluster: &ClusterContext,
    client: &Client,
    service: &Name,
    object: &K,
) -> Result<Option<K>, Failure>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + Debug + DeserializeOwned,
{
    let (kind, name) = (K::kind(&()), object.name_any());
    let api: Api<K> = Api::namespaced(client.clone(), NAMESPACE);
    let Some(found) = api.get_opt(&name).await.reading(&format!("read the {kind} `{name}`"))? else { return Ok(None) };
    if marks::are_of(cluster, service, found.meta()) {
        return Ok(Some(found));
    }
    let message = format!("the cluster has a {kind} `{name}` already, which Muster did not make for this service");
    let command = format!("kubectl -n {NAMESPACE} delete {} {name}", kind.to_lowercase());
    Err(Failure::not_applied(ErrorCode::Conflict, message)
        .permanent()
        .with_remedy(format!("choose another name, or remove it with `{command}`")))
}

/// Submits a Service. Kubernetes cannot give one an address that had none, nor take it away, so it is made anew then.
pub(crate) async fn apply_service(client: &Client, present: Option<Service>, wanted: &Service) -> Result<(), Failure> {
    let has_address =
        |service: &Service| service.spec.as_ref().and_then(|spec| spec.cluster_ip.as_deref()) != Some("None");
    if present.as_ref().is_some_and(|present| has_address(present) != has_address(wanted)) {
        delete::<Service>(client, &wanted.name_any()).await?;
    }
    apply(client, wanted).await.map(drop)
}

/// Submits the secrets. If values are left out, the object of this version has to have them already.
pub(crate) async fn apply_secrets(client: &Client, plan: &SecretPlan) -> Result<(), Failure> {
    if plan.missing.is_empty() {
        return apply(client, &plan.object).await.map(drop);
    }
    let api: Api<Secret> = Api::namespaced(client.clone(), NAMESPACE);
    let present = api.get_opt(&plan.object.name_any()).await.reading("read the secrets")?;
    let known = present.and_then(|secret| secret.data).unwrap_or_default();
    match plan.missing.iter().find(|name| !known.contains_key(name.as_str())) {
        None => Ok(()),
        Some(lost) => {
            let message = format!("the value of the secret `{lost}` is lost");
            Err(Failure::not_applied(ErrorCode::InvalidArgument, message)
                .permanent()
                .with_remedy("give it a value again with `muster service update`"))
        }
    }
}

/// Removes an object, if it is there.
pub(crate) async fn delete<K>(client: &Client, name: &str) -> Result<(), Failure>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + Debug + DeserializeOwned,
{
    let api: Api<K> = Api::namespaced(client.clone(), NAMESPACE);
    let what = format!("remove the {} `{name}`", K::kind(&()));
    match api.delete(name, &DeleteParams::background()).await {
        Err(error) if is_missing(&error) => Ok(()),
        answer => answer.writing(&what).map(drop),
    }
}
