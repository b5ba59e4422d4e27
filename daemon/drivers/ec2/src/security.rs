//! The security group of a cluster's machines, and what it lets in.

use std::collections::BTreeSet;

use aws_sdk_ec2::types::{IpPermission, ResourceType, SecurityGroup};
use muster_engine::context::ClusterContext;
use muster_engine::driver::InfraOrder;
use muster_engine::failure::Failure;
use muster_engine::ledger::Present;

use crate::mark::{self, filters_of, specification};
use crate::network::{known, sorted};
use crate::rules::{self, Rule};
use crate::settings::Settings;
use crate::words;
use crate::{Ec2Driver, found};

impl Ec2Driver {
    pub(crate) async fn create_group(
        &self,
        cluster: &ClusterContext,
        settings: &Settings,
        order: &InfraOrder,
    ) -> Result<Present, Failure> {
        let key = words::group();
        if let Some(group) = self.groups(cluster).await?.into_iter().next() {
            return self.made("the security group", group.group_id());
        }
        let vpc = match &settings.vpc_id {
            Some(given) => given,
            None => known(order, &words::vpc())?,
        };
        let tags = specification(ResourceType::SecurityGroup, cluster, &key);
        let made = self
            .change("create the security group", |ec2| {
                ec2.create_security_group()
                    .group_name(mark::name(cluster, &key))
                    .description(format!("machines of the Muster cluster {}", cluster.name()))
                    .vpc_id(vpc)
                    .tag_specifications(tags.clone())
                    .send()
            })
            .await;
        match made {
            Ok(made) => self.made("the security group", made.group_id()),
            Err(error) if error.is("InvalidGroup.Duplicate") => {
                let there = self.groups(cluster).await?.into_iter().next();
                let id = there.as_ref().and_then(SecurityGroup::group_id);
                id.map(|id| found(id.to_owned())).ok_or_else(|| error.failure.in_doubt())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The cluster's group, and others that carry its marks.
    pub(crate) async fn groups(&self, cluster: &ClusterContext) -> Result<Vec<SecurityGroup>, Failure> {
        let filters = filters_of(cluster, &words::group());
        let listed = self
            .read("look for the security group", |ec2| {
                ec2.describe_security_groups().set_filters(Some(filters.clone())).send()
            })
            .await?;
        let mut groups = listed.security_groups().to_vec();
        groups.sort_by(|a, b| a.group_id().cmp(&b.group_id()));
        Ok(groups)
    }

    pub(crate) async fn remove_group(&self, cluster: &ClusterContext, id: &str) -> Result<(), Failure> {
        let there = sorted(self.groups(cluster).await?.iter().filter_map(SecurityGroup::group_id));
        self.sure_that_gone(&there, id)?;
        for id in there {
            let removed =
                self.change("delete the security group", |ec2| ec2.delete_security_group().group_id(&id).send()).await;
            self.gone_is_well(removed)?;
        }
        Ok(())
    }

    /// Makes the group let in what it should and nothing else: new rules first, so that nobody is cut off meanwhile.
    pub(crate) async fn create_rules(
        &self,
        cluster: &ClusterContext,
        settings: &Settings,
        order: &InfraOrder,
    ) -> Result<Present, Failure> {
        let id = known(order, &words::group())?;
        let groups = self.groups(cluster).await?;
        let Some(group) = groups.iter().find(|group| group.group_id() == Some(id)) else {
            let message = format!("the security group {id} is not listed (yet)");
            return Err(Failure::not_applied(muster_protocol::ErrorCode::Provider, message));
        };
        let wanted = rules::wanted(settings, cluster.spec.orchestrator);
        let present = rules::present(id, group.ip_permissions());
        let missing = permissions(id, wanted.difference(&present));
        if !missing.is_empty() {
            let made = self
                .change("let the machines be reached", |ec2| {
                    let request = ec2.authorize_security_group_ingress().group_id(id);
                    request.set_ip_permissions(Some(missing.clone())).send()
                })
                .await;
            match made {
                Ok(_) => {}
                // Our own earlier call was faster: what is missing now shows at the next try.
                Err(error) if error.is("InvalidPermission.Duplicate") => return Err(error.failure.in_doubt()),
                Err(error) => return Err(error.into()),
            }
        }
        let revoked = self.revoke_others(id, group.ip_permissions(), &wanted).await;
        revoked.map_err(|failure| if missing.is_empty() { failure } else { failure.in_doubt() })?;
        Ok(found(id.to_owned()))
    }

    /// Present only if the group lets in exactly what it should.
    pub(crate) async fn look_up_rules(
        &self,
        cluster: &ClusterContext,
        settings: &Settings,
    ) -> Result<Option<Present>, Failure> {
        let wanted = rules::wanted(settings, cluster.spec.orchestrator);
        let groups = self.groups(cluster).await?;
        let Some(group) = groups.first() else { return Ok(None) };
        let id = group.group_id().unwrap_or_default();
        Ok((rules::present(id, group.ip_permissions()) == wanted).then(|| found(id.to_owned())))
    }

    async fn revoke_others(
        &self,
        group: &str,
        permissions: &[IpPermission],
        wanted: &BTreeSet<Rule>,
    ) -> Result<(), Failure> {
        // One permission of EC2 may stand for many rules; one with a rule too many goes whole if nothing in it is wanted.
        let surplus: Vec<IpPermission> = permissions
            .iter()
            .flat_map(split)
            .filter(|single| rules::present(group, std::slice::from_ref(single)).is_disjoint(wanted))
            .collect();
        if surplus.is_empty() {
            return Ok(());
        }
        let revoked = self
            .change("take back rules that are not wanted", |ec2| {
                let request = ec2.revoke_security_group_ingress().group_id(group);
                request.set_ip_permissions(Some(surplus.clone())).send()
            })
            .await;
        match revoked {
            Err(error) if error.is("InvalidPermission.NotFound") => Ok(()),
            other => other.map(|_| ()).map_err(Failure::from),
        }
    }
}

fn permissions<'a>(group: &str, rules: impl Iterator<Item = &'a Rule>) -> Vec<IpPermission> {
    rules.filter_map(|rule| rules::permission(group, rule)).collect()
}

/// A permission cut into those of one source each.
fn split(permission: &IpPermission) -> Vec<IpPermission> {
    let base = || {
        IpPermission::builder()
            .set_ip_protocol(permission.ip_protocol().map(str::to_owned))
            .set_from_port(permission.from_port())
            .set_to_port(permission.to_port())
    };
    let mut singles = Vec::new();
    singles.extend(permission.ip_ranges().iter().map(|range| base().ip_ranges(range.clone()).build()));
    singles.extend(permission.ipv6_ranges().iter().map(|range| base().ipv6_ranges(range.clone()).build()));
    singles
        .extend(permission.user_id_group_pairs().iter().map(|pair| base().user_id_group_pairs(pair.clone()).build()));
    singles.extend(permission.prefix_list_ids().iter().map(|list| base().prefix_list_ids(list.clone()).build()));
    singles
}
