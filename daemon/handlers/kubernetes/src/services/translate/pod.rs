//! The template of a service's pods: the part of which a change replaces every copy.

use k8s_openapi::api::core::v1::{PodSpec, PodTemplateSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use muster_engine::context::ClusterContext;
use muster_engine::handler::ServiceOrder;
use muster_protocol::model::service::ServiceMode;

use super::container::list;
use super::{container, files, login, placement, seconds};
use crate::digest::digest;
use crate::marks::{self, IMAGE, TEMPLATE};
use crate::services::findings::Findings;

/// The template, labelled with its own name.
pub(super) fn template(cluster: &ClusterContext, order: &ServiceOrder, findings: &Findings) -> PodTemplateSpec {
    let spec = &order.spec;
    let restarts = match spec.mode {
        ServiceMode::Replicated | ServiceMode::Global => "Always",
        // The Job starts a copy that failed again itself, up to a number of times.
        ServiceMode::Job => "Never",
    };
    let pod = PodSpec {
        containers: vec![container::container(spec, findings)],
        volumes: list(files::volumes(order)),
        image_pull_secrets: login::references(order),
        affinity: placement::affinity(spec, &findings.held),
        tolerations: Some(placement::tolerations(spec.mode)),
        restart_policy: Some(restarts.to_owned()),
        termination_grace_period_seconds: Some(seconds(spec.stop_grace_ms).into()),
        // The pod's own process 1 then reaps what the service's processes leave, and the service's first one is an ordinary one.
        share_process_namespace: spec.init.then_some(true),
        // No variables of other services in the environment, and no way into the API that nobody asked for.
        enable_service_links: Some(false),
        automount_service_account_token: Some(false),
        ..Default::default()
    };
    // Cannot fail: the template consists of texts, numbers, lists and maps with text keys.
    let text = serde_json::to_vec(&pod).unwrap_or_default();
    let mut labels = marks::of_service(cluster, &spec.name);
    labels.insert(TEMPLATE.to_owned(), digest([text.as_slice()]));
    let is_pinned = pod.containers.iter().any(|container| container.image.as_ref() != Some(&spec.image));
    let annotations = is_pinned.then(|| [(IMAGE.to_owned(), spec.image.clone())].into());
    let metadata = ObjectMeta { labels: Some(labels), annotations, ..Default::default() };
    PodTemplateSpec { metadata: Some(metadata), spec: Some(pod) }
}
