//! The twins themselves: that they are strict, misbehave on demand, and notice what must not be.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use muster_protocol::model::cluster::{ClusterSpec, Infrastructure, MachineShape, Orchestrator};
use muster_protocol::model::service::ServiceSpec;
use muster_protocol::{ClusterId, ErrorCode, InstanceId, Name, ServiceId};
use tokio::sync::Notify;
use tokio::time::timeout;

use super::*;
use crate::context::{ClusterContext, Material};
use crate::desired::{machine_name, role_and_number};
use crate::driver::{InfraOrder, MachineOrder};
use crate::failure::{Certainty, Failure};
use crate::handler::{Handler, ServiceOrder};
use crate::ledger::{Facts, InfraKey, Present, StepRun};
use crate::member::Member;
use crate::preparer::StepOrder;
use crate::recipe::{MachineStep, Prepared};
use muster_protocol::model::host::Role;

const INSTANCE: InstanceId = InstanceId::from_u128(7);

fn context() -> Arc<ClusterContext> {
    let spec = ClusterSpec::new("demo".parse().unwrap(), Orchestrator::Sim, Infrastructure::Sim);
    let spec = ClusterSpec { control_planes: 3, workers: 1, ..spec };
    let cluster = ClusterId::from_u128(42);
    Arc::new(ClusterContext { instance: INSTANCE, cluster, spec, material: Material::default() })
}

fn network() -> InfraKey {
    InfraKey::only(NETWORK)
}

fn order(key: InfraKey, attempt: u32) -> InfraOrder {
    let machine = key.machine().map(|name| {
        let (role, _) = role_and_number(name).unwrap();
        MachineOrder { name: name.clone(), role, shape: MachineShape::default() }
    });
    InfraOrder { key, machine, present: None, known: BTreeMap::new(), attempt }
}

fn control_plane(number: u32) -> InfraKey {
    InfraKey::for_machine(machine_name(Role::ControlPlane, number))
}

async fn member(world: &SimWorld, key: InfraKey) -> Member {
    let context = context();
    let made = world.driver().create(&context, &order(network(), 0)).await.unwrap();
    let known = BTreeMap::from([(network(), made)]);
    let machine = world.driver().create(&context, &InfraOrder { known, ..order(key.clone(), 0) }).await.unwrap();
    let name = key.machine().unwrap().clone();
    let Facts::Machine(access) = machine.facts else { panic!("{name} cannot be reached") };
    let (role, _) = role_and_number(&name).unwrap();
    let recipe = world.preparer().offered(&context.spec);
    let target = Prepared { recipe, role, peers: String::new() };
    let run = StepRun { step: MachineStep::Prepare, target, run: 1 };
    let step = StepOrder { machine: name.clone(), role, access: access.clone(), run, peers: Vec::new(), renewal: 0 };
    world.preparer().perform(&context, &step).await.unwrap();
    Member { machine: name, role, access, node_id: None }
}

/// A formed cluster with so many control planes.
async fn formed(world: &SimWorld, control_planes: u32) -> (Arc<dyn Handler>, Vec<Member>) {
    let handler = world.handler(context());
    let mut members: Vec<Member> = Vec::new();
    for number in 1..=control_planes {
        let mut member = member(world, control_plane(number)).await;
        if number == 1 {
            handler.form(&member).await.unwrap();
        }
        members.push(member.clone());
        member.node_id = Some(handler.join(&members, &member).await.unwrap().id);
        *members.last_mut().unwrap() = member;
    }
    (handler, members)
}

fn service(image: &str, generation: u64) -> ServiceOrder {
    let text = format!(r#"{{"name": "web", "image": "{image}", "replicas": 4}}"#);
    let spec: ServiceSpec = serde_json::from_str(&text).unwrap();
    ServiceOrder {
        id: ServiceId::from_u128(5),
        generation,
        spec,
        secrets_version: 0,
        digest: None,
        refresh: false,
        login: None,
    }
}

#[tokio::test]
async fn the_same_token_makes_nothing_twice_and_another_one_does_and_is_noticed() {
    let world = SimWorld::new(SimOptions::default());
    let (driver, context) = (world.driver(), context());
    let first = driver.create(&context, &order(network(), 0)).await.unwrap();
    let again = driver.create(&context, &order(network(), 0)).await.unwrap();
    assert_eq!(first, again);
    assert!(world.audit(INSTANCE, &[context.cluster]).is_clean());

    driver.create(&context, &order(network(), 1)).await.unwrap();
    assert!(!world.audit(INSTANCE, &[context.cluster]).duplicates.is_empty());
}

#[tokio::test]
async fn a_token_stays_used_when_what_it_made_is_gone() {
    let world = SimWorld::new(SimOptions::default());
    let (driver, context) = (world.driver(), context());
    let first = driver.create(&context, &order(network(), 0)).await.unwrap();
    driver.remove(&context, &network(), &first.id).await.unwrap();
    let failure = driver.create(&context, &order(network(), 0)).await.unwrap_err();
    assert_eq!(failure.certainty, Certainty::NotApplied);
    assert!(driver.create(&context, &order(network(), 1)).await.is_ok());
}

#[tokio::test]
async fn removing_what_is_not_ours_is_noticed_even_if_it_looks_like_ours() {
    let context = context();
    let another = InstanceId::from_u128(8);
    for owner in [None, Some((another, context.cluster)), Some((INSTANCE, ClusterId::from_u128(43)))] {
        let world = SimWorld::new(SimOptions::default());
        let id = world.seed_foreign(context.cluster, owner, control_plane(1).into());
        assert!(world.driver().observe(&context).await.unwrap().is_empty());
        assert_eq!(world.driver().look_up(&context, &control_plane(1)).await.unwrap(), None);
        world.driver().remove(&context, &control_plane(1), &id).await.unwrap();
        assert_eq!(world.audit(another, &[]).wrong_deletes.len(), 1);
    }
}

#[tokio::test]
async fn what_is_left_of_a_cluster_that_should_be_gone_is_an_orphan() {
    let world = SimWorld::new(SimOptions::default());
    let context = context();
    world.driver().create(&context, &order(network(), 0)).await.unwrap();
    assert!(world.audit(INSTANCE, &[context.cluster]).is_clean());
    assert_eq!(world.audit(INSTANCE, &[]).orphans.len(), 1);
}

#[tokio::test]
async fn forming_a_second_cluster_beside_the_first_is_noticed() {
    let world = SimWorld::new(SimOptions::default());
    let (handler, members) = formed(&world, 1).await;
    handler.form(&members[0]).await.unwrap();
    assert!(world.audit(INSTANCE, &[context().cluster]).is_clean(), "the same machine again is already so");
    let other = member(&world, control_plane(2)).await;
    handler.form(&other).await.unwrap();
    assert_eq!(world.audit(INSTANCE, &[context().cluster]).second_clusters.len(), 1);
}

#[tokio::test]
async fn nothing_is_decided_without_a_majority() {
    let world = SimWorld::new(SimOptions::default());
    let (handler, members) = formed(&world, 3).await;
    let cluster = context().cluster;
    let machines = world.resources(INSTANCE, cluster);
    let id_of = |key: InfraKey| machines.iter().find(|(other, _)| *other == key.clone().into()).unwrap().1.clone();
    assert!(world.lose(cluster, &id_of(control_plane(1))));
    assert!(handler.deploy(&members, &service("nginx", 1)).await.is_ok(), "two of three decide");
    assert!(world.stop(cluster, &id_of(control_plane(2))));
    let failure = handler.deploy(&members, &service("nginx", 2)).await.unwrap_err();
    assert_eq!(failure.code, ErrorCode::QuorumLost);
    assert!(handler.observe(&members).await.is_err());
}

#[tokio::test]
async fn a_removal_that_would_take_the_majority_away_is_noticed_and_refused() {
    let world = SimWorld::new(SimOptions::default());
    let (handler, members) = formed(&world, 3).await;
    let cluster = context().cluster;
    let lost =
        world.resources(INSTANCE, cluster).into_iter().find(|(key, _)| *key == control_plane(3).into()).unwrap().1;
    world.lose(cluster, &lost);
    let node = members[1].node_id.clone().unwrap();
    let refused = handler.remove_node(&members, &node, Some(&members[1])).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::QuorumLost);
    assert_eq!(world.audit(INSTANCE, &[cluster]).quorum_breaks.len(), 1);
}

#[tokio::test]
async fn joining_and_deploying_need_a_formed_cluster() {
    let world = SimWorld::new(SimOptions::default());
    let member = member(&world, control_plane(1)).await;
    let handler = world.handler(context());
    let members = [member.clone()];
    assert_eq!(handler.join(&members, &member).await.unwrap_err().code, ErrorCode::Unreachable);
    assert_eq!(handler.deploy(&members, &service("nginx", 1)).await.unwrap_err().code, ErrorCode::Unreachable);
    assert_eq!(handler.look_up_cluster(&member).await.unwrap(), None);
}

async fn ready(handler: &Arc<dyn Handler>, members: &[Member]) -> u32 {
    let web: Name = "web".parse().unwrap();
    handler.observe(members).await.unwrap().services[&web].ready
}

#[tokio::test(start_paused = true)]
async fn copies_come_up_with_time_and_a_new_generation_starts_anew() {
    let world = SimWorld::new(SimOptions { rollout: Duration::from_secs(4), ..SimOptions::default() });
    let (handler, members) = formed(&world, 1).await;
    for generation in [1, 2] {
        handler.deploy(&members, &service("nginx", generation)).await.unwrap();
        for expected in 0..=4 {
            assert_eq!(ready(&handler, &members).await, expected);
            tokio::time::advance(Duration::from_secs(1)).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn broken_and_unpullable_images_never_become_ready_and_say_why() {
    let world = SimWorld::new(SimOptions::default());
    let (handler, members) = formed(&world, 1).await;
    for (generation, image) in [(1, "sim/broken:1"), (2, "sim/unpullable")] {
        handler.deploy(&members, &service(image, generation)).await.unwrap();
        tokio::time::advance(Duration::from_secs(60)).await;
        let view = handler.observe(&members).await.unwrap();
        let seen = view.services.values().next().unwrap();
        assert_eq!((seen.ready, seen.generation), (0, generation));
        assert!(seen.message().is_some());
    }
}

async fn create_network(world: &SimWorld, fault: Fault) -> Result<Present, Failure> {
    world.inject(nth(|call| call.kind == CallKind::Create, 0, fault));
    world.driver().create(&context(), &order(network(), 0)).await
}

#[tokio::test(start_paused = true)]
async fn each_fault_does_what_it_says() {
    let refused = Fault::Refused { code: ErrorCode::Quota, permanent: true };
    let throttled = Fault::Throttled { retry_after: Duration::from_secs(9) };
    let cases = [
        (Fault::LostAnswer, Some(Certainty::MaybeApplied), 1),
        (Fault::LostRequest, Some(Certainty::MaybeApplied), 0),
        (refused, Some(Certainty::NotApplied), 0),
        (throttled, Some(Certainty::NotApplied), 0),
        (Fault::Slow(Duration::from_secs(5)), None, 1),
    ];
    for (fault, certainty, made) in cases {
        let world = SimWorld::new(SimOptions::default());
        let answer = create_network(&world, fault).await;
        assert_eq!(answer.err().map(|failure| failure.certainty), certainty, "{fault:?}");
        assert_eq!(world.resources(INSTANCE, context().cluster).len(), made, "{fault:?}");
    }
    for applied in [true, false] {
        let world = SimWorld::new(SimOptions::default());
        let answer = timeout(Duration::from_secs(3600), create_network(&world, Fault::Hang { applied })).await;
        assert!(answer.is_err(), "a hanging call never answers");
        assert_eq!(world.resources(INSTANCE, context().cluster).len(), usize::from(applied));
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_listed_late_is_there_but_not_found_at_first() {
    let lag = Duration::from_secs(10);
    let world = SimWorld::new(SimOptions { listing_lag: lag, ..SimOptions::default() });
    create_network(&world, Fault::LateListing(lag)).await.unwrap();
    let look_up = async || world.driver().look_up(&context(), &network()).await.unwrap();
    assert_eq!(look_up().await, None);
    tokio::time::advance(lag).await;
    assert!(look_up().await.is_some());
}

struct StopAfterFirst(Notify);

#[async_trait]
impl Hook for StopAfterFirst {
    async fn at(&self, moment: Moment, _call: &Call) {
        if moment == Moment::After {
            self.0.notify_one();
            std::future::pending::<()>().await;
        }
    }
}

#[tokio::test]
async fn a_hook_can_stop_the_caller_between_the_effect_and_its_answer() {
    let world = SimWorld::new(SimOptions::default());
    let hook = Arc::new(StopAfterFirst(Notify::new()));
    world.set_hook(Some(hook.clone()));
    let (driver, context) = (world.driver(), context());
    let network = order(network(), 0);
    tokio::select! {
        _ = driver.create(&context, &network) => panic!("the caller was to be stopped"),
        () = hook.0.notified() => {}
    }
    world.set_hook(None);
    assert_eq!(world.resources(INSTANCE, context.cluster).len(), 1);
}

#[tokio::test]
async fn a_world_on_disk_is_found_again_without_a_goodbye() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("sim.jsonl");
    let world = SimWorld::open(&path, SimOptions::default()).unwrap();
    let (handler, members) = formed(&world, 3).await;
    handler.deploy(&members, &service("nginx", 3)).await.unwrap();
    let lost = world.resources(INSTANCE, context().cluster).pop().unwrap().1;
    world.lose(context().cluster, &lost);
    let (before, view) =
        (world.resources(INSTANCE, context().cluster), world.handler(context()).observe(&members).await.unwrap());
    drop(handler);
    drop(world);

    // Twice: what was compacted at the first opening is read at the second.
    for _ in 0..2 {
        let world = SimWorld::open(&path, SimOptions::default()).unwrap();
        world.opened().await.unwrap();
        assert_eq!(world.resources(INSTANCE, context().cluster), before);
        let again = world.handler(context()).observe(&members).await.unwrap();
        assert_eq!(again.nodes, view.nodes);
        assert_eq!(again.services.keys().collect::<Vec<_>>(), view.services.keys().collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn who_calls_a_world_that_is_read_by_another_waits_and_of_one_that_cannot_be_read_everybody_hears_why() {
    let directory = tempfile::tempdir().unwrap();
    let world = SimWorld::open(&directory.path().join("new.jsonl"), SimOptions::default()).unwrap();
    let (driver, context) = (world.driver(), context());
    let network = order(network(), 0);
    let (made, owned, opened) =
        tokio::join!(driver.create(&context, &network), driver.list_owned(INSTANCE, None), world.opened());
    assert_eq!(owned.unwrap()[0].present, made.unwrap());
    assert_eq!(opened, Ok(()));

    let path = directory.path().join("damaged.jsonl");
    std::fs::write(&path, "no world\n").unwrap();
    let world = SimWorld::open(&path, SimOptions::default()).unwrap();
    let driver = world.driver();
    let (one, other) = tokio::join!(driver.observe(&context), driver.observe(&context));
    for failure in [one.unwrap_err(), other.unwrap_err()] {
        assert!(failure.message.contains("damaged.jsonl; move it away"), "{}", failure.message);
        assert_eq!(failure.certainty, Certainty::NotApplied);
    }
    assert!(world.opened().await.is_err());
}
