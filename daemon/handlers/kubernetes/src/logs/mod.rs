//! A service's output, from all its copies on all nodes.
//!
//! Kubernetes does not say whether a line was written to standard output or standard error, so all lines count as the
//! former. The output of each start of a container is a stream of its own.

mod follow;
mod lines;

use std::sync::Arc;

use futures::StreamExt as _;
use futures::stream::BoxStream;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{ListParams, LogParams};
use kube::{Api, Error as ApiError};
use muster_engine::failure::Failure;
use muster_engine::member::Member;
use muster_protocol::model::service::LogLine;
use muster_protocol::{ErrorCode, Name};

use crate::failures::{Answer as _, is_missing, refusal};
use crate::handler::KubernetesHandler;
use crate::marks::{self, NAMESPACE};
use crate::services::workloads;
use lines::Lines;

/// Lines as they come.
type Output = BoxStream<'static, Result<LogLine, Failure>>;

/// The service's output: the last `tail` lines of each container, then new ones as they come if `follow`.
pub(crate) async fn logs(
    handler: &KubernetesHandler,
    members: &[Member],
    service: &Name,
    follow: bool,
    tail: Option<u32>,
) -> Result<Output, Failure> {
    let clients = handler.api(members).await?;
    let selector = marks::selector_of_service(&handler.cluster, service);
    if workloads::list(&clients.requests, &selector).await?.is_empty() {
        let message = format!("the cluster has no service `{service}` of Muster's");
        return Err(Failure::not_applied(ErrorCode::NotFound, message).permanent());
    }
    let pods: Api<Pod> = Api::namespaced(clients.streams.clone(), NAMESPACE);
    if follow {
        let watches = handler.watches(&clients).await;
        watches.seen().await?;
        return Ok(follow::follow(Arc::clone(&handler.cluster), watches, pods, service.clone(), tail));
    }
    let listed = pods.list(&ListParams::default().labels(&selector)).await.reading("list the pods")?;
    let mut sources = Vec::new();
    for pod in &listed.items {
        let params = LogParams { timestamps: true, tail_lines: tail.map(i64::from), ..Default::default() };
        sources.extend(open(&pods, pod, &params).await?);
    }
    Ok(lines::merged(sources))
}

/// The output of a pod's container; none if it has not started yet, or is gone.
async fn open(pods: &Api<Pod>, pod: &Pod, params: &LogParams) -> Result<Option<Lines>, Failure> {
    let name = pod.metadata.name.as_deref().unwrap_or_default();
    match pods.log_stream(name, params).await {
        Ok(reader) => Ok(Some(Lines::new(pod, reader))),
        Err(error) if is_missing(&error) || has_not_started(&error) => Ok(None),
        Err(error) => Err(error).reading(&format!("read the output of {name}")),
    }
}

/// What the kubelet says of a container that has written nothing yet: `pkg/kubelet/kubelet_pods.go`.
fn has_not_started(error: &ApiError) -> bool {
    const WORDS: [&str; 3] = ["is waiting to start", "is not available", "does not have a host assigned"];
    refusal(error).is_some_and(|status| status.code == 400 && WORDS.iter().any(|words| status.message.contains(words)))
}

/// A stream of one source, tagged.
fn tagged<T: Clone + Send + 'static>(tag: T, lines: Lines) -> BoxStream<'static, (T, Result<LogLine, Failure>)> {
    lines.stream().map(move |line| (tag.clone(), line)).boxed()
}
