//! The members of a stacked etcd, as evidence of the quorum: each control plane runs one as a static pod, whose mirror
//! the API shows with the pod's own readiness.

use std::collections::BTreeMap;

use muster_engine::context::ClusterContext;
use muster_engine::member::Member;
use muster_engine::observed::Voter;

use super::{ClusterObjects, machine_of, node_is_ready, pods};

/// The voters, as the control plane sees them; none if etcd does not run as static pods, as in clusters of others.
pub(crate) fn voters(cluster: &ClusterContext, members: &[Member], seen: &ClusterObjects) -> Option<Vec<Voter>> {
    if seen.etcd.is_empty() {
        return None;
    }
    let nodes: BTreeMap<&str, _> =
        seen.nodes.iter().filter_map(|node| Some((node.metadata.name.as_deref()?, node))).collect();
    let voter = |pod: &std::sync::Arc<k8s_openapi::api::core::v1::Pod>| {
        let node = pod.spec.as_ref().and_then(|spec| nodes.get(spec.node_name.as_deref()?));
        Voter {
            id: pod.metadata.name.clone().unwrap_or_default(),
            machine: node.and_then(|node| machine_of(cluster, members, node)),
            healthy: pods::is_ready(pod) && node.is_some_and(|node| node_is_ready(node)),
            // kubeadm promotes a learner before its pod counts as joined.
            learner: false,
        }
    };
    Some(seen.etcd.iter().map(voter).collect())
}
