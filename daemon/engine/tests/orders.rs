//! Which call performs which action, and with what.

#![allow(clippy::unwrap_used, reason = "test code, though not in test functions")]

mod bench;

use std::time::Duration;

use bench::situations::{ready, run, service};
use muster_engine::action::{Action, Outcome};
use muster_engine::desired::machine_name;
use muster_engine::failure::Certainty;
use muster_engine::ledger::{ResourceKey, ResourceState};
use muster_engine::observed::ObservedResource;
use muster_engine::order::{DriverOrder, HandlerOrder, Order};
use muster_engine::recipe::MachineStep;
use muster_engine::state::{ClusterState, Observation};
use muster_protocol::ErrorCode;
use muster_protocol::model::host::Role;

#[test]
fn a_machine_is_prepared_for_what_its_name_says() {
    run(async {
        let mut bench = ready(1, 1).await;
        for role in [Role::ControlPlane, Role::Worker] {
            let machine = machine_name(role, 1);
            let step = Action::Step(machine.clone(), MachineStep::Prepare);
            bench.state.begin(&step, bench.now());
            let Ok(Order::Preparer(order)) = bench.state.order(&step) else { panic!() };
            assert_eq!((order.machine, order.role), (machine, role));
        }
    });
}

#[test]
fn a_machine_is_removed_by_the_id_that_is_known_and_never_without_one() {
    run(async {
        let mut bench = ready(1, 1).await;
        let key = ResourceKey::for_machine(machine_name(Role::Worker, 1));
        let id = bench.state.ledger[&key].id().unwrap().clone();
        let removal = Action::Remove(key.clone());
        bench.state.begin(&removal, bench.now());
        assert_eq!(
            bench.state.order(&removal),
            Ok(Order::Driver(DriverOrder::Remove(key.infra().unwrap().clone(), id)))
        );
        bench.state.ledger.get_mut(&key).unwrap().state = ResourceState::Wanted;
        let failure = bench.state.order(&removal).unwrap_err();
        assert_eq!((failure.code, failure.certainty), (ErrorCode::Internal, Certainty::NotApplied));
    });
}

#[test]
fn a_node_whose_machine_is_lost_can_be_removed_but_not_asked_for() {
    run(async {
        let mut bench = ready(1, 1).await;
        let worker = machine_name(Role::Worker, 1);
        let node = ResourceKey::Node(worker.clone());
        bench.state.ledger.remove(&ResourceKey::for_machine(worker));
        let removal = bench.state.order(&Action::Remove(node.clone())).unwrap();
        assert!(matches!(removal, Order::Handler(HandlerOrder::RemoveNode(_, _, None))), "{removal:?}");
        for asked in [Action::LookUp(node.clone()), Action::Create(node)] {
            let failure = bench.state.order(&asked).unwrap_err();
            assert_eq!((failure.code, failure.certainty), (ErrorCode::Unreachable, Certainty::NotApplied));
        }
    });
}

#[test]
fn a_service_is_created_and_updated_by_the_same_call_for_its_present_generation() {
    run(async {
        let mut bench = ready(1, 0).await;
        let id = bench.new_service_id();
        let web = service("web", "sim/web:1", 2);
        bench.ask(|state, asked| state.admit_service_create(vec![(id, web)], asked)).unwrap();
        let web = service("web", "sim/web:2", 2);
        bench.ask(|state, asked| state.admit_service_update(web, None, asked)).unwrap();
        let name = "web".parse().unwrap();
        let create = bench.state.order(&Action::Create(ResourceKey::Service("web".parse().unwrap()))).unwrap();
        assert_eq!(bench.state.order(&Action::Update(name)), Ok(create.clone()));
        let Order::Handler(HandlerOrder::Deploy(_, order)) = create else { panic!("{create:?}") };
        assert_eq!((order.id, order.generation, order.spec.image.as_str()), (id, 2, "sim/web:2"));
    });
}

#[test]
fn what_is_no_call_has_no_order() {
    run(async {
        let bench = ready(1, 0).await;
        let no_calls = [Action::Await(ResourceKey::Orchestrator), Action::Remove(ResourceKey::Orchestrator)];
        for action in no_calls {
            assert_eq!(bench.state.order(&action).unwrap_err().code, ErrorCode::Internal);
        }
    });
}

#[test]
fn a_machine_that_no_listing_has_is_looked_up_by_what_is_known_of_it_and_told_once_while_it_is_there() {
    run(async {
        let mut state = ready(1, 1).await.state;
        let worker = ResourceKey::for_machine(machine_name(Role::Worker, 1));
        let known = state.ledger.get(&worker).unwrap().present().unwrap().clone();
        let all: Vec<_> = state.observed.infrastructure.values().cloned().collect();
        let listed: Vec<_> = all.iter().filter(|seen| seen.id != known.id).cloned().collect();
        let look_up = Action::LookUp(worker.clone());
        let (mut now, mut look_ups) = (state.observed.infrastructure_at.unwrap(), 0);
        let mut look = |state: &mut ClusterState, listed: &Vec<ObservedResource>| {
            now = now + state.deadlines.listing_lag + Duration::from_secs(1);
            let observation = Observation { infrastructure: Some(Ok(listed.clone())), orchestrator: None };
            state.observe(observation, now, now);
            now
        };
        for _ in 0..6 {
            let now = look(&mut state, &listed);
            if state.ledger.get(&worker).unwrap().present().is_some() {
                continue;
            }
            look_ups += 1;
            state.begin(&look_up, now);
            let infra = worker.infra().unwrap().clone();
            assert_eq!(state.order(&look_up), Ok(Order::Driver(DriverOrder::LookUp(infra, Some(known.clone())))));
            state.finish(&look_up, Outcome::Present(known.clone()), now);
        }
        assert!(look_ups > 1, "it is looked up {look_ups} times");
        assert_eq!(state.ledger.get(&worker).unwrap().present(), Some(&known), "it is not lost");
        let told = |state: &ClusterState| {
            let about = |message: &str| message.starts_with("machine worker-1 is there, but");
            state.outbox.iter().filter(|announced| about(&announced.message)).count()
        };
        assert_eq!(told(&state), 1);
        // It is listed again, and then once more it is not.
        for listed in [&all, &listed, &listed] {
            look(&mut state, listed);
        }
        state.finish(&look_up, Outcome::Present(known), state.observed.infrastructure_at.unwrap());
        assert_eq!(told(&state), 2);
    });
}
