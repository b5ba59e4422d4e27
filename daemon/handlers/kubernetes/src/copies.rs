//! Finding a copy of a service to talk to.

use std::sync::Arc;

use k8s_openapi::api::core::v1::Pod;
use muster_engine::failure::Failure;
use muster_protocol::{ErrorCode, Name};

use crate::access::Clients;
use crate::handler::KubernetesHandler;
use crate::marks;

/// The name of the copy that is named, by name or id; else of one that is ready, else of one that runs.
pub(crate) async fn choose(
    handler: &KubernetesHandler,
    clients: &Arc<Clients>,
    service: &Name,
    named: Option<&str>,
) -> Result<String, Failure> {
    let seen = handler.seen(clients).await?;
    let own = seen.pods.iter().filter(|pod| marks::are_of(&handler.cluster, service, &pod.metadata));
    let own: Vec<&Arc<Pod>> = own.collect();
    let chosen = match named {
        Some(named) => own.iter().find(|pod| is_named(pod, named)).ok_or_else(|| {
            Failure::not_applied(ErrorCode::NotFound, format!("the service `{service}` has no container `{named}`"))
                .permanent()
                .with_remedy("see what there is with `muster container list`")
        })?,
        None => own.iter().filter(|pod| runs(pod)).max_by_key(|pod| is_ready(pod)).ok_or_else(|| {
            Failure::not_applied(ErrorCode::Conflict, format!("no container of the service `{service}` runs"))
                .with_remedy(format!("see why with `muster service info {service}`"))
        })?,
    };
    Ok(chosen.metadata.name.clone().unwrap_or_default())
}

fn is_named(pod: &Pod, named: &str) -> bool {
    pod.metadata.name.as_deref() == Some(named) || pod.metadata.uid.as_deref() == Some(named)
}

fn runs(pod: &Pod) -> bool {
    let statuses = pod.status.iter().flat_map(|status| status.container_statuses.iter().flatten());
    let running = statuses.filter_map(|status| status.state.as_ref()).any(|state| state.running.is_some());
    running && pod.metadata.deletion_timestamp.is_none()
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.into_iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}
