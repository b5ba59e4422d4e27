//! What the unit tests begin with.

use std::collections::BTreeMap;

use muster_engine::context::{ClusterContext, Material};
use muster_protocol::model::cluster::{ClusterSpec, Infrastructure, MachineShape, Orchestrator};
use muster_protocol::model::service::{Resources, ServiceMode, ServiceSpec, UpdatePolicy};
use muster_protocol::{ClusterId, InstanceId};

/// A cluster named `demo`.
pub(crate) fn cluster() -> ClusterContext {
    let spec = ClusterSpec {
        name: "demo".parse().unwrap(),
        orchestrator: Orchestrator::Swarm,
        infrastructure: Infrastructure::Local,
        account: None,
        version: None,
        control_planes: 1,
        workers: 0,
        machine: MachineShape::default(),
        labels: BTreeMap::new(),
    };
    let (instance, cluster) = (InstanceId::from_u128(1), ClusterId::from_u128(2));
    ClusterContext { instance, cluster, spec, material: Material::default() }
}

/// A service with nothing but a name and an image.
pub(crate) fn plain() -> ServiceSpec {
    ServiceSpec {
        name: "web".parse().unwrap(),
        image: "nginx:1".to_owned(),
        command: Vec::new(),
        args: Vec::new(),
        env: BTreeMap::new(),
        secrets: Vec::new(),
        files: Vec::new(),
        mode: ServiceMode::Replicated,
        replicas: 1,
        resources: Resources::default(),
        ports: Vec::new(),
        mounts: Vec::new(),
        health: None,
        constraints: Vec::new(),
        update: UpdatePolicy::default(),
        labels: BTreeMap::new(),
    }
}
