//! Everything at the account that carries our marks, of every kind that this driver makes.
//!
//! Each kind is asked for itself: EC2's list of tags still has those of what was removed.

use std::collections::HashSet;

use aws_sdk_ec2::types::{Filter, Tag};
use muster_engine::driver::{Marked, Owned};
use muster_engine::failure::Failure;
use muster_protocol::{ClusterId, InstanceId};

use crate::Ec2Driver;
use crate::mark;

impl Ec2Driver {
    /// What carries the marks of this installation, of one cluster or of all.
    pub(crate) async fn everything_owned(
        &self,
        instance: InstanceId,
        cluster: Option<ClusterId>,
    ) -> Result<Vec<Owned>, Failure> {
        let marked = self.everything_marked(Some((instance, cluster))).await?;
        Ok(marked.into_iter().map(|marked| marked.owned).collect())
    }

    /// What carries the marks of this owner, or of anybody.
    pub(crate) async fn everything_marked(
        &self,
        owner: Option<(InstanceId, Option<ClusterId>)>,
    ) -> Result<Vec<Marked>, Failure> {
        let filters = mark::filters_of_owner(owner);
        let mut marked: Vec<(bool, Marked)> = Vec::new();
        for machine in self.machines(filters.clone()).await? {
            if machine.stage.power().is_some() {
                marked.push((true, machine.marked));
            }
        }
        let is_owners = |marked: &Marked| {
            owner.is_none_or(|(instance, cluster)| {
                marked.instance == instance && cluster.is_none_or(|cluster| marked.owned.cluster == cluster)
            })
        };
        // Those of load balancers cannot be filtered.
        let balancers = self.marked_balancers().await?.into_iter().filter(is_owners);
        marked.extend(balancers.map(|part| (false, part)));
        marked.extend(self.marked_parts(&filters).await?.into_iter().map(|part| (false, part)));
        marked.extend(self.marked_network(&filters).await?.into_iter().map(|part| (false, part)));
        Ok(once_each(marked))
    }

    /// Disks and network interfaces.
    async fn marked_parts(&self, filters: &[Filter]) -> Result<Vec<Marked>, Failure> {
        let asked = Some(filters.to_vec());
        let volumes = self.read("list volumes", |ec2| ec2.describe_volumes().set_filters(asked.clone()).send()).await?;
        let interfaces = self
            .read("list network interfaces", |ec2| ec2.describe_network_interfaces().set_filters(asked.clone()).send())
            .await?;
        let volumes = volumes.volumes().iter().filter_map(|one| marked(one.volume_id(), one.tags()));
        let interfaces =
            interfaces.network_interfaces().iter().filter_map(|one| marked(one.network_interface_id(), one.tag_set()));
        Ok(volumes.chain(interfaces).collect())
    }

    /// What machines stand on.
    async fn marked_network(&self, filters: &[Filter]) -> Result<Vec<Marked>, Failure> {
        let asked = Some(filters.to_vec());
        let groups = self
            .read("list security groups", |ec2| ec2.describe_security_groups().set_filters(asked.clone()).send())
            .await?;
        let keys =
            self.read("list key pairs", |ec2| ec2.describe_key_pairs().set_filters(asked.clone()).send()).await?;
        let subnets = self.read("list subnets", |ec2| ec2.describe_subnets().set_filters(asked.clone()).send()).await?;
        let gateways = self
            .read("list internet gateways", |ec2| ec2.describe_internet_gateways().set_filters(asked.clone()).send())
            .await?;
        let vpcs = self.read("list VPCs", |ec2| ec2.describe_vpcs().set_filters(asked.clone()).send()).await?;

        let mut all = Vec::new();
        all.extend(groups.security_groups().iter().filter_map(|one| marked(one.group_id(), one.tags())));
        all.extend(keys.key_pairs().iter().filter_map(|one| marked(one.key_pair_id(), one.tags())));
        all.extend(subnets.subnets().iter().filter_map(|one| marked(one.subnet_id(), one.tags())));
        all.extend(gateways.internet_gateways().iter().filter_map(|one| marked(one.internet_gateway_id(), one.tags())));
        all.extend(vpcs.vpcs().iter().filter_map(|one| marked(one.vpc_id(), one.tags())));
        Ok(all)
    }
}

fn marked(id: Option<&str>, tags: &[Tag]) -> Option<Marked> {
    mark::read_all(id?, tags)
}

/// Disks and interfaces carry their machine's key: they stand for it only if it is not there itself.
fn once_each(marked: Vec<(bool, Marked)>) -> Vec<Marked> {
    let owner = |marked: &Marked| (marked.instance, marked.owned.cluster, marked.owned.key.clone());
    let instances = marked.iter().filter(|(is_instance, _)| *is_instance);
    let machines: HashSet<_> = instances.map(|(_, marked)| owner(marked)).collect();
    let mut parts = HashSet::new();
    let mut result = Vec::new();
    for (is_instance, one) in marked {
        let is_part = !is_instance && one.owned.key.as_ref().is_some_and(|key| key.machine().is_some());
        if !is_part || (!machines.contains(&owner(&one)) && parts.insert(owner(&one))) {
            result.push(one);
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::found;

    fn listed(is_instance: bool, key: &str, id: &str) -> (bool, Marked) {
        let key = Some(key.parse().unwrap());
        let owned = Owned { cluster: ClusterId::from_u128(1), key, present: found(id.to_owned()) };
        (is_instance, Marked { instance: InstanceId::from_u128(1), owned, cluster_name: None, spec: None })
    }

    #[test]
    fn a_disk_stands_for_its_machine_only_where_that_is_gone() {
        let all = vec![
            listed(true, "machine/worker-1", "i-1"),
            listed(false, "machine/worker-1", "vol-1"),
            listed(false, "machine/worker-2", "eni-2"),
            listed(false, "machine/worker-2", "vol-2"),
            listed(false, "vpc", "vpc-1"),
        ];
        let ids: Vec<_> = once_each(all).into_iter().map(|marked| marked.owned.present.id).collect();
        assert_eq!(ids, ["i-1", "eni-2", "vpc-1"]);
    }
}
