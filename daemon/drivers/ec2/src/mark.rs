//! Names, tags and tokens of what this driver makes.

use std::fmt::Write as _;

use aws_sdk_ec2::types::{Filter, ResourceType, Tag, TagSpecification};
use aws_sdk_elasticloadbalancingv2::types::Tag as ElbTag;
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

/// Only what carries the marks of some installation, or of this one and this cluster.
pub(crate) fn filters_of_owner(owner: Option<(InstanceId, Option<ClusterId>)>) -> Vec<Filter> {
    match owner {
        Some((instance, cluster)) => filters(instance, cluster, None),
        None => vec![filter("tag-key", mark::INSTANCE)],
    }
}

/// The tags that a resource gets in the call that makes it.
pub(crate) fn tags(cluster: &ClusterContext, key: &InfraKey) -> Vec<Tag> {
    let mut tags = tags_of_owner(cluster, key);
    tags.extend(spec_mark::write(&cluster.spec).iter().map(|(name, value)| tag(name, value)));
    tags
}

/// The tags of a load balancer and its parts. Theirs may have no braces and quotes, so what the cluster was asked to be is
/// not among them: it is on everything else of the cluster.
pub(crate) fn elb_tags(cluster: &ClusterContext, key: &InfraKey) -> Vec<ElbTag> {
    let tags = tags_of_owner(cluster, key).into_iter();
    tags.map(|tag| ElbTag::builder().set_key(tag.key).set_value(tag.value).build()).collect()
}

/// The tags of a load balancer or one of its parts, as those of everything else.
pub(crate) fn of_elb(tags: &[ElbTag]) -> Vec<Tag> {
    tags.iter().map(|one| tag(one.key().unwrap_or_default(), one.value().unwrap_or_default())).collect()
}

fn tags_of_owner(cluster: &ClusterContext, key: &InfraKey) -> Vec<Tag> {
    let name = key.name.as_ref().map_or_else(|| key.kind.to_string(), ToString::to_string);
    vec![
        tag(mark::INSTANCE, cluster.instance),
        tag(mark::CLUSTER, cluster.cluster),
        tag(mark::CLUSTER_NAME, cluster.name()),
        tag(mark::KEY, key),
        tag(ORCHESTRATOR, cluster.spec.orchestrator),
        tag(NAME, format_args!("{}-{name}", cluster.name())),
    ]
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

/// What the names of load balancers and target groups begin with.
pub(crate) const BALANCER_PREFIX: &str = "muster-";

/// The name of a load balancer or target group, which identifies it within the account and the region: at most 32 letters,
/// digits and hyphens.
pub(crate) fn balancer_name(cluster: &ClusterContext, key: &InfraKey) -> String {
    let parts = [cluster.instance.to_string(), cluster.cluster.to_string(), key.to_string()];
    format!("{BALANCER_PREFIX}{}", hex(&digest_of(&parts).finalize()[..12]))
}

/// The idempotency token of one try to make a machine in one place: the same for the same try, whoever makes it.
/// EC2 takes at most 64 ASCII characters.
pub(crate) fn token(cluster: &ClusterContext, key: &InfraKey, attempt: u32, place: &str) -> String {
    let parts = [cluster.instance.to_string(), cluster.cluster.to_string(), key.to_string(), place.to_owned()];
    let digest = digest_of(&parts).chain_update(attempt.to_be_bytes()).finalize();
    format!("muster-{}", hex(&digest[..24]))
}

fn digest_of(parts: &[String]) -> Sha256 {
    parts.iter().fold(Sha256::new(), |digest, part| digest.chain_update(part.as_bytes()).chain_update([0]))
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{samples, words};

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
    fn a_load_balancers_name_fits_and_is_the_clusters_own() {
        let (cluster, other) = (samples::context(1), samples::context(2));
        let key = words::balancer();
        let name = balancer_name(&cluster, &key);
        assert_eq!(name, balancer_name(&cluster, &key));
        assert!(name.len() <= 32 && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'), "{name}");
        assert_ne!(name, balancer_name(&other, &key));
        assert_ne!(name, balancer_name(&cluster, &words::target_group()));
    }

    #[test]
    fn marks_of_a_load_balancer_read_back_and_have_no_letter_that_is_refused() {
        let (cluster, key) = (samples::context(1), words::balancer());
        let tags = elb_tags(&cluster, &key);
        let is_allowed = |c: char| c.is_alphanumeric() || " _.:/=+-@".contains(c);
        assert!(
            tags.iter().flat_map(|tag| [tag.key(), tag.value()]).flatten().all(|text| text.chars().all(is_allowed))
        );
        let read_back = read(&of_elb(&tags)).unwrap();
        assert_eq!(read_back, Mark { instance: cluster.instance, cluster: cluster.cluster, key: Some(key) });
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
