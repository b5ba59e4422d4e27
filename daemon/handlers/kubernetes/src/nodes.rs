//! Nodes before they go, and when they come back: closed for new pods, emptied, opened again, forgotten.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Node, Pod};
use kube::api::{DeleteParams, EvictParams, ListParams, Patch, PatchParams, Preconditions};
use kube::{Api, Client};
use muster_engine::failure::Failure;
use muster_engine::member::Member;
use muster_engine::recipe::MachineStep;
use muster_protocol::{ErrorCode, Name};
use serde_json::json;
use tokio::time::Instant;

use crate::access::Clients;
use crate::failures::{Answer as _, is_held_by_budget, is_missing, refusal};
use crate::handler::KubernetesHandler;
use crate::marks::{CORDONED, FIELD_MANAGER};
use crate::observe;

/// How often a drain looks whether pods are gone, and asks again for those that a budget holds.
const PACE: Duration = Duration::from_secs(1);
/// The annotation of a pod that the kubelet runs by itself.
const MIRROR: &str = "kubernetes.io/config.mirror";

/// How long a drain waits before it says what holds it. The planner asks again later.
const DRAIN_LIMIT: Duration = Duration::from_secs(5 * 60);

/// Cordons, drains or uncordons the machine's node.
pub(crate) async fn step(
    handler: &KubernetesHandler,
    members: &[Member],
    machine: &Name,
    step: MachineStep,
) -> Result<(), Failure> {
    match step {
        MachineStep::Cordon => handler.cordon(members, machine).await,
        MachineStep::Drain => handler.drain(members, machine, DRAIN_LIMIT).await,
        MachineStep::Uncordon => handler.uncordon(members, machine).await,
        MachineStep::Start | MachineStep::Prepare | MachineStep::Upgrade | MachineStep::Renew => {
            let message = format!("`{}` is nothing that an orchestrator does", step.as_str());
            Err(Failure::not_applied(ErrorCode::Internal, message).permanent())
        }
    }
}

impl KubernetesHandler {
    /// Closes the machine's node for new pods. A node that is closed already stays as it is, and whoever closed it opens it.
    pub async fn cordon(&self, members: &[Member], machine: &Name) -> Result<(), Failure> {
        let clients = self.api(members).await?;
        let Some(node) = self.node(members, &clients, machine).await? else { return Err(no_node(machine)) };
        if is_closed(&node) {
            return Ok(());
        }
        let change = json!({ "metadata": { "annotations": { CORDONED: "yes" } }, "spec": { "unschedulable": true } });
        patch(&clients.requests, &node, &change, "close the node").await
    }

    /// Opens the machine's node for new pods, if it was Muster that closed it.
    pub async fn uncordon(&self, members: &[Member], machine: &Name) -> Result<(), Failure> {
        let clients = self.api(members).await?;
        let Some(node) = self.node(members, &clients, machine).await? else { return Err(no_node(machine)) };
        let by_us = node.metadata.annotations.as_ref().is_some_and(|all| all.contains_key(CORDONED));
        if !by_us {
            return Ok(());
        }
        let change = json!({ "metadata": { "annotations": { CORDONED: null } }, "spec": { "unschedulable": null } });
        patch(&clients.requests, &node, &change, "open the node").await
    }

    /// Closes the machine's node and moves its pods elsewhere. Disruption budgets are respected: a pod that one holds is
    /// asked for again until `limit` is over; then the failure names it, and the budget's own words.
    pub async fn drain(&self, members: &[Member], machine: &Name, limit: Duration) -> Result<(), Failure> {
        self.cordon(members, machine).await?;
        let clients = self.api(members).await?;
        let Some(node) = self.node(members, &clients, machine).await? else { return Ok(()) };
        let deadline = Instant::now() + limit;
        loop {
            let left = evict_all(&clients.requests, &node).await?;
            if left.is_empty() {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(not_empty(machine, &left));
            }
            tokio::time::sleep(PACE).await;
        }
    }

    /// Forgets the machine's node. Already gone is a success.
    pub async fn delete_node(&self, members: &[Member], machine: &Name) -> Result<(), Failure> {
        let clients = self.api(members).await?;
        let Some(node) = self.node(members, &clients, machine).await? else { return Ok(()) };
        let nodes: Api<Node> = Api::all(clients.requests.clone());
        let mut params = DeleteParams::background();
        params.preconditions = Some(Preconditions { uid: node.metadata.uid.clone(), resource_version: None });
        match nodes.delete(node_name(&node), &params).await {
            Err(error) if is_missing(&error) => Ok(()),
            answer => answer.writing("forget the node").map(drop),
        }
    }

    /// The machine's node, read from the API itself, not from what was watched.
    pub async fn node(
        &self,
        members: &[Member],
        clients: &Arc<Clients>,
        machine: &Name,
    ) -> Result<Option<Node>, Failure> {
        let nodes: Api<Node> = Api::all(clients.requests.clone());
        let listed = nodes.list(&ListParams::default()).await.reading("list the nodes")?;
        let is_it = |node: &Node| observe::machine_of(&self.cluster, members, node).as_ref() == Some(machine);
        Ok(listed.items.into_iter().find(is_it))
    }
}

fn node_name(node: &Node) -> &str {
    node.metadata.name.as_deref().unwrap_or_default()
}

fn is_closed(node: &Node) -> bool {
    node.spec.as_ref().and_then(|spec| spec.unschedulable) == Some(true)
}

async fn patch(client: &Client, node: &Node, change: &serde_json::Value, what: &str) -> Result<(), Failure> {
    let nodes: Api<Node> = Api::all(client.clone());
    let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..Default::default() };
    nodes.patch(node_name(node), &params, &Patch::Merge(change)).await.writing(what).map(drop)
}

/// Asks for every pod to go that can go. What is still there, with the reason where a budget holds it.
async fn evict_all(client: &Client, node: &Node) -> Result<BTreeMap<String, Option<String>>, Failure> {
    let everywhere: Api<Pod> = Api::all(client.clone());
    let on_node = ListParams::default().fields(&format!("spec.nodeName={}", node_name(node)));
    let listed = everywhere.list(&on_node).await.reading("list the node's pods")?;
    let is_heard = observe::node_is_ready(node);
    let mut left = BTreeMap::new();
    for pod in listed.items.iter().filter(|pod| has_to_go(pod)) {
        let (namespace, name) =
            (pod.metadata.namespace.as_deref().unwrap_or_default(), pod.metadata.name.as_deref().unwrap_or_default());
        let full_name = format!("{namespace}/{name}");
        if pod.metadata.deletion_timestamp.is_some() {
            // On a node that is silent it never ends; its controller has replaced it already.
            if is_heard {
                left.insert(full_name, None);
            }
            continue;
        }
        let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
        match pods.evict(name, &EvictParams::default()).await {
            Ok(_) => {
                left.insert(full_name, None);
            }
            Err(error) if is_missing(&error) => {}
            Err(error) if is_held_by_budget(&error) => {
                let words = refusal(&error).map(budget_words);
                left.insert(full_name, words);
            }
            Err(error) => return Err(error).writing(&format!("move {full_name}")),
        }
    }
    Ok(left)
}

/// Which budget it is and what it needs stand in the details; the message alone says only that there is one.
fn budget_words(status: &kube::core::Status) -> String {
    let causes = status.details.as_ref().map(|details| details.causes.as_slice()).unwrap_or_default();
    let budget = causes.iter().find(|cause| cause.reason == "DisruptionBudget").map(|cause| cause.message.clone());
    budget.unwrap_or_else(|| status.message.clone()).trim_end_matches('.').to_owned()
}

/// Not what the node runs by itself, not a DaemonSet's copy, which would come back at once, and not what has ended.
fn has_to_go(pod: &Pod) -> bool {
    let is_mirror = pod.metadata.annotations.as_ref().is_some_and(|all| all.contains_key(MIRROR));
    let of_daemon_set = pod
        .metadata
        .owner_references
        .iter()
        .flatten()
        .any(|owner| owner.kind == "DaemonSet" && owner.controller == Some(true));
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    !is_mirror && !of_daemon_set && !matches!(phase, Some("Succeeded" | "Failed"))
}

fn not_empty(machine: &Name, left: &BTreeMap<String, Option<String>>) -> Failure {
    let one = |(pod, why): (&String, &Option<String>)| match why {
        Some(why) => format!("{pod} ({why})"),
        None => format!("{pod} (it is ending)"),
    };
    let shown: Vec<String> = left.iter().take(5).map(one).collect();
    let more = left.len().checked_sub(shown.len()).filter(|more| *more > 0);
    let more = more.map_or_else(String::new, |more| format!(" and {more} more"));
    let message = format!("{machine} cannot be emptied in time; still there: {}{more}", shown.join(", "));
    let failure = Failure::maybe_applied(ErrorCode::DeadlineExceeded, message);
    if left.values().any(Option::is_some) {
        failure.with_remedy("give the service more copies, or loosen its PodDisruptionBudget")
    } else {
        failure
    }
}

fn no_node(machine: &Name) -> Failure {
    Failure::not_applied(ErrorCode::NotFound, format!("the cluster has no node for {machine}"))
}

#[cfg(test)]
mod tests;
