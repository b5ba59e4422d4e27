//! Pods: Kubernetes' word for the copies of a service.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{ContainerState, ContainerStateTerminated, ContainerStatus, Pod, PodCondition};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use muster_protocol::{Name, Timestamp};

use super::nodes::MachineNode;
use crate::marks::{self, IMAGE, TEMPLATE};

/// A pod, with the machine that it is on.
pub(super) struct SeenPod<'a> {
    pub(super) pod: &'a Pod,
    machine: Option<&'a MachineNode<'a>>,
    machines: &'a BTreeMap<&'a str, MachineNode<'a>>,
}

impl<'a> SeenPod<'a> {
    pub(super) fn new(pod: &'a Pod, machines: &'a BTreeMap<&'a str, MachineNode<'a>>) -> Self {
        let node = pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref());
        Self { pod, machine: node.and_then(|node| machines.get(node)), machines }
    }

    pub(super) fn name(&self) -> &str {
        self.pod.metadata.name.as_deref().unwrap_or_default()
    }

    pub(super) fn uid(&self) -> &str {
        self.pod.metadata.uid.as_deref().unwrap_or_default()
    }

    pub(super) fn machine_name(&self) -> Option<&Name> {
        self.machine.map(|machine| &machine.name)
    }

    /// All machines: those to which it could go.
    pub(super) fn machines(&self) -> impl ExactSizeIterator<Item = &'a MachineNode<'a>> + Clone {
        self.machines.values()
    }

    pub(super) fn machine_address(&self) -> Option<&String> {
        self.machine?.address.as_ref()
    }

    /// Which template it was made from.
    pub(super) fn template(&self) -> Option<&String> {
        marks::label(&self.pod.metadata, TEMPLATE)
    }

    /// Whether this object made it.
    pub(super) fn is_owned_by(&self, uid: Option<&str>) -> bool {
        uid.is_some()
            && self.pod.metadata.owner_references.iter().flatten().any(|owner| Some(owner.uid.as_str()) == uid)
    }

    pub(super) fn is_being_removed(&self) -> bool {
        self.pod.metadata.deletion_timestamp.is_some()
    }

    pub(super) fn phase(&self) -> &str {
        self.pod.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or("Pending")
    }

    pub(super) fn has_ended(&self) -> bool {
        matches!(self.phase(), "Succeeded" | "Failed")
    }

    /// Whether it occupies a machine. What a machine that is silent last said of its pods stays as it was.
    pub(super) fn occupies(&self) -> bool {
        !self.has_ended() && self.machine.is_none_or(MachineNode::is_up)
    }

    /// Whether it is on a node yet.
    pub(super) fn is_placed(&self) -> bool {
        self.pod.spec.as_ref().is_some_and(|spec| spec.node_name.is_some())
    }

    pub(super) fn is_ready(&self) -> bool {
        is_ready(self.pod) && !self.is_being_removed() && self.machine.is_none_or(MachineNode::is_up)
    }

    pub(super) fn condition(&self, kind: &str) -> Option<&'a PodCondition> {
        condition(self.pod, kind)
    }

    /// Whether its container has a health check.
    pub(super) fn has_check(&self) -> bool {
        let containers = self.pod.spec.iter().flat_map(|spec| &spec.containers);
        containers.into_iter().any(|container| container.liveness_probe.is_some())
    }

    /// Whether its image is pulled with a login.
    pub(super) fn has_login(&self) -> bool {
        self.pod.spec.as_ref().is_some_and(|spec| spec.image_pull_secrets.iter().flatten().next().is_some())
    }

    /// How its one container is.
    pub(super) fn container(&self) -> Option<&'a ContainerStatus> {
        self.pod.status.as_ref()?.container_statuses.as_ref()?.first()
    }

    pub(super) fn state(&self) -> Option<&'a ContainerState> {
        self.container()?.state.as_ref()
    }

    /// Why it waits, in one word of Kubernetes, and in a sentence.
    pub(super) fn waiting(&self) -> Option<(&'a str, &'a str)> {
        let waiting = self.state()?.waiting.as_ref()?;
        Some((waiting.reason.as_deref()?, waiting.message.as_deref().unwrap_or_default()))
    }

    /// How its container ended last: now, or before it was started again.
    pub(super) fn last_end(&self) -> Option<&'a ContainerStateTerminated> {
        let now = self.state().and_then(|state| state.terminated.as_ref());
        now.or_else(|| self.container()?.last_state.as_ref()?.terminated.as_ref())
    }

    /// Since when it is as it is.
    pub(super) fn since(&self) -> Option<Timestamp> {
        let state = self.state();
        let running = state.and_then(|state| state.running.as_ref()?.started_at.as_ref());
        let ended = state.and_then(|state| state.terminated.as_ref()?.finished_at.as_ref());
        let waited = self.last_end().and_then(|end| end.finished_at.as_ref());
        let made = self.pod.metadata.creation_timestamp.as_ref();
        running.or(ended).or(waited).or(made).map(timestamp)
    }

    /// Its own address.
    pub(super) fn address(&self) -> Option<String> {
        self.pod.status.as_ref()?.pod_ip.clone().filter(|address| !address.is_empty())
    }

    /// Its image, as it was asked for.
    pub(super) fn image(&self) -> String {
        if let Some(asked) = marks::annotation(&self.pod.metadata, IMAGE) {
            return asked.clone();
        }
        let container = self.pod.spec.as_ref().and_then(|spec| spec.containers.first());
        container.and_then(|container| container.image.clone()).unwrap_or_default()
    }
}

/// Whether a pod says that it is ready.
pub(super) fn is_ready(pod: &Pod) -> bool {
    condition(pod, "Ready").is_some_and(|condition| condition.status == "True")
}

fn condition<'a>(pod: &'a Pod, kind: &str) -> Option<&'a PodCondition> {
    pod.status.as_ref()?.conditions.as_ref()?.iter().find(|condition| condition.type_ == kind)
}

/// Kubernetes' time as ours.
pub(super) fn timestamp(time: &Time) -> Timestamp {
    Timestamp::from_millis(u64::try_from(time.0.as_millisecond()).unwrap_or(0))
}
