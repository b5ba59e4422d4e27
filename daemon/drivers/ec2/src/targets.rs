//! The control planes behind a cluster's network load balancer: the target group, and who is in it.

use std::collections::BTreeSet;

use aws_sdk_elasticloadbalancingv2::types::{
    ProtocolEnum, TargetDescription, TargetGroup, TargetGroupAttribute, TargetHealthStateEnum, TargetTypeEnum,
};
use muster_engine::context::ClusterContext;
use muster_engine::desired::role_and_number;
use muster_engine::driver::InfraOrder;
use muster_engine::failure::Failure;
use muster_engine::ledger::{Facts, InfraKey, Present};
use muster_protocol::model::host::Role;

use crate::balancer::{API_PORT, Balancer, somebodys};
use crate::listing::Stage;
use crate::mark;
use crate::network::known;
use crate::settings::Settings;
use crate::{Ec2Driver, found, words};

/// How a target group behaves, in AWS's own words.
const ATTRIBUTES: [(&str, &str); 4] = [
    // A control plane that reaches itself through the balancer would else get an answer from itself that it does not expect.
    ("preserve_client_ip.enabled", "false"),
    // A zone without a control plane leads to those in others.
    ("load_balancing.cross_zone.enabled", "true"),
    // Connections to one that was taken out end soon, and their clients find another.
    ("deregistration_delay.timeout_seconds", "10"),
    ("deregistration_delay.connection_termination.enabled", "true"),
];
/// What an API server answers when it serves, with etcd behind it. Anybody may ask.
const HEALTH_PATH: &str = "/readyz";
const HEALTH_INTERVAL_SECONDS: i32 = 10;
const HEALTH_TIMEOUT_SECONDS: i32 = 5;
const HEALTH_THRESHOLD: i32 = 2;

impl Ec2Driver {
    /// Members are addresses, not instances: then the balancer's own address is what a control plane sees, its own requests
    /// among them.
    pub(crate) async fn create_target_group(
        &self,
        cluster: &ClusterContext,
        settings: &Settings,
        order: &InfraOrder,
    ) -> Result<Present, Failure> {
        if let Some(there) = self.target_group(cluster).await? {
            return Ok(found(there));
        }
        let vpc = match &settings.vpc_id {
            Some(given) => given,
            None => known(order, &words::vpc())?,
        };
        let key = words::target_group();
        let name = mark::balancer_name(cluster, &key);
        let tags = mark::elb_tags(cluster, &key);
        let made = self
            .change_elb("create the target group", |elb| {
                elb.create_target_group()
                    .name(&name)
                    .vpc_id(vpc)
                    .target_type(TargetTypeEnum::Ip)
                    .protocol(ProtocolEnum::Tcp)
                    .port(API_PORT)
                    .health_check_protocol(ProtocolEnum::Https)
                    .health_check_path(HEALTH_PATH)
                    .health_check_interval_seconds(HEALTH_INTERVAL_SECONDS)
                    .health_check_timeout_seconds(HEALTH_TIMEOUT_SECONDS)
                    .healthy_threshold_count(HEALTH_THRESHOLD)
                    .unhealthy_threshold_count(HEALTH_THRESHOLD)
                    .set_tags(Some(tags.clone()))
                    .send()
            })
            .await;
        match made {
            Ok(made) => {
                self.made("the target group", made.target_groups().first().and_then(TargetGroup::target_group_arn))
            }
            Err(error) if error.is("DuplicateTargetGroupName") => {
                let there = self.target_group(cluster).await?;
                there.map(found).ok_or_else(|| somebodys(error, "target group", &name))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The cluster's target group, if it is there and its tags say whose it is.
    pub(crate) async fn target_group(&self, cluster: &ClusterContext) -> Result<Option<String>, Failure> {
        let key = words::target_group();
        let name = mark::balancer_name(cluster, &key);
        let listed =
            self.read_elb("look for the target group", |elb| elb.describe_target_groups().names(&name).send()).await;
        let listed = match listed {
            Err(error) if error.is_not_found() => return Ok(None),
            listed => listed?,
        };
        let Some(arn) = listed.target_groups().first().and_then(TargetGroup::target_group_arn) else { return Ok(None) };
        Ok(self.is_ours(cluster, &key, arn).await?.then(|| arn.to_owned()))
    }

    pub(crate) async fn remove_target_group(&self, cluster: &ClusterContext, id: &str) -> Result<(), Failure> {
        let there = self.target_group(cluster).await?;
        self.sure_that_gone(there.as_slice(), id)?;
        let Some(arn) = there else { return Ok(()) };
        let removed = self
            .change_elb("delete the target group", |elb| elb.delete_target_group().target_group_arn(&arn).send())
            .await;
        self.gone_is_well(removed)
    }

    /// Lets the balancer lead to exactly the control planes that are there: new ones first, so that there is always one.
    pub(crate) async fn create_endpoint(
        &self,
        cluster: &ClusterContext,
        order: &InfraOrder,
    ) -> Result<Present, Failure> {
        let group = known(order, &words::target_group())?;
        let control_planes = order.known.iter().filter(|(key, _)| is_control_plane(key));
        let wanted: BTreeSet<String> = control_planes.filter_map(|(_, present)| private_address(present)).collect();
        let attributes = ATTRIBUTES.map(|(key, value)| TargetGroupAttribute::builder().key(key).value(value).build());
        self.change_elb("configure the target group", |elb| {
            let request = elb.modify_target_group_attributes().target_group_arn(group);
            request.set_attributes(Some(attributes.to_vec())).send()
        })
        .await?;
        let present = self.targets(group).await?;
        let missing = descriptions(wanted.difference(&present));
        if !missing.is_empty() {
            self.change_elb("let the load balancer lead to control planes", |elb| {
                elb.register_targets().target_group_arn(group).set_targets(Some(missing.clone())).send()
            })
            .await?;
        }
        let surplus = descriptions(present.difference(&wanted));
        if !surplus.is_empty() {
            let taken_out = self
                .change_elb("take control planes off the load balancer", |elb| {
                    elb.deregister_targets().target_group_arn(group).set_targets(Some(surplus.clone())).send()
                })
                .await;
            match taken_out {
                // Our own earlier call was faster.
                Err(error) if error.is("InvalidTarget") => return Err(error.failure.in_doubt()),
                taken_out => taken_out?,
            };
        }
        let balancer = self.active_balancer(cluster).await?;
        Ok(at(&balancer))
    }

    /// Present if the balancer leads to every control plane that runs. Whether it leads to others too is for whoever brings
    /// it up to date.
    pub(crate) async fn look_up_endpoint(&self, cluster: &ClusterContext) -> Result<Option<Present>, Failure> {
        let Some(group) = self.target_group(cluster).await? else { return Ok(None) };
        let Some(balancer) = self.balancer(cluster).await? else { return Ok(None) };
        if self.listeners(cluster).await?.is_empty() {
            return Ok(None);
        }
        let targets = self.targets(&group).await?;
        let listing = self.listing(cluster.instance, self.options.habits.listing_kept).await?;
        let mut control_planes = listing
            .iter()
            .filter(|one| one.cluster == cluster.cluster && one.stage == Stage::Running)
            .filter(|one| one.key.as_ref().is_some_and(is_control_plane))
            .peekable();
        let are_there = control_planes.peek().is_some();
        let all_led_to =
            control_planes.all(|one| one.private_address.as_ref().is_some_and(|address| targets.contains(address)));
        Ok((are_there && all_led_to).then(|| at(&balancer)))
    }

    /// The addresses that a target group leads to, healthy or not.
    async fn targets(&self, group: &str) -> Result<BTreeSet<String>, Failure> {
        let listed = self
            .read_elb("look at the load balancer's targets", |elb| {
                elb.describe_target_health().target_group_arn(group).send()
            })
            .await?;
        let leaving = [TargetHealthStateEnum::Draining, TargetHealthStateEnum::UnhealthyDraining];
        let there = listed.target_health_descriptions().iter().filter(|one| {
            let state = one.target_health().and_then(|health| health.state());
            !state.is_some_and(|state| leaving.contains(state))
        });
        Ok(there.filter_map(|one| one.target()?.id().map(str::to_owned)).collect())
    }
}

fn at(balancer: &Balancer) -> Present {
    Present::at_endpoint(balancer.arn.clone(), format!("{}:{API_PORT}", balancer.dns_name))
}

fn private_address(present: &Present) -> Option<String> {
    match &present.facts {
        Facts::Machine(access) => Some(access.private_address.clone()),
        Facts::None | Facts::Service { .. } | Facts::Other(_) => None,
    }
}

fn is_control_plane(key: &InfraKey) -> bool {
    let role = key.machine().and_then(role_and_number).map(|(role, _)| role);
    role == Some(Role::ControlPlane)
}

fn descriptions<'a>(addresses: impl Iterator<Item = &'a String>) -> Vec<TargetDescription> {
    addresses.map(|address| TargetDescription::builder().id(address).port(API_PORT).build()).collect()
}
