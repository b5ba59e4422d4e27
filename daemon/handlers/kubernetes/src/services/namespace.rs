//! The namespace in which all services are.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use muster_engine::failure::Failure;
use muster_protocol::ErrorCode;

use crate::failures::Answer as _;
use crate::marks::{self, FIELD_MANAGER, MANAGED_BY, MUSTER, NAMESPACE};

/// Makes the namespace if it is not there. One of that name that others made is refused.
pub(crate) async fn ensure(client: &Client) -> Result<(), Failure> {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    if let Some(found) = namespaces.get_opt(NAMESPACE).await.reading("read the namespace")? {
        if marks::label(&found.metadata, MANAGED_BY).map(String::as_str) != Some(MUSTER) {
            return Err(foreign());
        }
        if found.metadata.deletion_timestamp.is_some() {
            let message = format!("the namespace `{NAMESPACE}` is being removed");
            return Err(Failure::not_applied(ErrorCode::Conflict, message));
        }
        return Ok(());
    }
    let labels = BTreeMap::from([
        (MANAGED_BY.to_owned(), MUSTER.to_owned()),
        // Services may mount their machines' paths, as far as Muster's own policy lets their users.
        ("pod-security.kubernetes.io/enforce".to_owned(), "privileged".to_owned()),
    ]);
    let mut namespace = Namespace::default();
    namespace.metadata.name = Some(NAMESPACE.to_owned());
    namespace.metadata.labels = Some(labels);
    let params = PatchParams::apply(FIELD_MANAGER).force();
    namespaces.patch(NAMESPACE, &params, &Patch::Apply(&namespace)).await.writing("make the namespace")?;
    Ok(())
}

fn foreign() -> Failure {
    let message = format!("the cluster has a namespace `{NAMESPACE}` already, which Muster did not make");
    Failure::not_applied(ErrorCode::Conflict, message).permanent().with_remedy(format!(
        "if it may be used, label it: `kubectl label namespace {NAMESPACE} {MANAGED_BY}={MUSTER}`"
    ))
}
