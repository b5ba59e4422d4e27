//! Our marks, as labels and annotations on everything that we make in a cluster.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use muster_engine::context::{ClusterContext, mark};
use muster_engine::handler::ServiceOrder;
use muster_protocol::Name;

/// The namespace of all services.
pub const NAMESPACE: &str = "muster";
/// The name under which our fields are kept apart from those of others.
pub const FIELD_MANAGER: &str = "muster";
/// On a node: the machine's name within its cluster.
pub const MACHINE: &str = "io.muster.machine";
/// On everything of a service: the service's name.
pub const SERVICE: &str = "io.muster.service";
/// On everything of a service: our id of it.
pub(crate) const SERVICE_ID: &str = "io.muster.service-id";
/// On a workload and its secret: which version of the secrets' values it is.
pub(crate) const SECRETS_VERSION: &str = "io.muster.secrets-version";
/// On a service's pods: names everything of which a change replaces the pods. So a pod that was made from an earlier
/// spec is told apart from one that was made from the present spec.
pub(crate) const TEMPLATE: &str = "io.muster.template";
/// On a service's pods whose image is pinned to a digest: the image as it was asked for.
pub(crate) const IMAGE: &str = "io.muster.image";
/// On a workload: why it is not known what its image's tag means, if the registry was asked in vain.
pub(crate) const UNANSWERED_IMAGE: &str = "io.muster.unanswered-image";
/// Before a volume's name, on a node: whether the node has the volume, or may get it.
pub(crate) const VOLUME: &str = "io.muster.volume/";
/// On a workload: those of its volumes that have a place, with commas between.
pub(crate) const PLACED_VOLUMES: &str = "io.muster.placed-volumes";
/// On a node: that Muster, and not a person, keeps new pods away from it.
pub(crate) const CORDONED: &str = "io.muster.cordoned";
/// The common label of whoever manages an object.
pub(crate) const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// The value of [`MANAGED_BY`] on our objects.
pub(crate) const MUSTER: &str = "muster";

/// Labels or annotations.
pub(crate) type Labels = BTreeMap<String, String>;

/// The marks of a service's objects that never change, and by which they are found.
pub(crate) fn of_service(cluster: &ClusterContext, service: &Name) -> Labels {
    BTreeMap::from([
        (mark::INSTANCE.to_owned(), cluster.instance.to_string()),
        (mark::CLUSTER.to_owned(), cluster.cluster.to_string()),
        (SERVICE.to_owned(), service.to_string()),
    ])
}

/// The metadata of one of a service's objects: name, namespace and every mark.
pub(crate) fn metadata(cluster: &ClusterContext, order: &ServiceOrder, name: &str) -> ObjectMeta {
    let mut labels = of_service(cluster, &order.spec.name);
    labels.insert(mark::CLUSTER_NAME.to_owned(), cluster.name().to_string());
    labels.insert(SERVICE_ID.to_owned(), order.id.to_string());
    labels.insert(mark::GENERATION.to_owned(), order.generation.to_string());
    labels.insert(MANAGED_BY.to_owned(), MUSTER.to_owned());
    labels.insert("app.kubernetes.io/name".to_owned(), order.spec.name.to_string());
    // A label's value takes no `/`, an annotation's does.
    let annotations = BTreeMap::from([(mark::KEY.to_owned(), format!("service/{}", order.spec.name))]);
    ObjectMeta {
        name: Some(name.to_owned()),
        namespace: Some(NAMESPACE.to_owned()),
        labels: Some(labels),
        annotations: Some(annotations),
        ..Default::default()
    }
}

/// Whether this is something that we made for this cluster.
pub(crate) fn are_ours(cluster: &ClusterContext, metadata: &ObjectMeta) -> bool {
    label(metadata, mark::INSTANCE) == Some(&cluster.instance.to_string())
        && label(metadata, mark::CLUSTER) == Some(&cluster.cluster.to_string())
}

/// Whether this is something that we made for this service of this cluster.
pub(crate) fn are_of(cluster: &ClusterContext, service: &Name, metadata: &ObjectMeta) -> bool {
    are_ours(cluster, metadata) && label(metadata, SERVICE).map(String::as_str) == Some(service.as_str())
}

/// For which generation a service's object was submitted.
pub(crate) fn generation(metadata: &ObjectMeta) -> u64 {
    label(metadata, mark::GENERATION).and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// Of which service of ours this is a part.
pub(crate) fn service(metadata: &ObjectMeta) -> Option<Name> {
    label(metadata, SERVICE)?.parse().ok()
}

/// One label.
pub(crate) fn label<'a>(metadata: &'a ObjectMeta, name: &str) -> Option<&'a String> {
    metadata.labels.as_ref()?.get(name)
}

/// One annotation.
pub(crate) fn annotation<'a>(metadata: &'a ObjectMeta, name: &str) -> Option<&'a String> {
    metadata.annotations.as_ref()?.get(name)
}

/// A selector for listings: what belongs to this cluster.
pub(crate) fn selector_of_cluster(cluster: &ClusterContext) -> String {
    format!("{}={},{}={}", mark::INSTANCE, cluster.instance, mark::CLUSTER, cluster.cluster)
}

/// A selector for listings: what belongs to this service.
pub(crate) fn selector_of_service(cluster: &ClusterContext, service: &Name) -> String {
    format!("{},{SERVICE}={service}", selector_of_cluster(cluster))
}
