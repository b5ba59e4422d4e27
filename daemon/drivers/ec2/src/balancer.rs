//! The network load balancer of a cluster's control planes, and its listener.
//!
//! Load balancers are found by their name, which is the cluster's own, and count only if their tags say so.

use std::collections::BTreeMap;

use aws_sdk_ec2::types::Subnet;
use aws_sdk_elasticloadbalancingv2::types::{
    Action, ActionTypeEnum, IpAddressType, Listener, LoadBalancer, LoadBalancerSchemeEnum, LoadBalancerStateEnum,
    LoadBalancerTypeEnum, ProtocolEnum,
};
use muster_engine::context::ClusterContext;
use muster_engine::driver::InfraOrder;
use muster_engine::failure::Failure;
use muster_engine::ledger::Present;
use muster_protocol::ErrorCode;
use tokio::time::{Instant, sleep};

use crate::failure::CallError;
use crate::mark::{self, filter};
use crate::network::known;
use crate::settings::Settings;
use crate::{Ec2Driver, found, words};

/// Where API servers of Kubernetes listen, and the balancer before them.
pub(crate) const API_PORT: i32 = 6443;

/// A load balancer of ours.
pub(crate) struct Balancer {
    pub(crate) arn: String,
    /// The name under which its addresses are found.
    pub(crate) dns_name: String,
    state: Option<LoadBalancerStateEnum>,
}

impl Ec2Driver {
    /// The balancer is a member of the machines' security group: so the machines reach it, it reaches them, and the daemon
    /// is let in where it is let in to them.
    pub(crate) async fn create_balancer(
        &self,
        cluster: &ClusterContext,
        settings: &Settings,
        order: &InfraOrder,
    ) -> Result<Present, Failure> {
        if let Some(there) = self.balancer(cluster).await? {
            return Ok(found(there.arn));
        }
        let key = words::balancer();
        let name = mark::balancer_name(cluster, &key);
        let group = known(order, &words::group())?;
        let subnets = self.subnets_of_balancer(settings, order).await?;
        let tags = mark::elb_tags(cluster, &key);
        let made = self
            .change_elb("create the load balancer", |elb| {
                elb.create_load_balancer()
                    .name(&name)
                    .r#type(LoadBalancerTypeEnum::Network)
                    .scheme(LoadBalancerSchemeEnum::Internal)
                    .ip_address_type(IpAddressType::Ipv4)
                    .set_subnets(Some(subnets.clone()))
                    .security_groups(group)
                    .set_tags(Some(tags.clone()))
                    .send()
            })
            .await;
        match made {
            Ok(made) => {
                self.made("the load balancer", made.load_balancers().first().and_then(LoadBalancer::load_balancer_arn))
            }
            Err(error) if error.is("DuplicateLoadBalancerName") => {
                // Our own earlier call was faster, or somebody else's has the name.
                let there = self.balancer(cluster).await?;
                there.map(|there| found(there.arn)).ok_or_else(|| somebodys(error, "load balancer", &name))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// One subnet in each zone: a balancer takes no more. Those of an own VPC are in different zones.
    async fn subnets_of_balancer(&self, settings: &Settings, order: &InfraOrder) -> Result<Vec<String>, Failure> {
        if settings.vpc_id.is_none() {
            let subnets = words::subnets(settings);
            return subnets.iter().map(|key| known(order, key).map(str::to_owned)).collect();
        }
        let ids = settings.subnet_ids.clone();
        let listed = self
            .read("look at the subnets", |ec2| ec2.describe_subnets().set_subnet_ids(Some(ids.clone())).send())
            .await?;
        let mut by_zone: BTreeMap<&str, &str> = BTreeMap::new();
        let zone =
            |subnet: &Subnet| (subnet.availability_zone().map(str::to_owned), subnet.subnet_id().map(str::to_owned));
        let zones: BTreeMap<String, String> =
            listed.subnets().iter().map(zone).filter_map(|(zone, id)| Some((id?, zone?))).collect();
        // In the order in which they were given, so that the same one is chosen ever again.
        for id in &settings.subnet_ids {
            if let Some(zone) = zones.get(id) {
                by_zone.entry(zone).or_insert(id);
            }
        }
        Ok(by_zone.into_values().map(str::to_owned).collect())
    }

    /// The cluster's balancer, if it is there and its tags say whose it is.
    pub(crate) async fn balancer(&self, cluster: &ClusterContext) -> Result<Option<Balancer>, Failure> {
        let key = words::balancer();
        let name = mark::balancer_name(cluster, &key);
        let listed =
            self.read_elb("look for the load balancer", |elb| elb.describe_load_balancers().names(&name).send()).await;
        let listed = match listed {
            Err(error) if error.is_not_found() => return Ok(None),
            listed => listed?,
        };
        let Some(there) = listed.load_balancers().first() else { return Ok(None) };
        let Some(arn) = there.load_balancer_arn() else { return Ok(None) };
        if !self.is_ours(cluster, &key, arn).await? {
            return Ok(None);
        }
        Ok(Some(Balancer {
            arn: arn.to_owned(),
            dns_name: there.dns_name().unwrap_or_default().to_owned(),
            state: there.state().and_then(|state| state.code()).cloned(),
        }))
    }

    /// The balancer as soon as it takes connections.
    pub(crate) async fn active_balancer(&self, cluster: &ClusterContext) -> Result<Balancer, Failure> {
        let limit = self.options.habits.boot_limit;
        let deadline = Instant::now() + limit;
        loop {
            let Some(balancer) = self.balancer(cluster).await? else {
                let message = "the load balancer is not listed (yet), or has lost the tags that say whose it is";
                return Err(Failure::not_applied(ErrorCode::Provider, message));
            };
            match balancer.state {
                Some(LoadBalancerStateEnum::Provisioning) => {}
                Some(LoadBalancerStateEnum::Failed) => {
                    let message = format!("AWS could not set up the load balancer {}", balancer.arn);
                    return Err(Failure::not_applied(ErrorCode::Provider, message)
                        .with_remedy("see the cause in the EC2 console, and remove it there: Muster makes another"));
                }
                // A state that it may get is one in which it works, as far as anybody can say.
                Some(_) | None => return Ok(balancer),
            }
            if Instant::now() >= deadline {
                let message = format!("the load balancer is not set up after {} s", limit.as_secs());
                return Err(Failure::not_applied(ErrorCode::Provider, message));
            }
            sleep(self.options.habits.poll).await;
        }
    }

    pub(crate) async fn remove_balancer(&self, cluster: &ClusterContext, id: &str) -> Result<(), Failure> {
        let there = self.balancer(cluster).await?;
        self.sure_that_gone(&there.iter().map(|there| there.arn.clone()).collect::<Vec<_>>(), id)?;
        if let Some(Balancer { arn, .. }) = there {
            let removed = self
                .change_elb("delete the load balancer", |elb| elb.delete_load_balancer().load_balancer_arn(&arn).send())
                .await;
            self.gone_is_well(removed)?;
        }
        self.await_end_of_interfaces(id).await
    }

    /// A balancer's network interfaces go some time after it, and until then nothing that it stood on can go. They have no
    /// tags: their description names the balancer.
    async fn await_end_of_interfaces(&self, arn: &str) -> Result<(), Failure> {
        let Some((_, name)) = arn.split_once("loadbalancer/") else { return Ok(()) };
        let description = filter("description", format_args!("ELB {name}"));
        let deadline = Instant::now() + self.options.habits.termination_limit;
        loop {
            let listed = self
                .read("look for network interfaces of the load balancer", |ec2| {
                    ec2.describe_network_interfaces().filters(description.clone()).send()
                })
                .await?;
            if listed.network_interfaces().is_empty() {
                return Ok(());
            }
            if Instant::now() >= deadline {
                let message = format!("network interfaces of the load balancer {name} are still there");
                return Err(Failure::maybe_applied(ErrorCode::Provider, message));
            }
            sleep(self.options.habits.poll).await;
        }
    }

    pub(crate) async fn create_listener(
        &self,
        cluster: &ClusterContext,
        order: &InfraOrder,
    ) -> Result<Present, Failure> {
        if let Some(there) = self.listeners(cluster).await?.into_iter().next() {
            return Ok(found(there));
        }
        let (balancer, group) = (known(order, &words::balancer())?, known(order, &words::target_group())?);
        let forward = Action::builder().r#type(ActionTypeEnum::Forward).target_group_arn(group).build();
        let tags = mark::elb_tags(cluster, &words::listener());
        let made = self
            .change_elb("create the load balancer's listener", |elb| {
                elb.create_listener()
                    .load_balancer_arn(balancer)
                    .protocol(ProtocolEnum::Tcp)
                    .port(API_PORT)
                    .default_actions(forward.clone())
                    .set_tags(Some(tags.clone()))
                    .send()
            })
            .await;
        match made {
            Ok(made) => self.made("the listener", made.listeners().first().and_then(Listener::listener_arn)),
            Err(error) if error.is("DuplicateListener") => {
                let there = self.listeners(cluster).await?.into_iter().next();
                there.map(found).ok_or_else(|| error.failure.in_doubt())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The listeners of the cluster's balancer: whatever is on it is the cluster's.
    pub(crate) async fn listeners(&self, cluster: &ClusterContext) -> Result<Vec<String>, Failure> {
        let Some(Balancer { arn, .. }) = self.balancer(cluster).await? else { return Ok(Vec::new()) };
        let listed =
            self.read_elb("look for the listener", |elb| elb.describe_listeners().load_balancer_arn(&arn).send()).await;
        let listed = match listed {
            Err(error) if error.is_not_found() => return Ok(Vec::new()),
            listed => listed?,
        };
        Ok(listed.listeners().iter().filter_map(Listener::listener_arn).map(str::to_owned).collect())
    }

    pub(crate) async fn remove_listeners(&self, cluster: &ClusterContext) -> Result<(), Failure> {
        for arn in self.listeners(cluster).await? {
            let removed =
                self.change_elb("delete the listener", |elb| elb.delete_listener().listener_arn(&arn).send()).await;
            self.gone_is_well(removed)?;
        }
        Ok(())
    }
}

/// Something that is not ours has the name that only ours should have.
pub(crate) fn somebodys(error: CallError, what: &str, name: &str) -> Failure {
    let failure = error.failure;
    let message =
        format!("{}: a {what} of the name {name} is there without the tags that say whose it is", failure.message);
    Failure { code: ErrorCode::Conflict, message, ..failure }
        .with_remedy("see whose it is, and remove it or give it another name; Muster tries again by itself")
}
