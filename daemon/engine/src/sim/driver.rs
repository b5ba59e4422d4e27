//! The simulated infrastructure.
//!
//! Tokens work as EC2's do: the same token is answered with what it made before, and never makes anything again,
//! even when that is gone. Another token makes another machine, even where one of the same key is: whoever asks
//! for that without need has made a duplicate.

use std::time::Duration;

use async_trait::async_trait;
use muster_protocol::model::account::Finding;
use muster_protocol::model::cluster::ClusterSpec;
use muster_protocol::{ClusterId, ErrorCode, InstanceId};
use tokio::time::Instant;

use super::audit::Violation;
use super::faults::CallKind;
use super::state::{Change, Marks, Resource, number_of, resource_id};
use super::things::Things;
use super::world::SimWorld;
use crate::context::ClusterContext;
use crate::driver::{Driver, MachineOrder, Owned};
use crate::failure::Failure;
use crate::ledger::{Present, ResourceKey};
use crate::observed::{ObservedMachine, Power};

/// See the module.
pub(super) struct SimDriver {
    world: SimWorld,
}

impl SimDriver {
    pub(super) fn new(world: SimWorld) -> Self {
        Self { world }
    }
}

fn marks(cluster: &ClusterContext) -> Marks {
    Marks { instance: cluster.instance, cluster: cluster.cluster }
}

#[async_trait]
impl Driver for SimDriver {
    fn listing_lag(&self) -> Duration {
        self.world.options().listing_lag
    }

    async fn check(&self) -> Vec<Finding> {
        let message = "the simulated infrastructure needs nothing and makes nothing".to_owned();
        vec![Finding { subject: "sim".to_owned(), ok: true, message, cause: None }]
    }

    async fn preflight(&self, _spec: &ClusterSpec) -> Result<(), Failure> {
        // There is no cluster yet that it could be about.
        self.world.call(CallKind::Preflight, ClusterId::from_u128(0), None, |_| Ok(())).await
    }

    async fn create(&self, cluster: &ClusterContext, order: &MachineOrder) -> Result<Present, Failure> {
        let marks = marks(cluster);
        let tokens = self.world.options().tokens;
        let effect = |things: &mut Things| things.create(marks, order, tokens);
        self.world.call(CallKind::Create, marks.cluster, Some(&order.key), effect).await
    }

    async fn look_up(&self, cluster: &ClusterContext, key: &ResourceKey) -> Result<Option<Present>, Failure> {
        let marks = marks(cluster);
        let effect = |things: &mut Things| {
            let found = things.listed(marks).into_iter().find(|(_, resource)| resource.name == *key);
            Ok(found.map(|(id, resource)| resource.present(id)))
        };
        self.world.call(CallKind::LookUp, marks.cluster, Some(key), effect).await
    }

    async fn start(&self, cluster: &ClusterContext, key: &ResourceKey, id: &str) -> Result<Present, Failure> {
        let marks = marks(cluster);
        let effect = |things: &mut Things| things.start(marks, key, id);
        self.world.call(CallKind::Start, marks.cluster, Some(key), effect).await
    }

    async fn remove(&self, cluster: &ClusterContext, key: &ResourceKey, id: &str) -> Result<(), Failure> {
        let marks = marks(cluster);
        let effect = |things: &mut Things| things.remove(marks, key, id);
        self.world.call(CallKind::Remove, marks.cluster, Some(key), effect).await
    }

    async fn observe(&self, cluster: &ClusterContext) -> Result<Vec<ObservedMachine>, Failure> {
        let marks = marks(cluster);
        let effect = |things: &mut Things| {
            let listed = things.listed(marks).into_iter();
            Ok(listed.filter_map(|(id, resource)| observed_machine(id, &resource)).collect())
        };
        self.world.call(CallKind::ObserveMachines, marks.cluster, None, effect).await
    }

    async fn list_owned(&self, instance: InstanceId, cluster: Option<ClusterId>) -> Result<Vec<Owned>, Failure> {
        let of = cluster.unwrap_or(ClusterId::from_u128(0));
        let effect = |things: &mut Things| {
            let clusters: Vec<ClusterId> = match cluster {
                Some(cluster) => vec![cluster],
                None => things.state.clusters.keys().copied().collect(),
            };
            let owned = clusters.into_iter().flat_map(|cluster| things.owned(Marks { instance, cluster }));
            Ok(owned.collect())
        };
        self.world.call(CallKind::ListOwned, of, None, effect).await
    }
}

fn observed_machine(id: u64, resource: &Resource) -> Option<ObservedMachine> {
    let ResourceKey::Machine(name) = &resource.name else { return None };
    let power = if resource.running { Power::Running } else { Power::Stopped };
    Some(ObservedMachine { name: name.clone(), id: resource_id(id), power })
}

impl Things {
    /// What the infrastructure lists under these marks, by now.
    fn listed(&self, marks: Marks) -> Vec<(u64, Resource)> {
        let now = Instant::now();
        let all = self.bucket(marks.cluster).into_iter().flat_map(|bucket| &bucket.resources);
        let listed = all.filter(|(_, resource)| resource.marks == Some(marks) && resource.visible_from <= now);
        listed.map(|(id, resource)| (*id, resource.clone())).collect()
    }

    fn owned(&self, marks: Marks) -> Vec<Owned> {
        let listed = self.listed(marks).into_iter();
        listed
            .map(|(id, resource)| Owned {
                cluster: marks.cluster,
                present: resource.present(id),
                key: Some(resource.name),
            })
            .collect()
    }

    fn create(&mut self, marks: Marks, order: &MachineOrder, tokens: bool) -> Result<Present, Failure> {
        let (cluster, key) = (marks.cluster, &order.key);
        if !key.is_infrastructure() {
            let message = format!("{key} is nothing that an infrastructure makes");
            return Err(Failure::not_applied(ErrorCode::Internal, message).permanent());
        }
        let bucket = self.bucket(cluster);
        let used = bucket.and_then(|bucket| bucket.tokens.get(&(key.clone(), order.attempt)).copied());
        if let Some(id) = used.filter(|_| tokens) {
            let resource = bucket.and_then(|bucket| bucket.resources.get(&id));
            return resource.map(|resource| resource.present(id)).ok_or_else(|| {
                let message = format!("the token of {key} was used for {}, which is gone", resource_id(id));
                Failure::not_applied(ErrorCode::Provider, message).with_provider_code("TokenUsed")
            });
        }
        let ours = |resource: &Resource| resource.marks == Some(marks);
        let mut resources = bucket.into_iter().flat_map(|bucket| bucket.resources.values());
        let network = resources.clone().any(|other| ours(other) && other.name == ResourceKey::Network);
        if *key != ResourceKey::Network && !network {
            let message = format!("there is no network for {key}");
            return Err(Failure::not_applied(ErrorCode::Provider, message).with_provider_code("NoNetwork"));
        }
        if resources.any(|other| ours(other) && other.name == *key) {
            self.note(Violation::Duplicate(format!("{key} of cluster {cluster} was made a second time")));
        }
        let id = self.next_id();
        let resource = Resource {
            name: key.clone(),
            marks: Some(marks),
            attempt: order.attempt,
            running: true,
            prepared: false,
            visible_from: Instant::now(),
        };
        let present = resource.present(id);
        self.apply(Change::Resource { cluster, id, now: Some(resource) });
        Ok(present)
    }

    fn start(&mut self, marks: Marks, key: &ResourceKey, id: &str) -> Result<Present, Failure> {
        let gone = || Failure::not_applied(ErrorCode::NotFound, format!("{key} ({id}) is not there"));
        let cluster = marks.cluster;
        let number = number_of(id).ok_or_else(gone)?;
        let found = self.bucket(cluster).and_then(|bucket| bucket.resources.get(&number)).cloned();
        let resource = found.ok_or_else(gone)?;
        if resource.marks != Some(marks) {
            self.note(Violation::WrongDelete(format!("{id} without marks of cluster {cluster} was started")));
        }
        let present = resource.present(number);
        if !resource.running {
            self.apply(Change::Resource { cluster, id: number, now: Some(Resource { running: true, ..resource }) });
        }
        Ok(present)
    }

    fn remove(&mut self, marks: Marks, key: &ResourceKey, id: &str) -> Result<(), Failure> {
        let cluster = marks.cluster;
        let Some(number) = number_of(id) else { return Ok(()) };
        let bucket = self.bucket(cluster);
        let Some(resource) = bucket.and_then(|bucket| bucket.resources.get(&number)) else { return Ok(()) };
        if resource.marks != Some(marks) || resource.name != *key {
            let what = format!("{id} without marks of cluster {cluster} was removed as {key}");
            self.note(Violation::WrongDelete(what));
            self.take_away(cluster, number);
            return Ok(());
        }
        let machines = bucket.into_iter().flat_map(|bucket| bucket.resources.values());
        let used = machines.filter(|other| other.is_machine() && other.marks == Some(marks)).count();
        if *key == ResourceKey::Network && used > 0 {
            let message = format!("{used} machines are still on the network");
            return Err(Failure::not_applied(ErrorCode::Provider, message).with_provider_code("DependencyViolation"));
        }
        self.take_away(cluster, number);
        Ok(())
    }
}
