//! Why copies of a service do not run: the pod's own words, else those of what makes the pods.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::{ContainerStateTerminated, Event, Pod};
use muster_engine::login;
use muster_engine::observed::{Obstacle, Trouble};
use muster_protocol::Timestamp;

use super::pods::{SeenPod, timestamp};
use super::services::Workload;
use crate::killed::lacked_memory;
use crate::marks::{self, SERVICE};
use crate::services::volumes;

/// Which service has a port of the machines, as far as a copy of it has a machine.
pub(super) type PortOwners<'a> = BTreeMap<i32, &'a str>;

/// Who has which port of the machines.
pub(super) fn port_owners<'a>(pods: impl IntoIterator<Item = &'a Pod>) -> PortOwners<'a> {
    let placed = pods.into_iter().filter(|pod| pod.spec.as_ref().is_some_and(|spec| spec.node_name.is_some()));
    let ports = placed.flat_map(|pod| {
        let service = marks::label(&pod.metadata, SERVICE).map(String::as_str);
        let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
        let ports = containers.flat_map(|container| container.ports.iter().flatten()).filter_map(|port| port.host_port);
        ports.filter_map(move |port| Some((port, service?)))
    });
    ports.collect()
}

/// Warnings that only say what the pod itself says better.
const ECHOES: [&str; 3] = ["BackOff", "Failed", "FailedScheduling"];

/// The newest warning about each object, by its id.
pub(super) struct Warnings<'a>(BTreeMap<&'a str, &'a Event>);

impl<'a> Warnings<'a> {
    pub(super) fn new(events: &'a [Arc<Event>]) -> Self {
        let mut newest: BTreeMap<&str, &Event> = BTreeMap::new();
        for event in events {
            if ECHOES.contains(&event.reason.as_deref().unwrap_or_default()) {
                continue;
            }
            let Some(uid) = event.involved_object.uid.as_deref() else { continue };
            let known = newest.entry(uid).or_insert(event);
            if at(event) > at(known) {
                *known = event;
            }
        }
        Self(newest)
    }

    /// Reason and sentence of the newest warning about this object.
    fn about(&self, uid: Option<&str>) -> Option<(&'a str, &'a str)> {
        let event = self.0.get(uid?)?;
        Some((event.reason.as_deref().unwrap_or_default(), event.message.as_deref()?.trim()))
    }
}

fn at(event: &Event) -> Option<Timestamp> {
    let in_series = event.series.as_ref().and_then(|series| series.last_observed_time.as_ref());
    let exact = in_series.or(event.event_time.as_ref());
    let exact = exact.map(|time| Timestamp::from_millis(u64::try_from(time.0.as_millisecond()).unwrap_or(0)));
    exact.max(event.last_timestamp.as_ref().map(timestamp))
}

/// Why copies do not run. If several pods have a reason, the gravest one counts, and the newest of these.
pub(super) fn trouble(
    workload: &Workload<'_>,
    current: &[&SeenPod<'_>],
    warnings: &Warnings<'_>,
    owners: &PortOwners<'_>,
) -> Option<Trouble> {
    let of_pods = current.iter().filter_map(|pod| Some((of_pod(pod, warnings, owners)?, pod.since())));
    let worst =
        of_pods.max_by(|(one, since), (other, other_since)| (one.gravity, since).cmp(&(other.gravity, other_since)));
    let of_workload = || of_workload(workload, warnings).map(|words| Trouble::new(Obstacle::Room, words));
    worst.map(|(reason, _)| reason.trouble).or_else(of_workload)
}

/// Why one copy does not run.
struct Reason {
    /// How much it says, beside the reasons of other pods.
    gravity: u8,
    trouble: Trouble,
}

impl Reason {
    fn new(gravity: u8, obstacle: Obstacle, words: String) -> Option<Self> {
        Some(Self { gravity, trouble: Trouble::new(obstacle, words) })
    }
}

/// Whether a registry has refused the image for good, and not only failed to answer.
fn is_refused(pull_error: &str) -> bool {
    const WORDS: [&str; 5] = ["not found", "manifest unknown", "unauthorized", "denied", "no match for platform"];
    WORDS.iter().any(|words| pull_error.contains(words))
}

/// Why one copy does not run, if it says so.
pub(super) fn words_of_pod(pod: &SeenPod<'_>) -> Option<String> {
    of_pod(pod, &Warnings(BTreeMap::new()), &PortOwners::new()).map(|reason| reason.trouble.words)
}

fn of_pod(pod: &SeenPod<'_>, warnings: &Warnings<'_>, owners: &PortOwners<'_>) -> Option<Reason> {
    if pod.is_ready() || pod.is_being_removed() || pod.phase() == "Succeeded" {
        return None;
    }
    if let Some(scheduled) = pod.condition("PodScheduled").filter(|scheduled| scheduled.status == "False") {
        let words = scheduled.message.as_deref().or(scheduled.reason.as_deref()).unwrap_or_default();
        return Reason::new(4, Obstacle::Room, unschedulable(pod, words, owners));
    }
    if let Some((word, sentence)) = pod.waiting() {
        let image = pod.image();
        match word {
            "ErrImagePull" | "ImagePullBackOff" | "ErrImageNeverPull" | "RegistryUnavailable" => {
                let why = pull_error(sentence, word);
                let said = login::explained(why, &image, pod.has_login());
                let words = format!("the image `{image}` cannot be pulled: {said}");
                let trouble = Trouble { words, obstacle: Obstacle::Image, hopeless: is_refused(why) };
                return Some(Reason { gravity: 6, trouble });
            }
            "InvalidImageName" => {
                let words = format!("`{image}` is not an image reference: {sentence}");
                return Reason::new(6, Obstacle::Image, words);
            }
            "CrashLoopBackOff" => {
                // A container that heeds the signal of its failing check ends as it likes.
                let check = failing_check(pod, warnings).filter(|_| pod.last_end().is_some_and(was_told_to_end));
                return check.or_else(|| Reason::new(5, Obstacle::Program, how_it_ended(pod)));
            }
            "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError" => {
                let words = format!("the container cannot be made: {sentence} ({word})");
                return Reason::new(6, Obstacle::Container, words);
            }
            _ => {}
        }
    }
    if let Some(end) = pod.last_end().filter(|end| end.exit_code != 0 || lacked_memory(end)) {
        // A container that ran into trouble once and is being started again: what a check says now is newer.
        let failing = failing_check(pod, warnings).filter(|_| pod.state().is_some_and(|state| state.running.is_some()));
        let was_killed_by_check = failing.is_some() && was_told_to_end(end);
        return match failing {
            Some(check) if was_killed_by_check => Some(check),
            Some(_) | None => Reason::new(5, Obstacle::Program, how_it_ended(pod)),
        };
    }
    if let Some(check) = failing_check(pod, warnings) {
        return Some(check);
    }
    if pod.phase() == "Failed" {
        let status = pod.pod.status.as_ref();
        let word = status.and_then(|status| status.reason.as_deref()).unwrap_or("Failed");
        let sentence = status.and_then(|status| status.message.as_deref()).unwrap_or_default();
        return Reason::new(3, Obstacle::Program, format!("the copy ended: {sentence} ({word})"));
    }
    let (word, sentence) = warnings.about(Some(pod.uid()))?;
    Reason::new(2, Obstacle::Container, format!("{sentence} ({word})"))
}

/// Whether it ended as one does that is told to, by itself or by force.
fn was_told_to_end(end: &ContainerStateTerminated) -> bool {
    matches!(end.exit_code, 0 | 137 | 143)
}

/// The scheduler's own words, with what it does not say: which port of the machines is taken, and by whom.
fn unschedulable(pod: &SeenPod<'_>, words: &str, owners: &PortOwners<'_>) -> String {
    // What follows is about taking the room from others, which services never do.
    let end = ["no new claims to deallocate", "preemption:"].iter().filter_map(|tail| words.find(tail)).min();
    let words = words[..end.unwrap_or(words.len())].trim_end_matches([' ', ',', '.']);
    let ports = pod.pod.spec.iter().flat_map(|spec| &spec.containers).flat_map(|one| one.ports.iter().flatten());
    let own = marks::label(&pod.pod.metadata, SERVICE).map(String::as_str);
    let named = |port: i32| match owners.get(&port).filter(|owner| Some(**owner) != own) {
        Some(owner) => format!("port {port}, which service {owner} has,"),
        None => format!("port {port}"),
    };
    let ports: Vec<String> = ports.filter_map(|port| port.host_port).map(named).collect();
    let words = format!("no machine can run a copy: {words}{}", missing_volumes(pod));
    if words.contains("free ports") && !ports.is_empty() {
        return format!("{words} (it wants {} of its machine)", ports.join(", "));
    }
    words
}

/// `; of 3 machines 2 have no volume `data` of an earlier copy (see `allowEmptyVolume`)`: the scheduler only says that labels
/// do not fit.
fn missing_volumes(pod: &SeenPod<'_>) -> String {
    let held = pod.pod.spec.as_ref().map(volumes::held).unwrap_or_default();
    let told = held.iter().filter_map(|volume| {
        let lacking = pod.machines().filter(|machine| !volumes::may_run_on(machine.node, volume)).count();
        let have = if lacking == 1 { "has" } else { "have" };
        (lacking > 0).then(|| format!("{lacking} {have} no volume `{volume}` of an earlier copy"))
    });
    let told: Vec<String> = told.collect();
    if told.is_empty() {
        return String::new();
    }
    format!("; of {} machines {} (see `allowEmptyVolume`)", pod.machines().len(), told.join(", "))
}

/// The pull's own error is behind the words of the kubelet, which only waits before it tries again.
fn pull_error<'a>(sentence: &'a str, word: &'a str) -> &'a str {
    let inner = sentence.split_once("ErrImagePull: ").map_or(sentence, |(_, inner)| inner);
    let inner = inner
        .strip_prefix("rpc error: code = ")
        .and_then(|rest| rest.split_once("desc = "))
        .map_or(inner, |(_, inner)| inner);
    if inner.is_empty() { word } else { inner }
}

/// How the container ended last, and how often it was started again.
fn how_it_ended(pod: &SeenPod<'_>) -> String {
    let restarts = pod.container().map_or(0, |container| container.restart_count);
    let again = match restarts {
        0 => String::new(),
        1 => ", and was started again once".to_owned(),
        times => format!(", and was started again {times} times"),
    };
    let Some(end) = pod.last_end() else { return format!("the container does not stay up{again}") };
    if lacked_memory(end) {
        let limit = memory_limit(pod).map_or_else(String::new, |limit| format!(" of {limit}"));
        return format!("the container needed more memory than its limit{limit} and was killed (OOMKilled){again}");
    }
    let words = end.message.as_deref().map(str::trim).filter(|words| !words.is_empty());
    let last = words
        .and_then(|words| words.lines().last())
        .map_or_else(String::new, |line| format!("; its last words: {line}"));
    format!("the container ended with exit code {}{again}{last}", end.exit_code)
}

fn memory_limit(pod: &SeenPod<'_>) -> Option<String> {
    let container = pod.pod.spec.as_ref()?.containers.first()?;
    let limit = &container.resources.as_ref()?.limits.as_ref()?.get("memory")?.0;
    Some(limit.parse().map_or_else(|_| limit.clone(), |bytes| muster_protocol::quantity::Bytes(bytes).to_string()))
}

/// What the health check says. Only events tell, and the newest of a pod is the one that counts.
fn failing_check(pod: &SeenPod<'_>, warnings: &Warnings<'_>) -> Option<Reason> {
    if !pod.has_check() {
        return None;
    }
    let (word, sentence) = warnings.about(Some(pod.uid()))?;
    if word != "Unhealthy" {
        return None;
    }
    Reason::new(5, Obstacle::Health, format!("the health check fails: {sentence}"))
}

/// Why there are no pods: a quota, an admission rule.
fn of_workload(workload: &Workload<'_>, warnings: &Warnings<'_>) -> Option<String> {
    let said = match workload {
        Workload::Deployment(one) => {
            let conditions = one.status.as_ref().and_then(|status| status.conditions.as_ref());
            let failing = |kind: &str, status: &str| {
                let mut all = conditions.into_iter().flatten();
                all.find(|condition| condition.type_ == kind && condition.status == status)
            };
            failing("ReplicaFailure", "True").and_then(|condition| condition.message.clone())
        }
        Workload::Job(one) => {
            let conditions = one.status.as_ref().and_then(|status| status.conditions.as_ref());
            let mut all = conditions.into_iter().flatten();
            let failed = all.find(|condition| condition.type_ == "Failed" && condition.status == "True");
            failed.and_then(|condition| condition.message.clone())
        }
        Workload::DaemonSet(_) => None,
    };
    said.or_else(|| warnings.about(workload.uid()).map(|(word, sentence)| format!("{sentence} ({word})")))
}
