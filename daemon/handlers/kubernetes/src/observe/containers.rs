//! Pods, as containers.

use std::collections::BTreeMap;

use muster_engine::observed::ObservedContainer;
use muster_protocol::Name;
use muster_protocol::model::container::ContainerPhase;

use super::pods::SeenPod;
use super::reasons;
use crate::killed::lacked_memory;

/// How many ended containers are shown for each place of a service: enough to see why the last ones ended.
const ENDED_PER_PLACE: usize = 2;
/// Where an indexed job says which of its copies a pod is.
const INDEX: &str = "batch.kubernetes.io/job-completion-index";

/// The containers of one service. Its name is the pod's, as `kubectl` shows it.
pub(super) fn observed(service: &Name, pods: &[SeenPod<'_>]) -> Vec<ObservedContainer> {
    let mut by_place: BTreeMap<Option<&String>, Vec<&SeenPod<'_>>> = BTreeMap::new();
    for pod in pods {
        by_place.entry(crate::marks::label(&pod.pod.metadata, INDEX)).or_default().push(pod);
    }
    let mut containers = Vec::new();
    for own in by_place.values_mut() {
        own.sort_by_key(|pod| std::cmp::Reverse(pod.since()));
        let living = own.iter().filter(|pod| !pod.has_ended());
        let ended = own.iter().filter(|pod| pod.has_ended()).take(ENDED_PER_PLACE);
        containers.extend(living.chain(ended).map(|pod| container(service, pod)));
    }
    containers
}

/// One container.
pub(super) fn container(service: &Name, pod: &SeenPod<'_>) -> ObservedContainer {
    let phase = phase(pod);
    let exit_code = match phase {
        ContainerPhase::Complete | ContainerPhase::Failed => pod.last_end().map(|end| i64::from(end.exit_code)),
        // Want of memory is not how a copy ends that is told to.
        ContainerPhase::Stopped => pod.last_end().filter(|end| !lacked_memory(end)).map(|end| i64::from(end.exit_code)),
        ContainerPhase::Pending | ContainerPhase::Starting | ContainerPhase::Running | ContainerPhase::Unknown(_) => {
            None
        }
    };
    ObservedContainer {
        id: pod.uid().to_owned(),
        name: pod.name().to_owned(),
        service: service.clone(),
        machine: pod.machine_name().cloned(),
        phase,
        healthy: health(pod, phase),
        address: pod.address(),
        image: pod.image(),
        since: pod.since(),
        exit_code,
        message: reasons::words_of_pod(pod),
    }
}

fn phase(pod: &SeenPod<'_>) -> ContainerPhase {
    // The kubelet calls a pod that was told to end succeeded or failed, by its exit code.
    if pod.is_being_removed() && pod.state().is_some_and(|state| state.terminated.is_some()) {
        return ContainerPhase::Stopped;
    }
    match pod.phase() {
        "Succeeded" => return ContainerPhase::Complete,
        "Failed" => return ContainerPhase::Failed,
        _ => {}
    }
    if !pod.is_placed() {
        return ContainerPhase::Pending;
    }
    let Some(state) = pod.state() else { return ContainerPhase::Starting };
    if state.running.is_some() {
        // With a check a copy starts until the check passes.
        let started = pod.container().and_then(|container| container.started).unwrap_or(true);
        return if started { ContainerPhase::Running } else { ContainerPhase::Starting };
    }
    if let Some(end) = &state.terminated {
        return if end.exit_code == 0 { ContainerPhase::Complete } else { ContainerPhase::Failed };
    }
    match pod.waiting().map(|(word, _)| word) {
        Some("CrashLoopBackOff" | "CreateContainerError" | "CreateContainerConfigError" | "RunContainerError") => {
            ContainerPhase::Failed
        }
        Some(_) | None => ContainerPhase::Starting,
    }
}

fn health(pod: &SeenPod<'_>, phase: ContainerPhase) -> Option<bool> {
    match phase {
        ContainerPhase::Running if pod.has_check() => Some(pod.container().is_some_and(|container| container.ready)),
        ContainerPhase::Starting if pod.has_check() => Some(false),
        ContainerPhase::Pending
        | ContainerPhase::Starting
        | ContainerPhase::Running
        | ContainerPhase::Complete
        | ContainerPhase::Failed
        | ContainerPhase::Stopped
        | ContainerPhase::Unknown(_) => None,
    }
}
