//! Names and owner marks of what this driver makes.

use std::collections::HashMap;

use muster_engine::context::{ClusterContext, mark};
use muster_engine::driver::{Marked, Owned};
use muster_engine::ledger::{Facts, Present, ResourceKey};
use muster_engine::spec_mark;
use muster_protocol::{ClusterId, InstanceId, Name};

/// A machine's fixed address: also a stopped machine's, which the engine itself does not keep apart.
pub(crate) const ADDRESS: &str = "io.muster.local.address";

/// The labels that a resource carries.
pub(crate) fn labels(cluster: &ClusterContext, key: &ResourceKey) -> HashMap<String, String> {
    let mut labels = HashMap::from([
        (mark::INSTANCE.to_owned(), cluster.instance.to_string()),
        (mark::CLUSTER.to_owned(), cluster.cluster.to_string()),
        (mark::CLUSTER_NAME.to_owned(), cluster.name().to_string()),
        (mark::KEY.to_owned(), key.to_string()),
    ]);
    labels.extend(spec_mark::write(&cluster.spec));
    labels
}

/// A filter for lists: only what carries these marks.
pub(crate) fn filter(
    instance: InstanceId,
    cluster: Option<ClusterId>,
    key: Option<&ResourceKey>,
) -> HashMap<String, Vec<String>> {
    let mut wanted = vec![format!("{}={instance}", mark::INSTANCE)];
    wanted.extend(cluster.map(|cluster| format!("{}={cluster}", mark::CLUSTER)));
    wanted.extend(key.map(|key| format!("{}={key}", mark::KEY)));
    HashMap::from([("label".to_owned(), wanted)])
}

/// A filter for lists: only what carries the marks of some installation.
pub(crate) fn filter_of_anybody() -> HashMap<String, Vec<String>> {
    HashMap::from([("label".to_owned(), vec![mark::INSTANCE.to_owned()])])
}

/// What these labels say of whose something is; none if they are not all of a mark.
pub(crate) fn read_all(id: Option<String>, labels: &HashMap<String, String>) -> Option<Marked> {
    let instance = labels.get(mark::INSTANCE)?.parse().ok()?;
    let (cluster, key) = read(labels)?;
    Some(Marked {
        instance,
        owned: Owned { cluster, key, present: Present { id: id?, facts: Facts::None } },
        cluster_name: labels.get(mark::CLUSTER_NAME).and_then(|name| name.parse().ok()),
        spec: spec_mark::read(|name| labels.get(name).map(String::as_str)),
    })
}

/// The cluster and key that a resource is marked with; none without a cluster mark.
pub(crate) fn read(labels: &HashMap<String, String>) -> Option<(ClusterId, Option<ResourceKey>)> {
    let cluster = labels.get(mark::CLUSTER)?.parse().ok()?;
    let key = labels.get(mark::KEY).and_then(|key| key.parse().ok());
    Some((cluster, key))
}

/// Whether these are labels of something that belongs to this cluster.
pub(crate) fn is_of(labels: &HashMap<String, String>, cluster: &ClusterContext) -> bool {
    labels.get(mark::INSTANCE) == Some(&cluster.instance.to_string())
        && labels.get(mark::CLUSTER) == Some(&cluster.cluster.to_string())
}

/// The machine's name, if these are a machine's labels.
pub(crate) fn machine(labels: &HashMap<String, String>) -> Option<Name> {
    read(labels)?.1?.machine().cloned()
}

/// The name of the cluster's network.
pub(crate) fn network_name(cluster: &ClusterContext) -> String {
    format!("muster-{}-{}", cluster.instance.short(), cluster.cluster.short())
}

/// The name of the network's bridge on the host. The engine allows several networks of one name but never two
/// on one bridge, so it is this name that makes a second creation fail. 15 characters are all that Linux takes.
pub(crate) fn bridge_name(cluster: &ClusterContext) -> String {
    format!("mu-{}", cluster.cluster.short())
}

/// The name of a machine's container.
pub(crate) fn container_name(cluster: &ClusterContext, machine: &Name) -> String {
    format!("{}-{machine}", network_name(cluster))
}

/// The name that a machine has for itself.
pub(crate) fn host_name(cluster: &Name, machine: &Name) -> String {
    format!("{cluster}-{machine}")
}
