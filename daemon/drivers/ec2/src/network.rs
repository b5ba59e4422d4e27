//! VPC and subnets of a cluster's own.

use aws_sdk_ec2::types::{LocationType, ResourceType, Subnet, Vpc};
use muster_engine::context::ClusterContext;
use muster_engine::driver::InfraOrder;
use muster_engine::failure::Failure;
use muster_engine::ledger::{InfraKey, Present};
use muster_protocol::ErrorCode;

use crate::cidr::Cidr;
use crate::mark::{filter, filters_of, specification};
use crate::settings::Settings;
use crate::words::{self, ANY_ZONE};
use crate::{Ec2Driver, found};

impl Ec2Driver {
    pub(crate) async fn create_vpc(&self, cluster: &ClusterContext, settings: &Settings) -> Result<Present, Failure> {
        let key = words::vpc();
        if let Some(id) = self.vpcs(cluster).await?.into_iter().next() {
            return Ok(found(id));
        }
        let tags = specification(ResourceType::Vpc, cluster, &key);
        let made = self
            .change("create the VPC", |ec2| {
                let cidr = settings.vpc_cidr.to_string();
                ec2.create_vpc().cidr_block(cidr).tag_specifications(tags.clone()).send()
            })
            .await?;
        self.made("the VPC", made.vpc().and_then(Vpc::vpc_id))
    }

    /// The ids of the cluster's VPC, and of others that carry its marks.
    pub(crate) async fn vpcs(&self, cluster: &ClusterContext) -> Result<Vec<String>, Failure> {
        let filters = filters_of(cluster, &words::vpc());
        let listed =
            self.read("look for the VPC", |ec2| ec2.describe_vpcs().set_filters(Some(filters.clone())).send()).await?;
        Ok(sorted(listed.vpcs().iter().filter_map(Vpc::vpc_id)))
    }

    pub(crate) async fn remove_vpc(&self, cluster: &ClusterContext, id: &str) -> Result<(), Failure> {
        let there = self.vpcs(cluster).await?;
        self.sure_that_gone(&there, id)?;
        for id in there {
            let removed = self.change("delete the VPC", |ec2| ec2.delete_vpc().vpc_id(&id).send()).await;
            self.gone_is_well(removed)?;
        }
        Ok(())
    }

    pub(crate) async fn create_subnet(
        &self,
        cluster: &ClusterContext,
        settings: &Settings,
        order: &InfraOrder,
    ) -> Result<Present, Failure> {
        if let Some(id) = self.subnets(cluster, &order.key).await?.into_iter().next() {
            return Ok(found(id));
        }
        let vpc = known(order, &words::vpc())?;
        let (zone, cidr) = self.zone_and_range(cluster, settings, &order.key).await?;
        let tags = specification(ResourceType::Subnet, cluster, &order.key);
        let made = self
            .change("create the subnet", |ec2| {
                let request = ec2.create_subnet().vpc_id(vpc).cidr_block(cidr.to_string());
                request.availability_zone(&zone).tag_specifications(tags.clone()).send()
            })
            .await;
        match made {
            Ok(made) => self.made("the subnet", made.subnet().and_then(Subnet::subnet_id)),
            // Our own earlier call was faster, or its answer was lost and it was not listed yet.
            Err(error) if error.is("InvalidSubnet.Conflict") => {
                let there = self.subnets(cluster, &order.key).await?.into_iter().next();
                there.map(found).ok_or_else(|| error.failure.in_doubt())
            }
            Err(error) => Err(error.into()),
        }
    }

    pub(crate) async fn subnets(&self, cluster: &ClusterContext, key: &InfraKey) -> Result<Vec<String>, Failure> {
        let filters = filters_of(cluster, key);
        let listed = self
            .read("look for the subnet", |ec2| ec2.describe_subnets().set_filters(Some(filters.clone())).send())
            .await?;
        Ok(sorted(listed.subnets().iter().filter_map(Subnet::subnet_id)))
    }

    pub(crate) async fn remove_subnet(
        &self,
        cluster: &ClusterContext,
        key: &InfraKey,
        id: &str,
    ) -> Result<(), Failure> {
        let there = self.subnets(cluster, key).await?;
        self.sure_that_gone(&there, id)?;
        for id in there {
            let removed = self.change("delete the subnet", |ec2| ec2.delete_subnet().subnet_id(&id).send()).await;
            self.gone_is_well(removed)?;
        }
        Ok(())
    }

    /// Where a subnet goes, and which part of the VPC's range it has.
    async fn zone_and_range(
        &self,
        cluster: &ClusterContext,
        settings: &Settings,
        key: &InfraKey,
    ) -> Result<(String, Cidr), Failure> {
        let zone = key.name.as_ref().map_or(ANY_ZONE, |name| name.as_str());
        if zone == ANY_ZONE {
            let zones = self.zones_of_type(settings.type_for(&cluster.spec.machine)?).await?;
            // Clusters spread over the zones; the same cluster always meets the same one.
            let number = usize::from(cluster.cluster.as_bytes()[15]);
            let zone = zones.get(number % zones.len().max(1)).ok_or_else(|| self.nowhere(settings, cluster))?;
            return Ok((zone.clone(), settings.vpc_cidr));
        }
        Ok((zone.to_owned(), range_of_zone(settings, zone)))
    }

    fn nowhere(&self, settings: &Settings, cluster: &ClusterContext) -> Failure {
        let kind = settings.type_for(&cluster.spec.machine).unwrap_or_default();
        let message = format!("no zone of {} has machines of type {kind}", self.options.region);
        Failure::not_applied(ErrorCode::InvalidArgument, message)
            .permanent()
            .with_remedy("choose another `instanceType`")
    }

    /// The zones where machines of this type can be had.
    pub(crate) async fn zones_of_type(&self, kind: &str) -> Result<Vec<String>, Failure> {
        let listed = self
            .read("look for zones with the machines' type", |ec2| {
                ec2.describe_instance_type_offerings()
                    .location_type(LocationType::AvailabilityZone)
                    .filters(filter("instance-type", kind))
                    .send()
            })
            .await?;
        Ok(sorted(listed.instance_type_offerings().iter().filter_map(|offering| offering.location())))
    }
}

/// The part of the VPC's range that the subnet of a zone has.
fn range_of_zone(settings: &Settings, zone: &str) -> Cidr {
    let number = settings.zones.iter().position(|known| known.as_str() == zone).unwrap_or(0);
    let parts = settings.zones.len().next_power_of_two();
    let bits = u8::try_from(parts.trailing_zeros()).unwrap_or(0);
    settings.vpc_cidr.part(u32::try_from(number).unwrap_or(0), bits)
}

/// The id of what a resource stands on.
pub(crate) fn known<'a>(order: &'a InfraOrder, key: &InfraKey) -> Result<&'a str, Failure> {
    let present = order.known.get(key);
    present.map(|present| present.id.as_str()).ok_or_else(|| {
        Failure::not_applied(ErrorCode::Internal, format!("{} cannot be made before {key} is there", order.key))
    })
}

pub(crate) fn sorted<'a>(ids: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut ids: Vec<String> = ids.map(str::to_owned).collect();
    ids.sort();
    ids.dedup();
    ids
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    #[test]
    fn the_subnets_of_zones_share_the_vpcs_range_without_overlap() {
        let settings = samples::settings(&[("zones", "eu-central-1a,eu-central-1b,eu-central-1c")]);
        let ranges: Vec<_> =
            settings.zones.iter().map(|zone| range_of_zone(&settings, zone.as_str()).to_string()).collect();
        assert_eq!(ranges, ["10.214.0.0/18", "10.214.64.0/18", "10.214.128.0/18"]);
    }
}
