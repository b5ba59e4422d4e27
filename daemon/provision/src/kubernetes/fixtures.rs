//! What the tests of this folder share.

use muster_protocol::model::cluster::{ClusterSpec, Infrastructure, Orchestrator};

/// A cluster of one control plane and two workers that asks for nothing.
pub(crate) fn spec() -> ClusterSpec {
    let mut spec = ClusterSpec::new("demo".parse().unwrap(), Orchestrator::Kubernetes, Infrastructure::Local);
    spec.workers = 2;
    spec
}
