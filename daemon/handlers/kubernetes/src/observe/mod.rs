//! What the control plane sees. Pure: the same objects give the same view.

mod containers;
mod endpoints;
mod nodes;
mod pods;
mod reasons;
mod services;
#[cfg(test)]
mod tests;
mod voters;

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::apps::v1::{DaemonSet, Deployment};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Event, Node, Pod, Service};
use muster_engine::context::ClusterContext;
use muster_engine::member::Member;
use muster_engine::observed::OrchestratorView;
use muster_protocol::Name;

pub(crate) use nodes::{is_ready as node_is_ready, machine_of};
use pods::SeenPod;
use reasons::Warnings;
use services::Workload;

/// Everything that a look is made of.
#[derive(Default)]
pub(crate) struct ClusterObjects {
    /// The API server's version.
    pub(crate) version: Option<String>,
    /// All nodes.
    pub(crate) nodes: Vec<Arc<Node>>,
    /// Ours, and only ours, in our namespace.
    pub(crate) deployments: Vec<Arc<Deployment>>,
    pub(crate) daemon_sets: Vec<Arc<DaemonSet>>,
    pub(crate) jobs: Vec<Arc<Job>>,
    pub(crate) pods: Vec<Arc<Pod>>,
    /// Those that are gone and had to be killed, as they were last.
    pub(crate) killed: Vec<Arc<Pod>>,
    pub(crate) services: Vec<Arc<Service>>,
    /// The warnings in our namespace.
    pub(crate) warnings: Vec<Arc<Event>>,
    /// The pods of etcd.
    pub(crate) etcd: Vec<Arc<Pod>>,
}

/// The cluster as seen.
pub(crate) fn view(cluster: &ClusterContext, members: &[Member], seen: &ClusterObjects) -> OrchestratorView {
    let machines = nodes::machines(cluster, members, &seen.nodes);
    let warnings = Warnings::new(&seen.warnings);
    let mut pods: BTreeMap<Name, Vec<SeenPod<'_>>> = BTreeMap::new();
    for pod in &seen.pods {
        if let Some(service) = crate::marks::service(&pod.metadata) {
            pods.entry(service).or_default().push(SeenPod::new(pod, &machines));
        }
    }
    let mut view = OrchestratorView {
        version: seen.version.clone(),
        endpoints: nodes::endpoints(&machines),
        nodes: nodes::observed(&machines),
        voters: voters::voters(cluster, members, seen),
        ..Default::default()
    };
    let owners = reasons::port_owners(seen.pods.iter().map(|pod| &**pod));
    for (name, workload) in newest_workloads(seen) {
        let own = pods.get(&name).map(Vec::as_slice).unwrap_or_default();
        let endpoints = endpoints::of(&workload, own, &seen.services, &name, &machines);
        view.containers.extend(containers::observed(&name, own));
        let killed = seen.killed.iter().filter(|pod| crate::marks::service(&pod.metadata).as_ref() == Some(&name));
        view.containers.extend(killed.map(|pod| containers::container(&name, &SeenPod::new(pod, &machines))));
        view.services.insert(name, services::observed(&workload, own, endpoints, &warnings, &owners));
    }
    view
}

/// One workload a service: the one of the latest generation, should an earlier one still be on its way out.
fn newest_workloads(seen: &ClusterObjects) -> BTreeMap<Name, Workload<'_>> {
    let deployments = seen.deployments.iter().map(|one| Workload::Deployment(one));
    let daemon_sets = seen.daemon_sets.iter().map(|one| Workload::DaemonSet(one));
    let jobs = seen.jobs.iter().map(|one| Workload::Job(one));
    let mut newest: BTreeMap<Name, Workload<'_>> = BTreeMap::new();
    for workload in deployments.chain(daemon_sets).chain(jobs) {
        let Some(name) = crate::marks::service(workload.metadata()) else { continue };
        if workload.metadata().deletion_timestamp.is_some() {
            continue;
        }
        let known = newest.get(&name).map_or(0, Workload::generation);
        if workload.generation() >= known {
            newest.insert(name, workload);
        }
    }
    newest
}
