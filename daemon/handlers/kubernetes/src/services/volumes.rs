//! A named volume lives on the machines where copies have run with it, so its service stays there.
//!
//! ```text
//!   a service has the volume `data`   ──▶ its pods go only to nodes with the label `io.muster.volume/data`
//!   no copy has run with it yet       ──▶ every node has the label, with the value `open`
//!   copies have run with it           ──▶ their nodes have the value `yes`, and no other node has the label any more
//! ```
//! What decides is on the nodes, so no copy is replaced when a volume has found its place, and the scheduler holds it
//! whatever becomes of this daemon. The workload notes which of its volumes have a place: when the nodes are gone that had
//! such a volume, its service waits, for that the volume is lost is for a person to say. A service that allows an empty
//! volume is not held, nor one with a copy on every node. Pure.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::{Node, Pod, PodSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use muster_protocol::model::service::{MountKind, ServiceMode, ServiceSpec};

use super::translate::VOLUMES;
use super::workloads::Kind;
use crate::digest::digest;
use crate::marks::{self, PLACED_VOLUMES, VOLUME};
use crate::observe::ClusterObjects;

/// The value of the label on a node that has the volume.
const HAS_IT: &str = "yes";
/// The value on a node that may get it: no node has it yet.
const MAY_GET_IT: &str = "open";

/// The label of nodes on which copies with this volume may run. A name that Kubernetes does not take is one by its digest.
pub(crate) fn label(volume: &str) -> String {
    if crate::labels::is_name(volume) {
        format!("{VOLUME}{volume}")
    } else {
        format!("{VOLUME}{}", digest([volume.as_bytes()]))
    }
}

/// The volumes at which the service has to be held.
pub(crate) fn to_hold(spec: &ServiceSpec) -> BTreeSet<String> {
    if spec.allow_empty_volume || spec.mode == ServiceMode::Global {
        return BTreeSet::new();
    }
    let named = spec.mounts.iter().filter(|mount| mount.kind == MountKind::Volume);
    named.filter_map(|mount| mount.source.clone()).collect()
}

/// The volumes at which a pod of this spec is held.
pub(crate) fn held(pod: &PodSpec) -> BTreeSet<String> {
    let affinity = pod.affinity.as_ref().and_then(|affinity| affinity.node_affinity.as_ref());
    let required = affinity.and_then(|nodes| nodes.required_during_scheduling_ignored_during_execution.as_ref());
    let terms = required.iter().flat_map(|selector| &selector.node_selector_terms);
    let keys: BTreeSet<&str> = terms
        .flat_map(|term| term.match_expressions.iter().flatten())
        .map(|expression| expression.key.as_str())
        .collect();
    named_in(pod).filter(|volume| keys.contains(label(volume).as_str())).map(str::to_owned).collect()
}

/// The volumes of a workload that have a place, as noted on it; none if it is of a release that noted nothing.
pub(crate) fn placed(workload: &ObjectMeta) -> Option<BTreeSet<String>> {
    let noted = marks::annotation(workload, PLACED_VOLUMES)?;
    Some(noted.split(',').filter(|volume| !volume.is_empty()).map(str::to_owned).collect())
}

/// The note that says so. No name of a volume has a comma.
pub(crate) fn note(placed: &BTreeSet<String>) -> String {
    placed.iter().map(String::as_str).collect::<Vec<_>>().join(",")
}

/// Whether copies with this volume may run on the node.
pub(crate) fn may_run_on(node: &Node, volume: &str) -> bool {
    value(node, &label(volume)).is_some()
}

/// Whether a node has the volume.
pub(super) fn is_somewhere(volume: &str, nodes: &[impl AsRef<Node>]) -> bool {
    let label = label(volume);
    nodes.iter().any(|node| value(node.as_ref(), &label) == Some(HAS_IT))
}

/// The nodes on which pods have run with the volume.
pub(super) fn homes<'a>(volume: &str, pods: &'a [impl AsRef<Pod>]) -> BTreeSet<&'a str> {
    let own = pods.iter().map(AsRef::as_ref).filter(|pod| has(pod, volume) && has_run(pod));
    own.filter_map(node_of).collect()
}

/// Changes of nodes' labels that have to do with volumes: the value, or none to take the label off, by node and label.
#[derive(Default, PartialEq, Eq, Debug)]
pub(crate) struct LabelChanges(pub(super) BTreeMap<String, BTreeMap<String, Option<&'static str>>>);

impl LabelChanges {
    /// The node has the volume.
    pub(super) fn has(&mut self, node: &str, volume: &str) {
        self.set(node, label(volume), Some(HAS_IT));
    }

    /// Every node that is not told otherwise may get the volume.
    pub(super) fn may_get(&mut self, nodes: &[impl AsRef<Node>], volume: &str) {
        let label = label(volume);
        for node in nodes.iter().map(AsRef::as_ref).filter(|node| value(node, &label).is_none()) {
            self.set(name(&node.metadata), label.clone(), Some(MAY_GET_IT));
        }
    }

    fn set(&mut self, node: &str, label: String, value: Option<&'static str>) {
        self.0.entry(node.to_owned()).or_default().insert(label, value);
    }

    /// Without what the nodes have already.
    fn without_what_is_so(mut self, nodes: &[impl AsRef<Node>]) -> Self {
        for node in nodes.iter().map(AsRef::as_ref) {
            if let Some(changes) = self.0.get_mut(name(&node.metadata)) {
                changes.retain(|label, wanted| value(node, label) != *wanted);
            }
        }
        self.0.retain(|_, changes| !changes.is_empty());
        self
    }
}

/// What has to be written for volumes to be where they are, in the order in which it has to be.
#[derive(Default, PartialEq, Eq, Debug)]
pub(crate) struct Due {
    /// Which nodes have which volume.
    pub(super) homes: LabelChanges,
    /// The volumes with a place, by workload.
    pub(super) notes: Vec<(Kind, String, BTreeSet<String>)>,
    /// Where volumes may be that have no place, and may not be any more.
    pub(super) open: LabelChanges,
}

impl Due {
    /// Whether nothing is.
    pub(super) fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    /// What is due in a cluster.
    pub(super) fn of(seen: &ClusterObjects) -> Self {
        let mut due = Self::default();
        let mut open: BTreeSet<String> = BTreeSet::new();
        let deployments = seen
            .deployments
            .iter()
            .filter_map(|one| Some((Kind::Deployment, &one.metadata, one.spec.as_ref()?.template.spec.as_ref()?)));
        let jobs = seen
            .jobs
            .iter()
            .filter_map(|one| Some((Kind::Job, &one.metadata, one.spec.as_ref()?.template.spec.as_ref()?)));
        for (kind, metadata, pod) in deployments.chain(jobs) {
            if metadata.deletion_timestamp.is_some() {
                continue;
            }
            let before = placed(metadata).unwrap_or_default();
            let mut now = before.clone();
            for volume in held(pod).difference(&before) {
                match place(volume, metadata, seen) {
                    Place::Found(nodes) => {
                        for node in nodes {
                            due.homes.has(node, volume);
                        }
                        now.insert(volume.clone());
                    }
                    Place::Open => {
                        open.insert(label(volume));
                        due.open.may_get(&seen.nodes, volume);
                    }
                }
            }
            if now != before {
                due.notes.push((kind, name(metadata).to_owned(), now));
            }
        }
        for node in &seen.nodes {
            let labels = node.metadata.labels.iter().flatten();
            for (label, value) in labels.filter(|(label, _)| label.starts_with(VOLUME)) {
                if value == MAY_GET_IT && !open.contains(label) {
                    due.open.set(name(&node.metadata), label.clone(), None);
                }
            }
        }
        due.homes = due.homes.without_what_is_so(&seen.nodes);
        for (node, changes) in &due.homes.0 {
            let others = due.open.0.entry(node.clone()).or_default();
            others.retain(|label, _| !changes.contains_key(label));
        }
        due.open = due.open.without_what_is_so(&seen.nodes);
        due
    }
}

/// Whether a volume has a place.
enum Place<'a> {
    /// On these nodes, and on those that are labelled already.
    Found(BTreeSet<&'a str>),
    /// Not yet.
    Open,
}

/// A volume has its place when a copy has run with it, and all others that are to run have at least a node: they were all
/// free to go anywhere.
fn place<'a>(volume: &str, workload: &ObjectMeta, seen: &'a ClusterObjects) -> Place<'a> {
    let service = marks::service(workload);
    let is_own = |pod: &&Pod| marks::service(&pod.metadata) == service && has(pod, volume);
    let with_it: Vec<&Pod> = seen.pods.iter().map(|pod| &**pod).filter(is_own).collect();
    let has_begun = with_it.iter().any(|pod| has_run(pod));
    let is_being_placed = with_it.iter().any(|pod| node_of(pod).is_none() && !is_unschedulable(pod));
    if has_begun && !is_being_placed {
        return Place::Found(with_it.into_iter().filter_map(node_of).collect());
    }
    if is_somewhere(volume, &seen.nodes) { Place::Found(BTreeSet::new()) } else { Place::Open }
}

/// The volumes in a pod.
fn named_in(pod: &PodSpec) -> impl Iterator<Item = &str> {
    let paths = pod.volumes.iter().flatten().filter_map(|volume| Some(volume.host_path.as_ref()?.path.as_str()));
    paths.filter_map(|path| path.strip_prefix(VOLUMES)?.strip_prefix('/'))
}

fn has(pod: &Pod, volume: &str) -> bool {
    pod.spec.as_ref().is_some_and(|spec| named_in(spec).any(|one| one == volume))
}

/// Whether the pod's container has run, so that its volumes were there.
fn has_run(pod: &Pod) -> bool {
    let statuses = pod.status.iter().flat_map(|status| status.container_statuses.iter().flatten());
    let states = statuses.flat_map(|status| [status.state.as_ref(), status.last_state.as_ref()]);
    states.flatten().any(|state| state.running.is_some() || state.terminated.is_some())
}

fn is_unschedulable(pod: &Pod) -> bool {
    let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.into_iter().any(|condition| condition.type_ == "PodScheduled" && condition.status == "False")
}

fn node_of(pod: &Pod) -> Option<&str> {
    pod.spec.as_ref()?.node_name.as_deref()
}

fn value<'a>(node: &'a Node, label: &str) -> Option<&'a str> {
    marks::label(&node.metadata, label).map(String::as_str)
}

fn name(metadata: &ObjectMeta) -> &str {
    metadata.name.as_deref().unwrap_or_default()
}

#[cfg(test)]
mod tests;
