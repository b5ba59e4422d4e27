//! What the unit tests begin with.

use muster_engine::context::{ClusterContext, Material};
use muster_protocol::model::cluster::{ClusterSpec, Infrastructure, Orchestrator};
use muster_protocol::model::service::ServiceSpec;
use muster_protocol::{ClusterId, InstanceId};

/// A cluster named `demo`.
pub(crate) fn cluster() -> ClusterContext {
    let spec = ClusterSpec::new("demo".parse().unwrap(), Orchestrator::Kubernetes, Infrastructure::Local);
    let (instance, cluster) = (InstanceId::from_u128(1), ClusterId::from_u128(2));
    ClusterContext { instance, cluster, spec, material: Material::default() }
}

/// A service with nothing but a name and an image.
pub(crate) fn plain() -> ServiceSpec {
    ServiceSpec::new("web".parse().unwrap(), "nginx:1")
}
