//! Services: how many copies of the present spec run.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::{DaemonSet, Deployment};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::PodTemplateSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use muster_engine::observed::ObservedService;
use muster_protocol::model::service::Endpoint;

use super::pods::SeenPod;
use super::reasons::{self, PortOwners, Warnings};
use crate::marks::{self, TEMPLATE};
use crate::registry;

/// What runs a service's copies.
pub(super) enum Workload<'a> {
    Deployment(&'a Deployment),
    DaemonSet(&'a DaemonSet),
    Job(&'a Job),
}

impl<'a> Workload<'a> {
    pub(super) fn metadata(&self) -> &'a ObjectMeta {
        match self {
            Self::Deployment(one) => &one.metadata,
            Self::DaemonSet(one) => &one.metadata,
            Self::Job(one) => &one.metadata,
        }
    }

    /// For which of our generations it was submitted.
    pub(super) fn generation(&self) -> u64 {
        marks::generation(self.metadata())
    }

    pub(super) fn uid(&self) -> Option<&'a str> {
        self.metadata().uid.as_deref()
    }

    pub(super) fn template(&self) -> Option<&'a PodTemplateSpec> {
        match self {
            Self::Deployment(one) => one.spec.as_ref().map(|spec| &spec.template),
            Self::DaemonSet(one) => one.spec.as_ref().map(|spec| &spec.template),
            Self::Job(one) => one.spec.as_ref().map(|spec| &spec.template),
        }
    }

    /// Whether the controller has not looked at the present spec yet: then nothing that it says is about it.
    fn is_unseen(&self) -> bool {
        let (seen, present) = match self {
            Self::Deployment(one) => {
                (one.status.as_ref().and_then(|status| status.observed_generation), one.metadata.generation)
            }
            Self::DaemonSet(one) => {
                (one.status.as_ref().and_then(|status| status.observed_generation), one.metadata.generation)
            }
            // A job never changes.
            Self::Job(_) => return false,
        };
        seen < present
    }

    fn wanted(&self) -> u32 {
        let number = match self {
            Self::Deployment(one) => one.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1),
            Self::DaemonSet(one) => one.status.as_ref().map_or(0, |status| status.desired_number_scheduled),
            Self::Job(one) => one.spec.as_ref().and_then(|spec| spec.completions).unwrap_or(1),
        };
        u32::try_from(number).unwrap_or(0)
    }

    /// Whether the pod was made from the present spec.
    pub(super) fn is_current(&self, pod: &SeenPod<'_>) -> bool {
        let template = self.template().and_then(|template| template.metadata.as_ref());
        match self {
            Self::Deployment(_) | Self::DaemonSet(_) => {
                pod.template() == template.and_then(|metadata| marks::label(metadata, TEMPLATE))
            }
            // An earlier run of a job has the same template.
            Self::Job(_) => pod.is_owned_by(self.uid()),
        }
    }
}

/// One service, from its own pods.
pub(super) fn observed(
    workload: &Workload<'_>,
    pods: &[SeenPod<'_>],
    endpoints: Vec<Endpoint>,
    warnings: &Warnings<'_>,
    owners: &PortOwners<'_>,
) -> ObservedService {
    let current: Vec<&SeenPod<'_>> = pods.iter().filter(|pod| workload.is_current(pod)).collect();
    let wanted = workload.wanted();
    let ready = match workload {
        Workload::Job(job) => {
            let succeeded = job.status.as_ref().and_then(|status| status.succeeded).unwrap_or(0);
            u32::try_from(succeeded).unwrap_or(0)
        }
        Workload::Deployment(_) | Workload::DaemonSet(_) => count(current.iter().filter(|pod| pod.is_ready())),
    };
    let earlier = pods.iter().any(|pod| (!workload.is_current(pod) || pod.is_being_removed()) && pod.occupies());
    let trouble = if ready < wanted { reasons::trouble(workload, &current, warnings, owners) } else { None };
    ObservedService {
        id: workload.uid().unwrap_or_default().to_owned(),
        generation: workload.generation(),
        wanted,
        ready,
        updating: earlier || workload.is_unseen(),
        digest: digest(workload),
        image_health: None,
        endpoints,
        trouble,
        under_way: if ready < wanted { under_way(&current) } else { None },
    }
}

/// What the image's tag meant when the service was submitted.
fn digest(workload: &Workload<'_>) -> Option<String> {
    let container = workload.template()?.spec.as_ref()?.containers.first()?;
    registry::digest_in(container.image.as_ref()?).map(str::to_owned)
}

/// What the copies are at that do not run yet: `1 not placed, 2 being made`.
fn under_way(current: &[&SeenPod<'_>]) -> Option<String> {
    let mut states: BTreeMap<&str, u32> = BTreeMap::new();
    for pod in current.iter().filter(|pod| !pod.is_ready() && !pod.has_ended() && !pod.is_being_removed()) {
        let state = if !pod.is_placed() {
            "not placed"
        } else if pod.state().is_some_and(|state| state.running.is_some()) {
            "not ready"
        } else {
            "being made"
        };
        *states.entry(state).or_default() += 1;
    }
    let states: Vec<String> = states.into_iter().map(|(state, copies)| format!("{copies} {state}")).collect();
    (!states.is_empty()).then(|| states.join(", "))
}

fn count<T>(items: impl Iterator<Item = T>) -> u32 {
    u32::try_from(items.count()).unwrap_or(u32::MAX)
}
