//! The simulated infrastructure.
//!
//! Tokens work as EC2's do: the same token is answered with what it made before, and never makes anything again,
//! even when that is gone. Another token makes another machine, even where one of the same key is: whoever asks
//! for that without need has made a duplicate.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use muster_protocol::model::account::Finding;
use muster_protocol::model::cluster::ClusterSpec;
use muster_protocol::model::host::Role;
use muster_protocol::{ClusterId, ErrorCode, InstanceId};
use tokio::time::Instant;

use super::audit::Violation;
use super::faults::CallKind;
use super::state::{Change, Marks, Resource, number_of, resource_id};
use super::things::Things;
use super::world::SimWorld;
use crate::context::ClusterContext;
use crate::desired::Desired;
use crate::driver::{Driver, InfraOrder, Marked, Need, Needs, Owned, Promised, network_and_machines};
use crate::failure::Failure;
use crate::ledger::{Facts, InfraKey, InfraKind, Present, ResourceKey};
use crate::observed::{Addresses, ObservedResource, Power};
use crate::spec_mark;

/// See the module.
pub(super) struct SimDriver {
    world: SimWorld,
}

impl SimDriver {
    pub(super) fn new(world: SimWorld) -> Self {
        Self { world }
    }
}

/// What machines of a simple world stand on.
pub const NETWORK: InfraKind = InfraKind::new("network");
const SUBNET: InfraKind = InfraKind::new("subnet");
const SECURITY_GROUP: InfraKind = InfraKind::new("security-group");
const KEY_PAIR: InfraKind = InfraKind::new("key-pair");
const LOAD_BALANCER: InfraKind = InfraKind::new("load-balancer");

impl Needs for SimDriver {
    fn needs(&self, desired: &Desired) -> Vec<Need> {
        if self.world.options().is_cloud { cloud_needs(desired) } else { network_and_machines(NETWORK, desired) }
    }
}

/// Five kinds of resource beside machines, below and above them, as a public cloud has them.
fn cloud_needs(desired: &Desired) -> Vec<Need> {
    if desired.absent {
        return Vec::new();
    }
    let network = InfraKey::only(NETWORK);
    let (subnet, group, keys) = (InfraKey::only(SUBNET), InfraKey::only(SECURITY_GROUP), InfraKey::only(KEY_PAIR));
    let mut needs = vec![
        Need::new(network.clone(), Vec::new()),
        Need::new(subnet.clone(), vec![network.clone()]),
        // Its rules follow the number of machines, so it is brought up to date when that changes.
        Need { key: group.clone(), after: vec![network], input: desired.machines().count() as u64 },
        Need::new(keys.clone(), Vec::new()),
    ];
    let below = [subnet.clone(), group, keys];
    let mut behind = vec![subnet];
    for (name, role) in desired.machines() {
        let machine = InfraKey::for_machine(name);
        needs.push(Need::new(machine.clone(), below.to_vec()));
        if role == Role::ControlPlane {
            behind.push(machine);
        }
    }
    needs.push(Need::new(InfraKey::only(LOAD_BALANCER), behind));
    needs
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

    async fn preflight(&self, _spec: &ClusterSpec, _promised: Promised<'_>) -> Result<(), Failure> {
        // There is no cluster yet that it could be about.
        self.world.call(CallKind::Preflight, ClusterId::from_u128(0), None, |_| Ok(())).await
    }

    async fn create(&self, cluster: &ClusterContext, order: &InfraOrder) -> Result<Present, Failure> {
        let marks = marks(cluster);
        let tokens = self.world.options().tokens;
        let effect = |things: &mut Things| things.create(marks, &cluster.spec, order, tokens);
        self.world.call(CallKind::Create, marks.cluster, Some(&order.key.clone().into()), effect).await
    }

    async fn look_up(&self, cluster: &ClusterContext, key: &InfraKey) -> Result<Option<Present>, Failure> {
        let marks = marks(cluster);
        let effect = |things: &mut Things| {
            let found = things.listed(marks).find(|(_, resource)| resource.name.infra() == Some(key));
            Ok(found.map(|(id, resource)| resource.present(id)))
        };
        self.world.call(CallKind::LookUp, marks.cluster, Some(&key.clone().into()), effect).await
    }

    async fn start(&self, cluster: &ClusterContext, key: &InfraKey, id: &str) -> Result<Present, Failure> {
        let marks = marks(cluster);
        let effect = |things: &mut Things| things.start(marks, key, id);
        self.world.call(CallKind::Start, marks.cluster, Some(&key.clone().into()), effect).await
    }

    async fn remove(&self, cluster: &ClusterContext, key: &InfraKey, id: &str) -> Result<(), Failure> {
        let marks = marks(cluster);
        let effect = |things: &mut Things| things.remove(marks, key, id);
        self.world.call(CallKind::Remove, marks.cluster, Some(&key.clone().into()), effect).await
    }

    async fn observe(&self, cluster: &ClusterContext) -> Result<Vec<ObservedResource>, Failure> {
        let marks = marks(cluster);
        let effect = |things: &mut Things| {
            Ok(things.listed(marks).filter_map(|(id, resource)| observed(id, resource)).collect())
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

    async fn list_marked(&self) -> Result<Vec<Marked>, Failure> {
        let effect = |things: &mut Things| Ok(things.marked());
        self.world.call(CallKind::ListOwned, ClusterId::from_u128(0), None, effect).await
    }

    fn gives_keys_anew(&self) -> bool {
        self.world.options().gives_keys_anew
    }
}

fn observed(id: u64, resource: &Resource) -> Option<ObservedResource> {
    let key = resource.name.infra()?.clone();
    let Facts::Machine(access) = resource.present(id).facts else {
        return Some(ObservedResource { key, id: resource_id(id), power: None, addresses: None });
    };
    let power = if resource.running { Power::Running } else { Power::Stopped };
    let addresses = Addresses { address: access.address, private_address: access.private_address };
    Some(ObservedResource { key, id: resource_id(id), power: Some(power), addresses: Some(addresses) })
}

fn marked(id: u64, resource: &Resource) -> Option<Marked> {
    let Marks { instance, cluster } = resource.marks?;
    let spec = spec_mark::read(|name| resource.spec.get(name).map(String::as_str));
    let owned = Owned { cluster, key: Some(resource.name.clone()), present: resource.present(id) };
    Some(Marked { instance, owned, cluster_name: spec.as_ref().map(|spec| spec.name.clone()), spec })
}

impl Things {
    /// What the infrastructure lists under these marks, by now.
    fn listed(&self, marks: Marks) -> impl Iterator<Item = (u64, &Resource)> {
        let now = Instant::now();
        let all = self.bucket(marks.cluster).into_iter().flat_map(|bucket| &bucket.resources);
        let listed = all.filter(move |(_, resource)| resource.marks == Some(marks) && resource.visible_from <= now);
        listed.map(|(id, resource)| (*id, resource))
    }

    fn owned(&self, marks: Marks) -> Vec<Owned> {
        let listed = self.listed(marks);
        listed
            .map(|(id, resource)| Owned {
                cluster: marks.cluster,
                present: resource.present(id),
                key: Some(resource.name.clone()),
            })
            .collect()
    }

    /// What is listed under anybody's marks.
    fn marked(&self) -> Vec<Marked> {
        let now = Instant::now();
        let all = self.state.clusters.values().flat_map(|bucket| &bucket.resources);
        let listed = all.filter(|(_, resource)| resource.visible_from <= now);
        listed.filter_map(|(id, resource)| marked(*id, resource)).collect()
    }

    fn create(
        &mut self,
        marks: Marks,
        spec: &ClusterSpec,
        order: &InfraOrder,
        tokens: bool,
    ) -> Result<Present, Failure> {
        let (cluster, key) = (marks.cluster, &ResourceKey::from(order.key.clone()));
        if order.key.machine() != order.machine.as_ref().map(|machine| &machine.name) {
            let message = format!("the order of {key} does not say what it is to be");
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
        let mut resources = bucket.into_iter().flat_map(|bucket| &bucket.resources);
        let mut carriers = Vec::new();
        for (needed, present) in &order.known {
            let there = bucket.and_then(|bucket| bucket.resources.get(&number_of(&present.id)?));
            if there.is_none_or(|resource| !ours(resource) || resource.name != needed.clone().into()) {
                let message = format!("there is no {needed} ({}) for {key}", present.id);
                return Err(Failure::not_applied(ErrorCode::Provider, message).with_provider_code("NotFound"));
            }
            carriers.extend(number_of(&present.id).filter(|_| carries(&needed.kind, &order.key)));
        }
        if let Some((id, there)) = resources.find(|(_, other)| ours(other) && other.name == *key) {
            let there = there.present(*id);
            if order.present.as_ref().is_some_and(|present| present.id == there.id) {
                return Ok(there);
            }
            self.note(Violation::Duplicate(format!("{key} of cluster {cluster} was made a second time")));
        }
        if carriers.is_empty() && is_carried(&order.key) {
            let message = format!("nothing that {key} could stand on was named");
            return Err(Failure::not_applied(ErrorCode::Provider, message).with_provider_code("NoNetwork"));
        }
        let id = self.next_id();
        let resource = Resource {
            name: key.clone(),
            marks: Some(marks),
            attempt: order.attempt,
            running: true,
            faltered: false,
            spec: Arc::new(spec_mark::write(spec).into_iter().collect()),
            steps: BTreeMap::new(),
            stands_on: carriers,
            visible_from: Instant::now(),
        };
        let present = resource.present(id);
        self.apply(Change::Resource { cluster, id, now: Some(resource) });
        Ok(present)
    }

    fn start(&mut self, marks: Marks, key: &InfraKey, id: &str) -> Result<Present, Failure> {
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
            self.apply(Change::Resource {
                cluster,
                id: number,
                now: Some(Resource { running: true, faltered: false, ..resource }),
            });
        }
        Ok(present)
    }

    fn remove(&mut self, marks: Marks, key: &InfraKey, id: &str) -> Result<(), Failure> {
        let cluster = marks.cluster;
        let Some(number) = number_of(id) else { return Ok(()) };
        let bucket = self.bucket(cluster);
        let Some(resource) = bucket.and_then(|bucket| bucket.resources.get(&number)) else { return Ok(()) };
        if resource.marks != Some(marks) || resource.name != key.clone().into() {
            let what = format!("{id} without marks of cluster {cluster} was removed as {key}");
            self.note(Violation::WrongDelete(what));
            self.take_away(cluster, number);
            return Ok(());
        }
        let others = bucket.into_iter().flat_map(|bucket| bucket.resources.values());
        let used = others.filter(|other| other.stands_on.contains(&number)).count();
        if used > 0 {
            let message = format!("{used} others still stand on {key}");
            return Err(Failure::not_applied(ErrorCode::Provider, message).with_provider_code("DependencyViolation"));
        }
        self.take_away(cluster, number);
        Ok(())
    }
}

/// Whether a resource of this kind is one that the other stands on, and cannot go before.
fn carries(kind: &InfraKind, key: &InfraKey) -> bool {
    if key.kind == LOAD_BALANCER {
        return *kind == SUBNET;
    }
    if key.machine().is_some() {
        return [NETWORK, SUBNET, SECURITY_GROUP, KEY_PAIR].contains(kind);
    }
    [SUBNET, SECURITY_GROUP].contains(&key.kind) && *kind == NETWORK
}

fn is_carried(key: &InfraKey) -> bool {
    key.machine().is_some() || [SUBNET, SECURITY_GROUP, LOAD_BALANCER].contains(&key.kind)
}
