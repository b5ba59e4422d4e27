//! Whether the account may have one more network load balancer, as far as that can be said before.

use aws_sdk_elasticloadbalancingv2::types::{LoadBalancer, LoadBalancerTypeEnum};
use muster_engine::failure::Failure;
use muster_protocol::ErrorCode;

use crate::Ec2Driver;

/// The name that AWS has for this limit.
const LIMIT: &str = "network-load-balancers";

impl Ec2Driver {
    /// Says how many there are and may be. That it can be asked at all shows that the account may look at load balancers;
    /// whether it may make one is not to be had before: their API has no trials.
    pub(crate) async fn room_for_balancer(&self) -> Result<String, Failure> {
        let there = self.network_balancers().await?;
        let Some(most) = self.most_network_balancers().await? else {
            return Ok(format!("{there} network load balancers; the limit is not said"));
        };
        if there >= most {
            let message = format!("the account may have {most} network load balancers, and has them");
            return Err(Failure::not_applied(ErrorCode::Quota, message)
                .with_remedy("raise the quota of the account in AWS Service Quotas, or delete what is not needed"));
        }
        Ok(format!("{there} of {most} network load balancers"))
    }

    async fn network_balancers(&self) -> Result<usize, Failure> {
        let (mut count, mut marker) = (0, None);
        loop {
            let page = self
                .read_elb("count the account's load balancers", |elb| {
                    elb.describe_load_balancers().set_marker(marker.clone()).send()
                })
                .await?;
            let is_network = |one: &&LoadBalancer| one.r#type() == Some(&LoadBalancerTypeEnum::Network);
            count += page.load_balancers().iter().filter(is_network).count();
            marker = page.next_marker().filter(|marker| !marker.is_empty()).map(str::to_owned);
            if marker.is_none() {
                return Ok(count);
            }
        }
    }

    async fn most_network_balancers(&self) -> Result<Option<usize>, Failure> {
        let mut marker = None;
        loop {
            let page = self
                .read_elb("ask for the limits of load balancers", |elb| {
                    elb.describe_account_limits().set_marker(marker.clone()).send()
                })
                .await?;
            if let Some(limit) = page.limits().iter().find(|limit| limit.name() == Some(LIMIT)) {
                return Ok(limit.max().and_then(|most| most.parse().ok()));
            }
            marker = page.next_marker().filter(|marker| !marker.is_empty()).map(str::to_owned);
            if marker.is_none() {
                return Ok(None);
            }
        }
    }
}
