//! Random histories: requests, losses, faults and crashes in any order and with several calls under way at once.
//! Whatever happened, what must hold holds, and the cluster gets where it was asked to.

#![allow(clippy::unwrap_used, reason = "a helper of tests may panic as they do")]

mod bench;

use std::time::Duration;

use bench::{Bench, CLUSTER, INSTANCE, Random, run, service};
use muster_engine::ledger::ResourceKey;
use muster_engine::plan::{Gate, Plan};
use muster_engine::sim::{Call, Fault};
use muster_protocol::model::cluster::ClusterPhase;
use muster_protocol::model::host::Role;
use muster_protocol::model::operation::{OperationKind, OperationPhase};
use muster_protocol::{ClusterId, ErrorCode, InstanceId, Name, OperationId};
use proptest::prelude::*;

/// Something that happens to a cluster.
#[derive(Clone, Debug)]
enum Event {
    Scale(u32, u32),
    Delete,
    Retry,
    /// Of the operations that run, the one with this number.
    Cancel(usize),
    CreateService(u8, Image),
    UpdateService(u8, Image),
    ScaleService(u8, u32),
    DeleteService(u8),
    Crash,
    LoseWorker(u32),
    StopWorker(u32),
    LoseControlPlane(u32),
}

#[derive(Clone, Copy, Debug)]
enum Image {
    Good(u8),
    Broken,
}

impl Image {
    fn text(self) -> String {
        match self {
            Self::Good(number) => format!("good:{number}"),
            Self::Broken => "sim/broken".to_owned(),
        }
    }
}

fn image() -> impl Strategy<Value = Image> {
    prop_oneof![4 => (0_u8..3).prop_map(Image::Good), 1 => Just(Image::Broken)]
}

fn event() -> impl Strategy<Value = Event> {
    let control_planes = prop_oneof![Just(1_u32), Just(3_u32), Just(5_u32)];
    prop_oneof![
        4 => (control_planes, 0_u32..3).prop_map(|(control_planes, workers)| Event::Scale(control_planes, workers)),
        1 => Just(Event::Delete),
        2 => Just(Event::Retry),
        3 => (0_usize..3).prop_map(Event::Cancel),
        3 => (0_u8..2, image()).prop_map(|(name, image)| Event::CreateService(name, image)),
        3 => (0_u8..2, image()).prop_map(|(name, image)| Event::UpdateService(name, image)),
        2 => (0_u8..2, 0_u32..4).prop_map(|(name, replicas)| Event::ScaleService(name, replicas)),
        2 => (0_u8..2).prop_map(Event::DeleteService),
        4 => Just(Event::Crash),
        2 => (1_u32..3).prop_map(Event::LoseWorker),
        1 => (1_u32..3).prop_map(Event::StopWorker),
    ]
}

fn event_with_losses_of_control_planes() -> impl Strategy<Value = Event> {
    prop_oneof![
        5 => event(),
        2 => (1_u32..4).prop_map(Event::LoseControlPlane),
    ]
}

/// A whole history: how many machines, what happens after how long, and how often calls go wrong.
#[derive(Clone, Debug)]
struct History {
    control_planes: u32,
    workers: u32,
    events: Vec<(u64, Event)>,
    faults_per_mille: u64,
    seed: u64,
}

fn history(event: impl Strategy<Value = Event>) -> impl Strategy<Value = History> {
    let pause = prop_oneof![0_u64..500, 0_u64..30_000, 0_u64..1_200_000];
    let control_planes = prop_oneof![Just(1_u32), Just(3_u32)];
    let faults = prop_oneof![Just(0_u64), Just(30), Just(150), Just(400)];
    let events = prop::collection::vec((pause, event), 0..10);
    (control_planes, 0_u32..3, events, faults, any::<u64>()).prop_map(
        |(control_planes, workers, events, faults_per_mille, seed)| History {
            control_planes,
            workers,
            events,
            faults_per_mille,
            seed,
        },
    )
}

fn random_faults(per_mille: u64, seed: u64) -> impl FnMut(&Call) -> Option<Fault> + Send + 'static {
    let mut random = Random::new(seed ^ 0x00fa_0175);
    move |_| {
        if random.below(1000) >= per_mille {
            return None;
        }
        Some(match random.below(10) {
            0 | 1 => Fault::LostAnswer,
            2 => Fault::LostRequest,
            3 => Fault::Refused { code: ErrorCode::Quota, permanent: true },
            4 => Fault::Refused { code: ErrorCode::Provider, permanent: false },
            5 => Fault::Throttled { retry_after: Duration::from_millis(random.below(30_000)) },
            6 => Fault::Slow(Duration::from_millis(random.below(60_000))),
            7 => Fault::Hang { applied: true },
            8 => Fault::Hang { applied: false },
            _ => Fault::LateListing(Duration::from_millis(random.below(5_000))),
        })
    }
}

fn name_of(number: u8) -> Name {
    format!("web-{number}").parse().unwrap()
}

/// The id of a machine of the cluster that is there.
fn machine(bench: &Bench, role: Role, number: u32) -> Option<String> {
    let key = ResourceKey::Machine(muster_engine::desired::machine_name(role, number));
    bench.world.resources(INSTANCE, CLUSTER).into_iter().find(|(other, _)| *other == key).map(|(_, id)| id)
}

fn happen(bench: &mut Bench, event: &Event) {
    // Refusals are answers too; what they leave behind is checked as everything else is.
    match event.clone() {
        Event::Scale(control_planes, workers) => {
            let _ = bench.ask(|state, asked| state.admit_scale(Some(control_planes), Some(workers), asked));
        }
        Event::Delete => {
            let _ = bench.ask(|state, asked| state.admit_delete(asked));
        }
        Event::Retry => {
            let _ = bench.ask(|state, asked| state.admit_retry(asked));
        }
        Event::Cancel(number) => {
            let running: Vec<OperationId> = bench.state.operations.keys().copied().collect();
            if let Some(id) = running.get(number) {
                let _ = bench.ask(|state, asked| state.admit_cancel(*id, asked));
            }
        }
        Event::CreateService(number, image) => {
            let id = bench.new_service_id();
            let change = service(name_of(number).as_str(), &image.text(), 2);
            let _ = bench.ask(|state, asked| state.admit_service_create(vec![(id, change)], asked));
        }
        Event::UpdateService(number, image) => {
            let change = service(name_of(number).as_str(), &image.text(), 2);
            let _ = bench.ask(|state, asked| state.admit_service_update(change, asked));
        }
        Event::ScaleService(number, replicas) => {
            let _ = bench.ask(|state, asked| state.admit_service_scale(&name_of(number), replicas, asked));
        }
        Event::DeleteService(number) => {
            let _ = bench.ask(|state, asked| state.admit_service_delete(&name_of(number), asked));
        }
        Event::Crash => bench.crash(),
        Event::LoseWorker(number) => {
            if let Some(id) = machine(bench, Role::Worker, number) {
                bench.world.lose(CLUSTER, &id);
            }
        }
        Event::StopWorker(number) => {
            if let Some(id) = machine(bench, Role::Worker, number) {
                bench.world.stop(CLUSTER, &id);
            }
        }
        Event::LoseControlPlane(number) => {
            if let Some(id) = machine(bench, Role::ControlPlane, number) {
                bench.world.lose(CLUSTER, &id);
            }
        }
    }
}

const HOURS: Duration = Duration::from_secs(3 * 3600);
/// Far more than any history needs; a loop that runs hot is over it at once.
const TURNS: u32 = 20_000;

/// Things of others beside the cluster, one of each sort.
fn seed_foreign(bench: &Bench) {
    let another = (InstanceId::from_u128(0x2), CLUSTER);
    let neighbour = (INSTANCE, ClusterId::from_u128(0xc2));
    for owner in [None, Some(another), Some(neighbour)] {
        for key in ["network", "machine/control-plane-1", "machine/worker-1"] {
            bench.world.seed_foreign(CLUSTER, owner, key.parse().unwrap());
        }
    }
}

async fn live_through(history: &History) -> Bench {
    let mut bench = Bench::create(history.control_planes, history.workers, history.seed);
    seed_foreign(&bench);
    bench.world.inject(random_faults(history.faults_per_mille, history.seed));
    for (pause, event) in &history.events {
        bench.run_for(Duration::from_millis(*pause)).await;
        if bench.phase() == ClusterPhase::Deleted {
            break;
        }
        happen(&mut bench, event);
    }
    bench
}

fn quorum_is_lost(plan: &Plan) -> bool {
    plan.steps.iter().any(|step| matches!(&step.gate, Gate::Blocked(cause) if cause.code == ErrorCode::QuorumLost))
}

/// After the history: faults stop, everything comes to rest, and then the cluster is deleted.
async fn come_to_rest(bench: &mut Bench, losses_of_control_planes: bool) {
    let neighbour = ClusterId::from_u128(0xc2);
    bench.run_for(Duration::from_secs(60)).await;
    bench.world.clear_faults();
    if bench.phase() != ClusterPhase::Deleted {
        bench.ask(|state, asked| state.admit_retry(asked)).unwrap();
    }
    let turns = bench.turns;
    let rests = bench.run_until(HOURS, is_at_rest).await;
    assert!(rests, "never comes to rest: {}", bench.gates());
    assert!(bench.turns - turns < TURNS, "a loop runs hot");
    let live: &[ClusterId] = if bench.state.is_gone() { &[neighbour] } else { &[CLUSTER, neighbour] };
    let mut audit = bench.world.audit(INSTANCE, live);
    if losses_of_control_planes {
        // What was lost may not be known yet when the next one is taken out: no plan can help that.
        audit.quorum_breaks.clear();
    }
    assert!(audit.is_clean(), "{audit}");
    for (key, id) in bench.world.resources(INSTANCE, CLUSTER) {
        let known = bench.state.ledger.get(&key).and_then(|entry| entry.present());
        assert!(known.is_some_and(|known| known.id == id), "{key} ({id}) is not in the ledger");
    }

    if bench.phase() != ClusterPhase::Deleted {
        let delete = bench.ask(|state, asked| state.admit_delete(asked)).unwrap();
        let deleted = bench.run_until(HOURS, |bench| bench.phase() == ClusterPhase::Deleted).await;
        assert!(deleted, "not deleted: {}", bench.gates());
        assert_eq!(bench.end_of(&delete).map(|info| info.phase), Some(OperationPhase::Succeeded));
    }
    assert!(bench.state.operations.is_empty(), "an operation never ended");
    assert_eq!(bench.world.resources(INSTANCE, CLUSTER), []);
    let audit = bench.world.audit(INSTANCE, &[neighbour]);
    assert!(audit.orphans.is_empty() && audit.wrong_deletes.is_empty() && audit.duplicates.is_empty(), "{audit}");
}

fn is_at_rest(bench: &Bench) -> bool {
    if bench.state.desired().absent {
        return bench.phase() == ClusterPhase::Deleted && bench.state.operations.is_empty();
    }
    if !bench.state.operations.is_empty() || !bench.state.in_flight.is_empty() {
        return false;
    }
    let plan = bench.plan();
    if quorum_is_lost(&plan) {
        return true;
    }
    // A broken service that never was well is waited for until somebody mends it.
    plan.of_cluster().steps.is_empty() && plan.ready().next().is_none() && bench.phase() == ClusterPhase::Ready
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, max_shrink_iters: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_history_comes_to_rest_as_asked_and_ends_in_nothing(history in history(event())) {
        run(async {
            let mut bench = live_through(&history).await;
            come_to_rest(&mut bench, false).await;
            assert!(!quorum_is_lost(&bench.plan()));
        });
    }

    #[test]
    fn histories_with_lost_control_planes_end_too(history in history(event_with_losses_of_control_planes())) {
        run(async {
            let mut bench = live_through(&history).await;
            come_to_rest(&mut bench, true).await;
        });
    }

    #[test]
    fn a_delete_ends_from_every_state_even_if_the_provider_refuses_for_long(history in history(event())) {
        run(async {
            let mut bench = live_through(&history).await;
            if bench.phase() == ClusterPhase::Deleted {
                return;
            }
            bench.world.clear_faults();
            let kind = muster_engine::sim::CallKind::Remove;
            let refused = Fault::Refused { code: ErrorCode::Provider, permanent: true };
            bench.world.inject(muster_engine::sim::every(move |call| call.kind == kind, refused));
            let delete = bench.ask(|state, asked| state.admit_delete(asked)).unwrap();
            let ended = bench.run_until(HOURS, |bench| bench.end_of(&delete).is_some()).await;
            assert!(ended, "the delete never ends");
            if bench.end_of(&delete).unwrap().phase == OperationPhase::Succeeded {
                assert_eq!(bench.world.resources(INSTANCE, CLUSTER), []);
                return;
            }
            assert_eq!(bench.phase(), ClusterPhase::Released);
            let left = muster_engine::view::cluster(&bench.state, bench.now()).leftovers;
            for (key, id) in bench.world.resources(INSTANCE, CLUSTER) {
                assert!(left.iter().any(|left| left.key == key.to_string()), "{key} ({id}) is not listed");
            }
            bench.world.clear_faults();
            let gone = bench.run_until(HOURS, |bench| bench.phase() == ClusterPhase::Deleted).await;
            assert!(gone, "{}", bench.gates());
            assert_eq!(bench.world.resources(INSTANCE, CLUSTER), []);
        });
    }

    #[test]
    fn the_plan_that_is_shown_is_the_plan_that_is_performed(
        first in (prop_oneof![Just(1_u32), Just(3), Just(5)], 0_u32..4),
        then in prop::collection::vec((prop_oneof![Just(1_u32), Just(3), Just(5)], 0_u32..4), 0..3),
        seed in any::<u64>(),
    ) {
        run(async {
            let mut bench = Bench::create(first.0, first.1, seed);
            perform_as_shown(&mut bench, OperationKind::ClusterCreate).await;
            for (control_planes, workers) in then {
                bench.ask(|state, asked| state.admit_scale(Some(control_planes), Some(workers), asked)).unwrap();
                perform_as_shown(&mut bench, OperationKind::ClusterScale).await;
            }
            bench.ask(|state, asked| state.admit_delete(asked)).unwrap();
            perform_as_shown(&mut bench, OperationKind::ClusterDelete).await;
        });
    }
}

/// Performs what is asked for and compares it with the plan as it was before the first call.
async fn perform_as_shown(bench: &mut Bench, kind: OperationKind) {
    let shown = bench.plan();
    bench.begun.clear();
    bench.finished.clear();
    let done = bench.run_until(HOURS, |bench| bench.state.operations.is_empty()).await;
    assert!(done, "{kind} never ends");
    let mut calls: Vec<_> = shown.steps.iter().map(|step| &step.action).filter(|action| action.is_call()).collect();
    let mut begun: Vec<_> = bench.begun.iter().collect();
    calls.sort();
    begun.sort();
    assert_eq!(calls, begun, "{kind}: shown and performed differ");
    for step in shown.steps.iter().filter(|step| step.action.is_call()) {
        let begun_at = bench.begun.iter().position(|action| *action == step.action).unwrap();
        for first in step.after.iter().filter(|action| action.is_call()) {
            let first_at = bench.begun.iter().position(|action| action == first).unwrap();
            assert!(first_at < begun_at, "`{}` was begun before `{first}`", step.action);
        }
    }
    assert!(bench.ended.values().all(|info| info.phase == OperationPhase::Succeeded));
}
