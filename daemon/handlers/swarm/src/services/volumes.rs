//! A named volume lives on the machines where copies have run with it, so its service stays there.
//!
//! ```text
//!   a copy runs with the volume `data` on a node ──▶ the node is labelled `io.muster.volume.data=yes`
//!   a node has that label                        ──▶ the service is constrained to such nodes
//! ```
//! The swarm keeps both, so it holds whatever becomes of this daemon. A session sees to the first copies of a service
//! soon after they run; each later submission sees to it itself. Swarm replaces no copy for a constraint that its node
//! meets. A service that allows an empty volume is not held, nor one with a copy on every machine.

use std::collections::BTreeSet;
use std::time::Duration;

use bollard::models::{MountType, Node, Service, ServiceSpec as SwarmService, TaskState};
use muster_engine::context::ClusterContext;
use muster_engine::failure::Failure;
use muster_engine::handler::ServiceOrder;
use muster_engine::member::Member;
use muster_protocol::model::service::{MountKind, ServiceMode};
use serde_json::{Value, json};
use tokio::sync::{Notify, watch};

use crate::connect::Engine;
use crate::failures::is_out_of_sequence;
use crate::managers::Managers;
use crate::marks::{EMPTY_VOLUME, VOLUME};
use crate::membership::nodes;
use crate::observe;
use crate::observe::tasks::{self, SeenTask};

/// How often services are looked at whose copies are not held yet.
const INTERVAL: Duration = Duration::from_secs(3);

/// The constraint that holds a service where this volume is.
pub(super) fn constraint(volume: &str) -> String {
    format!("node.labels.{VOLUME}{volume}==yes")
}

/// The volume that a constraint of ours is about.
pub(crate) fn volume_in(constraint: &str) -> Option<&str> {
    constraint.strip_prefix("node.labels.")?.strip_prefix(VOLUME)?.strip_suffix("==yes")
}

/// The volumes that the order's service has to go to. One that was held before stays so, also when the node is gone:
/// that its volume is lost is for a person to say.
pub(super) async fn holding(
    manager: &Engine,
    order: &ServiceOrder,
    existing: Option<&Service>,
) -> Result<Vec<String>, Failure> {
    let spec = &order.spec;
    if spec.allow_empty_volume || spec.mode == ServiceMode::Global {
        return Ok(Vec::new());
    }
    let named = spec.mounts.iter().filter(|mount| mount.kind == MountKind::Volume);
    let volumes: BTreeSet<String> = named.filter_map(|mount| mount.source.clone()).collect();
    if volumes.is_empty() {
        return Ok(Vec::new());
    }
    if let Some(id) = existing.and_then(|service| service.id.as_deref()) {
        label_nodes(manager, &tasks::list(manager).await?, id, &volumes).await?;
    }
    let nodes = nodes::list(manager).await?;
    let held_before = existing.and_then(|service| service.spec.as_ref()).map(held).unwrap_or_default();
    let is_somewhere = |volume: &String| held_before.contains(volume) || nodes.iter().any(|node| has(node, volume));
    Ok(volumes.into_iter().filter(is_somewhere).collect())
}

/// Holds services whose first copies run, for as long as the cluster is supervised. After its start and after each submission
/// it looks until nothing is left to be held, and else it asks the swarm for nothing. What cannot be done now is tried
/// again: that the swarm does not answer is told by those who observe it.
pub(crate) async fn keep_holding(
    cluster: &ClusterContext,
    managers: &Managers,
    members: watch::Receiver<Vec<Member>>,
    submitted: &Notify,
) -> Failure {
    loop {
        tokio::time::sleep(INTERVAL).await;
        let members = members.borrow().clone();
        if members.is_empty() {
            continue;
        }
        let held = async {
            let manager = managers.find(&members).await?;
            hold_all(cluster, &manager.engine).await
        };
        match held.await {
            Ok(Held::All) => submitted.notified().await,
            Ok(Held::NotYet) => {}
            Err(failure) => {
                tracing::debug!(cluster = %cluster.name(), %failure, "services are not held at their volumes for now");
            }
        }
    }
}

/// Whether services are where they are to be held.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Held {
    /// Every service that has to be is held.
    All,
    /// The copies of some were not seen to run yet, or they were held just now.
    NotYet,
}

/// Holds every service of ours whose copies run with volumes, and that is not held yet.
pub(super) async fn hold_all(cluster: &ClusterContext, manager: &Engine) -> Result<Held, Failure> {
    let mut unheld = Vec::new();
    for service in observe::list_services(cluster, manager).await? {
        let (Some(id), Some(spec)) = (service.id, &service.spec) else { continue };
        let volumes: BTreeSet<String> = to_hold(spec).difference(&held(spec)).cloned().collect();
        if !volumes.is_empty() {
            unheld.push((id, volumes));
        }
    }
    if unheld.is_empty() {
        return Ok(Held::All);
    }
    let tasks = tasks::list(manager).await?;
    for (id, volumes) in unheld {
        if label_nodes(manager, &tasks, &id, &volumes).await? {
            constrain(manager, &id, &volumes).await?;
        }
    }
    Ok(Held::NotYet)
}

/// Labels the nodes on which copies of the service run. Answers whether there are any.
async fn label_nodes(
    manager: &Engine,
    tasks: &[SeenTask],
    service: &str,
    volumes: &BTreeSet<String>,
) -> Result<bool, Failure> {
    let running = tasks.iter().filter(|task| task.service_id() == service && task.state() == TaskState::RUNNING);
    let places: BTreeSet<&str> = running.filter_map(SeenTask::node_id).collect();
    for node in &places {
        nodes::update(manager, node, "label the node with its volumes", |spec| {
            let labels = spec.labels.get_or_insert_default();
            let new =
                volumes.iter().filter(|volume| labels.insert(format!("{VOLUME}{volume}"), "yes".to_owned()).is_none());
            new.count() > 0
        })
        .await?;
    }
    Ok(!places.is_empty())
}

/// Adds the constraints to the service as it is. As JSON, because the typed API does not read all of a spec and would write
/// it back without.
async fn constrain(manager: &Engine, service: &str, volumes: &BTreeSet<String>) -> Result<(), Failure> {
    let mut present: Value = manager.get(&format!("/services/{service}"), "read the service").await?;
    let version = present["Version"]["Index"].as_u64().unwrap_or_default();
    let mut spec = present["Spec"].take();
    let placement = &mut spec["TaskTemplate"]["Placement"];
    if !placement.is_object() {
        *placement = json!({});
    }
    let mut constraints = placement["Constraints"].as_array().cloned().unwrap_or_default();
    constraints.extend(volumes.iter().map(|volume| Value::from(constraint(volume))));
    placement["Constraints"] = constraints.into();
    match manager.post(&format!("/services/{service}/update?version={version}"), &spec).await {
        // Somebody changes it just now: the next look sees what it has become.
        Err(error) if is_out_of_sequence(&error) => Ok(()),
        answer => crate::failures::Answer::writing(answer, "hold the service at its volumes"),
    }
}

/// The volumes of a service that is to go where they are.
fn to_hold(spec: &SwarmService) -> BTreeSet<String> {
    let is_global = spec.mode.as_ref().is_some_and(|mode| mode.global.is_some());
    let allows_empty = spec.labels.as_ref().is_some_and(|labels| labels.contains_key(EMPTY_VOLUME));
    if is_global || allows_empty {
        return BTreeSet::new();
    }
    let container = spec.task_template.as_ref().and_then(|task| task.container_spec.as_ref());
    let mounts = container.and_then(|container| container.mounts.as_ref()).into_iter().flatten();
    mounts.filter(|mount| mount.typ == Some(MountType::VOLUME)).filter_map(|mount| mount.source.clone()).collect()
}

/// The volumes at which it is held already.
fn held(spec: &SwarmService) -> BTreeSet<String> {
    let placement = spec.task_template.as_ref().and_then(|task| task.placement.as_ref());
    let constraints = placement.and_then(|placement| placement.constraints.as_ref()).into_iter().flatten();
    constraints.filter_map(|constraint| volume_in(constraint)).map(str::to_owned).collect()
}

fn has(node: &Node, volume: &str) -> bool {
    let labels = node.spec.as_ref().and_then(|spec| spec.labels.as_ref());
    labels.is_some_and(|labels| labels.contains_key(&format!("{VOLUME}{volume}")))
}

#[cfg(test)]
mod tests;
