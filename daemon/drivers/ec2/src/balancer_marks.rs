//! Whose the load balancers and target groups of an account are, as their tags say. Their API filters nothing by tags.

use aws_sdk_elasticloadbalancingv2::types::TagDescription;
use muster_engine::context::ClusterContext;
use muster_engine::driver::Marked;
use muster_engine::failure::Failure;
use muster_engine::ledger::{InfraKey, ResourceKey};

use crate::Ec2Driver;
use crate::failure::CallError;
use crate::mark;

/// So many resources may be asked for their tags in one call.
const TAGS_AT_ONCE: usize = 20;

impl Ec2Driver {
    /// Whether this load balancer or target group carries the marks of this resource of the cluster.
    pub(crate) async fn is_ours(&self, cluster: &ClusterContext, key: &InfraKey, arn: &str) -> Result<bool, Failure> {
        let marked = self.marks_of(vec![arn.to_owned()]).await?;
        let key = ResourceKey::Infra(key.clone());
        Ok(marked.iter().any(|marked| {
            marked.instance == cluster.instance
                && marked.owned.cluster == cluster.cluster
                && marked.owned.key.as_ref() == Some(&key)
        }))
    }

    /// Every load balancer and target group of the account that carries marks of ours. An account that may not ask for them,
    /// or a cloud that has none, has made none.
    pub(crate) async fn marked_balancers(&self) -> Result<Vec<Marked>, Failure> {
        let mut arns = Vec::new();
        for listed in [self.names_of_balancers().await, self.names_of_target_groups().await] {
            match listed {
                Ok(named) => arns.extend(named),
                Err(error) if error.is_of_a_call_that_is_not_there() => {
                    tracing::debug!(failure = %error.failure, "load balancers are not looked for");
                }
                Err(error) => return Err(error.into()),
            }
        }
        // Names of ours only: an account may have hundreds.
        let ours = arns.into_iter().filter(|(name, _)| name.starts_with(mark::BALANCER_PREFIX));
        self.marks_of(ours.map(|(_, arn)| arn).collect()).await
    }

    async fn names_of_balancers(&self) -> Result<Vec<(String, String)>, CallError> {
        let (mut named, mut marker) = (Vec::new(), None);
        loop {
            let page = self
                .read_elb("list load balancers", |elb| elb.describe_load_balancers().set_marker(marker.clone()).send())
                .await?;
            let there = page.load_balancers().iter();
            named.extend(
                there.filter_map(|one| {
                    Some((one.load_balancer_name()?.to_owned(), one.load_balancer_arn()?.to_owned()))
                }),
            );
            marker = page.next_marker().filter(|marker| !marker.is_empty()).map(str::to_owned);
            if marker.is_none() {
                return Ok(named);
            }
        }
    }

    async fn names_of_target_groups(&self) -> Result<Vec<(String, String)>, CallError> {
        let (mut named, mut marker) = (Vec::new(), None);
        loop {
            let page = self
                .read_elb("list target groups", |elb| elb.describe_target_groups().set_marker(marker.clone()).send())
                .await?;
            let there = page.target_groups().iter();
            named.extend(
                there.filter_map(|one| Some((one.target_group_name()?.to_owned(), one.target_group_arn()?.to_owned()))),
            );
            marker = page.next_marker().filter(|marker| !marker.is_empty()).map(str::to_owned);
            if marker.is_none() {
                return Ok(named);
            }
        }
    }

    /// What the tags of these say; what has not all of our marks is left out.
    async fn marks_of(&self, arns: Vec<String>) -> Result<Vec<Marked>, Failure> {
        let mut tagged = Vec::new();
        for some in arns.chunks(TAGS_AT_ONCE) {
            match self.tags_of(some).await {
                // One of them has gone meanwhile, and nobody says which.
                Err(error) if error.is_not_found() => {
                    for one in some.chunks(1) {
                        match self.tags_of(one).await {
                            Err(error) if error.is_not_found() => {}
                            tags => tagged.extend(tags?),
                        }
                    }
                }
                tags => tagged.extend(tags?),
            }
        }
        let read = |one: &TagDescription| mark::read_all(one.resource_arn()?, &mark::of_elb(one.tags()));
        Ok(tagged.iter().filter_map(read).collect())
    }

    async fn tags_of(&self, arns: &[String]) -> Result<Vec<TagDescription>, CallError> {
        let tags = self
            .read_elb("look at tags of load balancers", |elb| {
                elb.describe_tags().set_resource_arns(Some(arns.to_vec())).send()
            })
            .await?;
        Ok(tags.tag_descriptions().to_vec())
    }
}
