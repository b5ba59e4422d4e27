//! The login at the registry of a service's image, as kubelets take it.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{LocalObjectReference, Secret};
use muster_engine::context::ClusterContext;
use muster_engine::handler::ServiceOrder;
use muster_engine::login::DOCKER_HUB;
use serde_json::json;

use super::SecretPlan;
use crate::marks;

/// Kubernetes' own name of secrets with logins. Its one key is [`KEY`].
const TYPE: &str = "kubernetes.io/dockerconfigjson";
const KEY: &str = ".dockerconfigjson";
/// What Docker Hub is called in such a file.
const DOCKER_HUB_KEY: &str = "https://index.docker.io/v1/";

/// The object. A new password goes into the one that is there: no copy is replaced for it.
pub(super) fn secret(cluster: &ClusterContext, order: &ServiceOrder) -> Option<SecretPlan> {
    let login = order.login.as_ref()?;
    let registry = if login.registry == DOCKER_HUB { DOCKER_HUB_KEY } else { &login.registry };
    let file = json!({ "auths": { registry: { "username": login.user, "password": login.password.expose() } } });
    let object = Secret {
        metadata: marks::metadata(cluster, order, &name(order)),
        type_: Some(TYPE.to_owned()),
        data: Some(BTreeMap::from([(KEY.to_owned(), ByteString(file.to_string().into_bytes()))])),
        ..Default::default()
    };
    Some(SecretPlan { object, missing: Vec::new() })
}

/// How the pods of the service name it.
pub(super) fn references(order: &ServiceOrder) -> Option<Vec<LocalObjectReference>> {
    order.login.as_ref().map(|_| vec![LocalObjectReference { name: name(order) }])
}

fn name(order: &ServiceOrder) -> String {
    format!("{}.{}.login", order.spec.name, order.id.short())
}
