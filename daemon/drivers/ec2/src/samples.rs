//! Clusters for tests.

use std::collections::BTreeMap;

use muster_engine::context::{ClusterContext, Material};
use muster_engine::desired::Desired;
use muster_protocol::model::cluster::{ClusterSpec, Infrastructure, Orchestrator};
use muster_protocol::{ClusterId, InstanceId};

use crate::settings::Settings;

/// An account that says what it must, and these options.
pub(crate) fn account(options: &[(&str, &str)]) -> BTreeMap<String, String> {
    let mut account = BTreeMap::from([("allowedCidrs".to_owned(), "198.51.100.7/32".to_owned())]);
    account.extend(options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    account
}

/// What a cluster of such an account asks for.
pub(crate) fn settings(options: &[(&str, &str)]) -> Settings {
    Settings::of(&account(options), &spec()).unwrap()
}

/// A cluster of one control plane and one worker.
pub(crate) fn desired() -> Desired {
    Desired { generation: 1, spec: spec(), absent: false }
}

/// The cluster with this number.
pub(crate) fn context(number: u128) -> ClusterContext {
    ClusterContext {
        instance: InstanceId::from_u128(7),
        cluster: ClusterId::from_u128(number),
        spec: spec(),
        material: Material::default(),
    }
}

pub(crate) fn spec() -> ClusterSpec {
    let spec = ClusterSpec::new("demo".parse().unwrap(), Orchestrator::Swarm, Infrastructure::Ec2);
    ClusterSpec { workers: 1, ..spec }
}
