//! Our marks, as labels on everything that we make in a swarm.

use std::collections::HashMap;

use muster_engine::context::{ClusterContext, mark};
use muster_engine::ledger::ResourceKey;
use muster_protocol::Name;

/// On a node: the machine's name within its cluster.
pub const MACHINE: &str = "io.muster.machine";
/// On a service: its id. Another one under the same name is another service, whatever its generation: the one before may
/// have been forgotten when the daemon's store was lost.
pub(crate) const SERVICE: &str = "io.muster.service";
/// On a service and its secrets: which version of the secrets' values it is.
pub(crate) const SECRETS_VERSION: &str = "io.muster.secrets-version";
/// On a swarm secret: which secret of its service it is.
pub(crate) const SECRET: &str = "io.muster.secret";
/// On a service's tasks: names everything of which a change replaces the tasks. So a task that was made from an
/// earlier spec is told apart from one that was made from the present spec.
pub(crate) const TEMPLATE: &str = "io.muster.template";
/// On a service's tasks: that they have a health check. The typed API cannot read the check itself.
pub(crate) const HEALTH_CHECK: &str = "io.muster.health-check";

/// On a service's tasks: the image as it was asked for, if its tag was resolved to a digest.
pub(crate) const IMAGE: &str = "io.muster.image";

/// On a swarm config: the image, by digest, that a service of ours was given.
pub(crate) const NOTED_IMAGE: &str = "io.muster.noted-image";

/// On a node, with a volume's name behind it: copies have run there with the volume.
pub(crate) const VOLUME: &str = "io.muster.volume.";
/// On a service: its image's registry has refused it, in these words.
pub(crate) const REFUSED_IMAGE: &str = "io.muster.refused-image";
/// On a service: its image's registry was asked for it in vain, in these words.
pub(crate) const UNANSWERED_IMAGE: &str = "io.muster.unanswered-image";
/// On a service: it may run with an empty volume where there is none.
pub(crate) const EMPTY_VOLUME: &str = "io.muster.empty-volume";

/// Labels, as the engine's API has them.
pub(crate) type Labels = HashMap<String, String>;

/// The marks of the cluster as a whole.
pub(crate) fn of_cluster(cluster: &ClusterContext) -> Labels {
    HashMap::from([
        (mark::INSTANCE.to_owned(), cluster.instance.to_string()),
        (mark::CLUSTER.to_owned(), cluster.cluster.to_string()),
        (mark::CLUSTER_NAME.to_owned(), cluster.name().to_string()),
    ])
}

/// The marks of one resource.
pub(crate) fn of(cluster: &ClusterContext, key: &ResourceKey) -> Labels {
    let mut labels = of_cluster(cluster);
    labels.insert(mark::KEY.to_owned(), key.to_string());
    labels
}

/// The marks of a machine's node.
pub(crate) fn of_node(cluster: &ClusterContext, machine: &Name) -> Labels {
    let mut labels = of(cluster, &ResourceKey::Node(machine.clone()));
    labels.insert(MACHINE.to_owned(), machine.to_string());
    labels
}

/// Whether these are labels of something that we made for this cluster.
pub(crate) fn are_ours(cluster: &ClusterContext, labels: Option<&Labels>) -> bool {
    let has = |name: &str, value: String| labels.and_then(|labels| labels.get(name)) == Some(&value);
    has(mark::INSTANCE, cluster.instance.to_string()) && has(mark::CLUSTER, cluster.cluster.to_string())
}

/// A filter for listings: what belongs to this cluster, and to this resource if one is named.
/// Both must hold, as the engine joins filters of one kind with "and" for labels.
pub(crate) fn filter(cluster: &ClusterContext, key: Option<&ResourceKey>) -> HashMap<String, Vec<String>> {
    let mut wanted = vec![format!("{}={}", mark::CLUSTER, cluster.cluster)];
    if let Some(key) = key {
        wanted.push(format!("{}={key}", mark::KEY));
    }
    HashMap::from([("label".to_owned(), wanted)])
}
