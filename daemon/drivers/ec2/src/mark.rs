//! Names, tags and tokens of what this driver makes.

use std::fmt::Write as _;

use aws_sdk_ec2::types::{Filter, ResourceType, Tag, TagSpecification};
use muster_engine::context::{ClusterContext, mark};
use muster_engine::driver::{Marked, Owned};
use muster_engine::ledger::{InfraKey, ResourceKey};
use muster_engine::spec_mark;
use muster_protocol::{ClusterId, InstanceId};
use sha2::{Digest, Sha256};

use crate::found;

/// Names the orchestrator that a machine is for. For people and bills; nothing relies on it.
const ORCHESTRATOR: &str = "io.muster.orchestrator";
/// A machine's host key as it was pinned at first contact.
pub(crate) const HOST_KEY: &str = "io.muster.host-key";
/// What the EC2 console shows as a resource's name.
const NAME: &str = "Name";

/// What a resource is marked with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Mark {
    /// The installation.
    pub(crate) instance: InstanceId,
    /// The cluster.
    pub(crate) cluster: ClusterId,
    /// The key; none if it cannot be read.
    pub(crate) key: Option<InfraKey>,
}

/// What these tags say of whose the resource with this id is; none if a mark is missing.
pub(crate) fn read_all(id: &str, tags: &[Tag]) -> Option<Marked> {
    let Mark { instance, cluster, key } = read(tags)?;
    Some(Marked {
        instance,
        owned: Owned { cluster, key: key.map(ResourceKey::Infra), present: found(id.to_owned()) },
        cluster_name: value(tags, mark::CLUSTER_NAME).and_then(|name| name.parse().ok()),
        spec: spec_mark::read(|name| value(tags, name)),
    })
}

/// Only what carries the marks of some installation.
pub(crate) fn filters_of_anybody() -> Vec<Filter> {
    vec![filter("tag-key", mark::INSTANCE)]
}

/// The tags that a resource gets in the call that makes it.
pub(crate) fn tags(cluster: &ClusterContext, key: &InfraKey) -> Vec<Tag> {
    let name = key.name.as_ref().map_or_else(|| key.kind.to_string(), ToString::to_string);
    let mut tags = vec![
        tag(mark::INSTANCE, cluster.instance),
        tag(mark::CLUSTER, cluster.cluster),
        tag(mark::CLUSTER_NAME, cluster.name()),
        tag(mark::KEY, key),
        tag(ORCHESTRATOR, cluster.spec.orchestrator),
        tag(NAME, format_args!("{}-{name}", cluster.name())),
    ];
    tags.extend(spec_mark::write(&cluster.spec).iter().map(|(name, value)| tag(name, value)));
    tags
}

/// The same for a resource of this type, as creations take them.
pub(crate) fn specification(kind: ResourceType, cluster: &ClusterContext, key: &InfraKey) -> TagSpecification {
    TagSpecification::builder().resource_type(kind).set_tags(Some(tags(cluster, key))).build()
}

pub(crate) fn tag(key: &str, value: impl std::fmt::Display) -> Tag {
    Tag::builder().key(key).value(value.to_string()).build()
}

/// Only what carries these marks.
pub(crate) fn filters(instance: InstanceId, cluster: Option<ClusterId>, key: Option<&InfraKey>) -> Vec<Filter> {
    let mut filters = vec![filter(&format!("tag:{}", mark::INSTANCE), instance)];
    filters.extend(cluster.map(|cluster| filter(&format!("tag:{}", mark::CLUSTER), cluster)));
    filters.extend(key.map(|key| filter(&format!("tag:{}", mark::KEY), key)));
    filters
}

/// Only what is this resource of the cluster.
pub(crate) fn filters_of(cluster: &ClusterContext, key: &InfraKey) -> Vec<Filter> {
    filters(cluster.instance, Some(cluster.cluster), Some(key))
}

pub(crate) fn filter(name: &str, value: impl std::fmt::Display) -> Filter {
    Filter::builder().name(name).values(value.to_string()).build()
}

/// The value of a tag.
pub(crate) fn value<'a>(tags: &'a [Tag], key: &str) -> Option<&'a str> {
    tags.iter().find(|tag| tag.key() == Some(key)).and_then(Tag::value)
}

/// The marks that these tags are; none if one of them is missing.
pub(crate) fn read(tags: &[Tag]) -> Option<Mark> {
    let key = value(tags, mark::KEY).and_then(|key| key.parse::<ResourceKey>().ok());
    Some(Mark {
        instance: value(tags, mark::INSTANCE)?.parse().ok()?,
        cluster: value(tags, mark::CLUSTER)?.parse().ok()?,
        key: key.and_then(|key| key.infra().cloned()),
    })
}

/// The name of what has to have one within the account: security groups and key pairs.
pub(crate) fn name(cluster: &ClusterContext, key: &InfraKey) -> String {
    let which = key.name.as_ref().map_or_else(|| key.kind.to_string(), ToString::to_string);
    format!("muster-{}-{}-{which}", cluster.instance.short(), cluster.cluster)
}

/// The idempotency token of one try to make a machine in one place: the same for the same try, whoever makes it.
/// EC2 takes at most 64 ASCII characters.
pub(crate) fn token(cluster: &ClusterContext, key: &InfraKey, attempt: u32, place: &str) -> String {
    let mut digest = Sha256::new();
    for part in [&cluster.instance.to_string(), &cluster.cluster.to_string(), &key.to_string(), place] {
        digest.update(part.as_bytes());
        digest.update([0]);
    }
    digest.update(attempt.to_be_bytes());
    let mut token = String::from("muster-");
    for byte in &digest.finalize()[..24] {
        // Writing to a string cannot fail.
        let _ = write!(token, "{byte:02x}");
    }
    token
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    #[test]
    fn a_token_is_the_same_for_the_same_try_and_differs_for_every_other() {
        let (cluster, other) = (samples::context(1), samples::context(2));
        let worker = |number: u32| InfraKey::for_machine(format!("worker-{number}").parse().unwrap());
        let first = token(&cluster, &worker(1), 0, "subnet-1");
        assert_eq!(first, token(&cluster, &worker(1), 0, "subnet-1"));
        assert!(first.len() <= 64 && first.is_ascii(), "{first}");
        for different in [
            token(&other, &worker(1), 0, "subnet-1"),
            token(&cluster, &worker(2), 0, "subnet-1"),
            token(&cluster, &worker(1), 1, "subnet-1"),
            token(&cluster, &worker(1), 0, "subnet-2"),
        ] {
            assert_ne!(first, different);
        }
    }

    #[test]
    fn marks_read_back_from_tags_and_foreign_tags_are_none() {
        let cluster = samples::context(1);
        let key = InfraKey::for_machine("worker-1".parse().unwrap());
        let read_back = read(&tags(&cluster, &key)).unwrap();
        assert_eq!(read_back, Mark { instance: cluster.instance, cluster: cluster.cluster, key: Some(key) });
        assert_eq!(read(&[tag("Name", "x"), tag(mark::KEY, "machine/worker-1")]), None);
    }
}
