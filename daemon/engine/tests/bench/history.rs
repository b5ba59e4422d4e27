//! What can happen to a cluster, and histories made of it.

use std::time::Duration;

use muster_engine::desired::machine_name;
use muster_engine::ledger::ResourceKey;
use muster_engine::sim::{Call, Fault};
use muster_protocol::model::host::Role;
use muster_protocol::{ErrorCode, Name, OperationId};
use proptest::prelude::*;

use super::situations::service;
use super::{Bench, CLUSTER, INSTANCE, Random};

/// Something that happens to a cluster.
#[derive(Clone, Debug)]
pub enum Event {
    Scale(u32, u32),
    Delete,
    Retry,
    /// Of the operations that run, the one with this number.
    Cancel(usize),
    CreateService(u8, Image),
    UpdateService(u8, Image),
    ScaleService(u8, u32),
    DeleteService(u8),
    TakeOffService(u8),
    Crash,
    /// A new version of the daemon starts.
    NewRecipe(u8),
    LoseWorker(u32),
    StopWorker(u32),
    FalterWorker(u32),
    StrikeOffWorker(u32),
    PromoteWorker(u32),
    LoseControlPlane(u32),
    StrikeOffControlPlane(u32),
    DemoteControlPlane(u32),
}

#[derive(Clone, Copy, Debug)]
pub enum Image {
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

pub fn event() -> impl Strategy<Value = Event> {
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
        1 => (0_u8..2).prop_map(Event::TakeOffService),
        4 => Just(Event::Crash),
        1 => (0_u8..3).prop_map(Event::NewRecipe),
        2 => (1_u32..3).prop_map(Event::LoseWorker),
        1 => (1_u32..3).prop_map(Event::StopWorker),
        1 => (1_u32..3).prop_map(Event::FalterWorker),
        1 => (1_u32..3).prop_map(Event::StrikeOffWorker),
    ]
}

pub fn event_with_losses_of_control_planes() -> impl Strategy<Value = Event> {
    prop_oneof![
        5 => event(),
        2 => (1_u32..4).prop_map(Event::LoseControlPlane),
        1 => (1_u32..4).prop_map(Event::StrikeOffControlPlane),
        2 => (1_u32..4).prop_map(Event::DemoteControlPlane),
        1 => (1_u32..3).prop_map(Event::PromoteWorker),
    ]
}

/// A whole history: how many machines, what happens after how long, and how often calls go wrong.
#[derive(Clone, Debug)]
pub struct History {
    /// Whether the provider knows idempotency tokens.
    pub tokens: bool,
    pub control_planes: u32,
    pub workers: u32,
    pub events: Vec<(u64, Event)>,
    pub faults_per_mille: u64,
    pub seed: u64,
}

pub fn history(event: impl Strategy<Value = Event>) -> impl Strategy<Value = History> {
    let pause = prop_oneof![0_u64..500, 0_u64..30_000, 0_u64..1_200_000];
    let control_planes = prop_oneof![Just(1_u32), Just(3_u32)];
    let faults = prop_oneof![Just(0_u64), Just(30), Just(150), Just(400)];
    let events = prop::collection::vec((pause, event), 0..10);
    (any::<bool>(), control_planes, 0_u32..3, events, faults, any::<u64>()).prop_map(
        |(tokens, control_planes, workers, events, faults_per_mille, seed)| History {
            tokens,
            control_planes,
            workers,
            events,
            faults_per_mille,
            seed,
        },
    )
}

pub fn random_faults(per_mille: u64, seed: u64) -> impl FnMut(&Call) -> Option<Fault> + Send + 'static {
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
    let key = ResourceKey::for_machine(machine_name(role, number));
    bench.world.resources(INSTANCE, CLUSTER).into_iter().find(|(other, _)| *other == key).map(|(_, id)| id)
}

pub fn happen(bench: &mut Bench, event: &Event) {
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
            let _ = bench.ask(|state, asked| state.admit_service_update(change, None, asked));
        }
        Event::ScaleService(number, replicas) => {
            let _ = bench.ask(|state, asked| state.admit_service_scale(&name_of(number), replicas, asked));
        }
        Event::DeleteService(number) => {
            let _ = bench.ask(|state, asked| state.admit_service_delete(&name_of(number), asked));
        }
        Event::Crash => bench.crash(),
        Event::NewRecipe(number) => {
            bench.adopt(&format!("sim-{number}"));
        }
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
        Event::FalterWorker(number) => {
            if let Some(id) = machine(bench, Role::Worker, number) {
                bench.world.falter(CLUSTER, &id);
            }
        }
        Event::LoseControlPlane(number) => {
            if let Some(id) = machine(bench, Role::ControlPlane, number) {
                bench.world.lose(CLUSTER, &id);
            }
        }
        Event::TakeOffService(name) => {
            bench.world.take_off(CLUSTER, &name_of(name));
        }
        Event::StrikeOffWorker(number) => {
            bench.world.strike_off(CLUSTER, &machine_name(Role::Worker, number));
        }
        Event::StrikeOffControlPlane(number) => {
            bench.world.strike_off(CLUSTER, &machine_name(Role::ControlPlane, number));
        }
        Event::PromoteWorker(number) => {
            bench.world.change_role(CLUSTER, &machine_name(Role::Worker, number), Role::ControlPlane);
        }
        Event::DemoteControlPlane(number) => {
            bench.world.change_role(CLUSTER, &machine_name(Role::ControlPlane, number), Role::Worker);
        }
    }
}
