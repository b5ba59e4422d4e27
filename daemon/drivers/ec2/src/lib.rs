//! Machines on Amazon EC2, and on clouds that speak its API.
//!
//! One driver is one account in one region, shared by all clusters of the account. Everything that it makes carries the
//! owner marks as tags from the call that makes it, and is found, listed and removed by those tags. See `words` for what
//! a cluster needs and what stands on what, and `docs/infrastructure/ec2.md` for operators.

mod balancer;
mod balancer_limit;
mod balancer_marks;
mod boot;
mod call;
mod check;
mod cidr;
mod connect;
mod failure;
mod gateway;
mod host_key;
mod image;
mod key_pair;
mod known;
mod limiter;
mod listing;
mod machine;
mod mark;
mod network;
mod options;
mod owned;
mod ports;
mod removal;
mod rules;
#[cfg(test)]
mod samples;
mod security;
mod settings;
mod targets;
mod words;

use std::collections::HashMap;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_ec2::types::{InternetGateway, SecurityGroup};
use muster_engine::context::ClusterContext;
use muster_engine::desired::Desired;
use muster_engine::driver::{Driver, InfraOrder, Marked, Need, Needs, Owned, Promised};
use muster_engine::failure::Failure;
use muster_engine::ledger::{Facts, InfraKey, Present};
use muster_engine::observed::ObservedResource;
use muster_engine::options::KnownOption;
use muster_protocol::model::account::Finding;
use muster_protocol::model::cluster::ClusterSpec;
use muster_protocol::{ClusterId, ErrorCode, InstanceId};
use tokio::sync::{Mutex, OnceCell};
use tokio::time::Instant;

pub use crate::options::{AssumedRole, Ec2Credentials, Ec2Options, Habits, StaticKeys};

use crate::connect::Clients;
use crate::image::ChosenImage;
use crate::limiter::Limiter;
use crate::network::sorted;
use crate::settings::Settings;
use crate::words::Word;

/// What an image was asked for by: id, owner, name, and the machines' type.
type ImageWish = (Option<String>, String, String, String);

/// The driver of one account at EC2.
pub struct Ec2Driver {
    options: Ec2Options,
    clients: OnceCell<Clients>,
    limiter: Limiter,
    images: Mutex<HashMap<ImageWish, (ChosenImage, Instant)>>,
    last_listing: Mutex<listing::Kept>,
    /// What was made a short while ago and may not be listed yet.
    fresh: std::sync::Mutex<HashMap<String, Instant>>,
    /// What an earlier life of the daemon made just before this is not known.
    started: Instant,
}

impl Ec2Driver {
    /// A driver with these options. Nothing is asked yet.
    pub fn new(options: Ec2Options) -> Self {
        let limiter = Limiter::new(options.habits.reads_per_second, options.habits.changes_per_second);
        Self {
            options,
            clients: OnceCell::new(),
            limiter,
            images: Mutex::default(),
            last_listing: Mutex::default(),
            fresh: std::sync::Mutex::default(),
            started: Instant::now(),
        }
    }

    async fn clients(&self) -> Clients {
        self.clients.get_or_init(|| connect::clients(&self.options)).await.clone()
    }

    fn settings(&self, spec: &ClusterSpec) -> Result<Settings, Failure> {
        Settings::of(&self.options.defaults, spec)
    }

    /// Remembers what was just made, as long as it may be missing from listings.
    fn remember(&self, id: &str) {
        let lag = self.options.habits.listing_lag;
        let mut fresh = self.fresh.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        fresh.retain(|_, at| at.elapsed() < lag);
        fresh.insert(id.to_owned(), Instant::now());
    }

    /// Whether this may be there although no listing has it.
    fn may_be_unlisted(&self, id: &str) -> bool {
        let lag = self.options.habits.listing_lag;
        let fresh = self.fresh.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        self.started.elapsed() < lag || fresh.get(id).is_some_and(|at| at.elapsed() < lag)
    }

    /// The answer to a creation.
    fn made(&self, what: &str, id: Option<&str>) -> Result<Present, Failure> {
        let id = id.filter(|id| !id.is_empty()).ok_or_else(|| {
            Failure::maybe_applied(ErrorCode::Provider, format!("EC2 answered without the id of {what}"))
        })?;
        self.remember(id);
        Ok(found(id.to_owned()))
    }
}

/// A resource of which nothing but its id is needed.
pub(crate) fn found(id: String) -> Present {
    Present { id, facts: Facts::None }
}

impl Needs for Ec2Driver {
    fn needs(&self, desired: &Desired) -> Vec<Need> {
        if desired.absent {
            return Vec::new();
        }
        let settings = Settings::lenient(&self.options.defaults, &desired.spec);
        words::needs(&settings, desired)
    }

    fn endpoint(&self, desired: &Desired) -> Option<InfraKey> {
        let has_one = !desired.absent && Settings::gives_balancer(&self.options.defaults, &desired.spec);
        has_one.then(words::endpoint)
    }
}

#[async_trait]
impl Driver for Ec2Driver {
    fn listing_lag(&self) -> Duration {
        self.options.habits.listing_lag
    }

    fn options(&self) -> &'static [KnownOption] {
        &known::KNOWN
    }

    async fn check(&self) -> Vec<Finding> {
        self.findings().await
    }

    async fn preflight(&self, spec: &ClusterSpec, promised: Promised<'_>) -> Result<(), Failure> {
        self.refuse_what_cannot_be(spec, promised).await
    }

    async fn create(&self, cluster: &ClusterContext, order: &InfraOrder) -> Result<Present, Failure> {
        let settings = self.settings(&cluster.spec)?;
        match Word::of(&order.key)? {
            Word::Vpc => self.create_vpc(cluster, &settings).await,
            Word::Subnet => self.create_subnet(cluster, &settings, order).await,
            Word::Gateway => self.create_gateway(cluster).await,
            Word::Attachment => self.create_attachment(cluster, order).await,
            Word::Route => self.create_route(order).await,
            Word::Group => self.create_group(cluster, &settings, order).await,
            Word::Rules => self.create_rules(cluster, &settings, order).await,
            Word::KeyPair => self.create_key_pair(cluster).await,
            Word::TargetGroup => self.create_target_group(cluster, &settings, order).await,
            Word::Balancer => self.create_balancer(cluster, &settings, order).await,
            Word::Listener => self.create_listener(cluster, order).await,
            Word::Endpoint => self.create_endpoint(cluster, order).await,
            Word::Machine => self.create_machine(cluster, &settings, order).await,
        }
    }

    async fn look_up(&self, cluster: &ClusterContext, key: &InfraKey) -> Result<Option<Present>, Failure> {
        let settings = Settings::lenient(&self.options.defaults, &cluster.spec);
        let ids = match Word::of(key)? {
            Word::Attachment => return self.look_up_attachment(cluster).await,
            Word::Route => return self.look_up_route(cluster).await,
            Word::Rules => return self.look_up_rules(cluster, &settings).await,
            Word::Machine => return self.look_up_machine(cluster, &settings, key).await,
            Word::Vpc => self.vpcs(cluster).await?,
            Word::Subnet => self.subnets(cluster, key).await?,
            Word::Gateway => {
                sorted(self.gateways(cluster).await?.iter().filter_map(InternetGateway::internet_gateway_id))
            }
            Word::Group => sorted(self.groups(cluster).await?.iter().filter_map(SecurityGroup::group_id)),
            Word::KeyPair => self.key_pairs(cluster).await?,
            Word::TargetGroup => self.target_group(cluster).await?.into_iter().collect(),
            Word::Balancer => self.balancer(cluster).await?.map(|balancer| balancer.arn).into_iter().collect(),
            Word::Listener => self.listeners(cluster).await?,
            Word::Endpoint => return self.look_up_endpoint(cluster).await,
        };
        Ok(ids.into_iter().next().map(found))
    }

    async fn look_up_known(
        &self,
        cluster: &ClusterContext,
        key: &InfraKey,
        known: &Present,
    ) -> Result<Option<Present>, Failure> {
        match Word::of(key)? {
            Word::Machine => {
                let settings = Settings::lenient(&self.options.defaults, &cluster.spec);
                self.look_up_known_machine(cluster, &settings, key, known).await
            }
            Word::Vpc
            | Word::Subnet
            | Word::Gateway
            | Word::Attachment
            | Word::Route
            | Word::Group
            | Word::Rules
            | Word::KeyPair
            | Word::TargetGroup
            | Word::Balancer
            | Word::Listener
            | Word::Endpoint => self.look_up(cluster, key).await,
        }
    }

    async fn start(&self, cluster: &ClusterContext, key: &InfraKey, id: &str) -> Result<Present, Failure> {
        let settings = self.settings(&cluster.spec)?;
        self.change("start the instance", |ec2| ec2.start_instances().instance_ids(id).send()).await?;
        self.reached(cluster, &settings, key, id).await
    }

    async fn remove(&self, cluster: &ClusterContext, key: &InfraKey, id: &str) -> Result<(), Failure> {
        match Word::of(key)? {
            Word::Vpc => self.remove_vpc(cluster, id).await,
            Word::Subnet => self.remove_subnet(cluster, key, id).await,
            Word::Gateway => self.remove_gateway(cluster, id).await,
            Word::Attachment => self.remove_attachment(cluster).await,
            Word::Route => self.remove_route(cluster).await,
            Word::Group => self.remove_group(cluster, id).await,
            // They go with their group, which goes next, and registrations with theirs.
            Word::Rules | Word::Endpoint => Ok(()),
            Word::KeyPair => self.remove_key_pair(cluster, id).await,
            Word::TargetGroup => self.remove_target_group(cluster, id).await,
            Word::Balancer => self.remove_balancer(cluster, id).await,
            Word::Listener => self.remove_listeners(cluster).await,
            Word::Machine => self.remove_machine(cluster, key, id).await,
        }
    }

    async fn observe(&self, cluster: &ClusterContext) -> Result<Vec<ObservedResource>, Failure> {
        let settings = Settings::lenient(&self.options.defaults, &cluster.spec);
        let listing = self.listing(cluster.instance, self.options.habits.listing_kept).await?;
        let ours = listing.iter().filter(|machine| machine.cluster == cluster.cluster);
        Ok(ours
            .filter_map(|machine| {
                Some(ObservedResource {
                    key: machine.key.clone()?,
                    id: machine.id.clone(),
                    power: Some(machine.stage.power()?),
                    addresses: Self::addresses(&settings, machine),
                })
            })
            .collect())
    }

    async fn list_owned(&self, instance: InstanceId, cluster: Option<ClusterId>) -> Result<Vec<Owned>, Failure> {
        self.everything_owned(instance, cluster).await
    }

    async fn list_marked(&self) -> Result<Vec<Marked>, Failure> {
        self.everything_marked(None).await
    }
}
