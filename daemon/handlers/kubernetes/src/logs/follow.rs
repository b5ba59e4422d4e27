//! Output that is followed: of the copies that there are, of those that come, and of containers that are started again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::SelectAll;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::LogParams;
use muster_engine::context::ClusterContext;
use muster_protocol::{Name, Timestamp};
use tokio::sync::mpsc;

use super::{Output, open, tagged};
use crate::marks;
use crate::watches::Watches;

/// How many lines may wait for the listener.
const QUEUE: usize = 64;
/// After a stream has ended, the watch may need a moment to say whether its container has.
const BREATH: Duration = Duration::from_millis(500);

/// How far the output of one start of a container is read. The key is the container's own id.
#[derive(Clone, Debug)]
struct Source {
    is_open: bool,
    last: Option<Timestamp>,
}

/// The output of all copies, until the service is gone or nobody listens.
pub(super) fn follow(
    cluster: Arc<ClusterContext>,
    watches: Arc<Watches>,
    pods: Api<Pod>,
    service: Name,
    tail: Option<u32>,
) -> Output {
    let (said, output) = mpsc::channel(QUEUE);
    tokio::spawn(async move {
        let mut sources: BTreeMap<String, Source> = BTreeMap::new();
        let mut streams = SelectAll::new();
        let mut ticks = watches.ticks();
        let mut tail = tail.map(i64::from);
        loop {
            let seen = watches.now();
            let own: Vec<_> = seen.pods.iter().filter(|pod| marks::are_of(&cluster, &service, &pod.metadata)).collect();
            for pod in &own {
                let Some(id) = container_id(pod) else { continue };
                let source = sources.get(&id);
                // One that is open is read already; one that has ended and was read to its end says nothing more.
                if source.is_some_and(|source| source.is_open || !is_running(pod)) {
                    continue;
                }
                let last = source.and_then(|source| source.last);
                let since_time = last.and_then(|last| {
                    k8s_openapi::jiff::Timestamp::from_millisecond(i64::try_from(last.as_millis()).ok()?).ok()
                });
                let params = LogParams {
                    follow: true,
                    timestamps: true,
                    tail_lines: if source.is_none() { tail } else { None },
                    since_time,
                    ..Default::default()
                };
                match open(&pods, pod, &params).await {
                    Ok(Some(lines)) => {
                        sources.insert(id.clone(), Source { is_open: true, last });
                        let ended = futures::stream::once(std::future::ready((id.clone(), None)));
                        let lines = tagged(id, lines).map(|(id, line)| (id, Some(line)));
                        streams.push(lines.chain(ended).boxed());
                    }
                    Ok(None) => {}
                    Err(failure) => {
                        // Nobody may be left to hear it.
                        let _ = said.send(Err(failure)).await;
                        return;
                    }
                }
            }
            // Only what was there at the beginning has a tail; what comes later is new from its first line.
            tail = None;
            let is_gone = own.is_empty() && !has_workload(&seen, &cluster, &service);
            if is_gone && streams.is_empty() {
                return;
            }
            tokio::select! {
                Some((id, line)) = streams.next(), if !streams.is_empty() => {
                    let Some(source) = sources.get_mut(&id) else { continue };
                    match line {
                        Some(Ok(line)) => {
                            // What is read again after a broken stream was heard before.
                            let is_new = source.last.is_none_or(|last| line.at.is_none_or(|at| at >= last));
                            source.last = line.at.or(source.last);
                            if is_new && said.send(Ok(line)).await.is_err() {
                                return;
                            }
                        }
                        Some(Err(failure)) => tracing::debug!(%failure, "the output of a container is opened again"),
                        None => {
                            source.is_open = false;
                            tokio::time::sleep(BREATH).await;
                        }
                    }
                }
                changed = ticks.changed() => if changed.is_err() { return },
                () = said.closed() => return,
            }
        }
    });
    futures::stream::unfold(output, async |mut output| Some((output.recv().await?, output))).boxed()
}

fn container_id(pod: &Pod) -> Option<String> {
    let status = pod.status.as_ref()?.container_statuses.as_ref()?.first()?;
    let state = status.state.as_ref()?;
    let ended = state.terminated.as_ref().and_then(|ended| ended.container_id.clone());
    let id = if state.running.is_some() { status.container_id.clone() } else { ended };
    id.filter(|id| !id.is_empty())
}

fn is_running(pod: &Pod) -> bool {
    let statuses = pod.status.iter().flat_map(|status| status.container_statuses.iter().flatten());
    statuses.filter_map(|status| status.state.as_ref()).any(|state| state.running.is_some())
}

fn has_workload(seen: &crate::observe::ClusterObjects, cluster: &ClusterContext, service: &Name) -> bool {
    let deployments = seen.deployments.iter().map(|one| &one.metadata);
    let daemon_sets = seen.daemon_sets.iter().map(|one| &one.metadata);
    let jobs = seen.jobs.iter().map(|one| &one.metadata);
    deployments.chain(daemon_sets).chain(jobs).any(|metadata| marks::are_of(cluster, service, metadata))
}
