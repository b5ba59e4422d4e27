//! The store is lost at some moment, and the cluster is recovered from its owner marks.

#![allow(clippy::unwrap_used, reason = "a helper of tests may panic as they do")]

mod bench;

use bench::situations::{HOUR, ended, lose, ready, ready_on_a_cloud, run, service};
use bench::{Bench, CLUSTER, INSTANCE};
use muster_engine::action::Action;
use muster_engine::ledger::ResourceKey;
use muster_engine::state::NewKeys;
use muster_protocol::ErrorCode;
use muster_protocol::model::cluster::ClusterPhase;
use muster_protocol::model::host::Role;

/// Everything of the cluster with its id, in order.
fn resources(bench: &Bench) -> Vec<(ResourceKey, String)> {
    let mut resources = bench.world.resources(INSTANCE, CLUSTER);
    resources.sort();
    resources
}

async fn becomes_ready(bench: &mut Bench) {
    let is_ready = bench.run_until(HOUR, |bench| bench.phase() == ClusterPhase::Ready).await;
    assert!(is_ready, "{}", bench.gates());
    let audit = bench.world.audit(INSTANCE, &[CLUSTER]);
    assert!(audit.duplicates.is_empty() && audit.second_clusters.is_empty(), "{audit}");
    assert!(audit.wrong_deletes.is_empty() && audit.quorum_breaks.is_empty(), "{audit}");
}

async fn deletes_all(bench: &mut Bench) {
    let deletion = bench.ask(|state, asked| state.admit_delete(asked)).unwrap();
    ended(bench, &deletion).await;
    assert_eq!(resources(bench), []);
    assert!(bench.world.audit(INSTANCE, &[]).wrong_deletes.is_empty());
}

#[test]
fn a_cluster_at_rest_comes_back_as_it_was_with_every_machine_prepared_again() {
    run(async {
        for mut bench in [ready(3, 2).await, ready_on_a_cloud(3, 2).await] {
            let before = (resources(&bench), bench.state.desired().spec.clone());
            bench.begun.clear();
            bench.lose_store(NewKeys::Possible).await;
            becomes_ready(&mut bench).await;
            assert_eq!((resources(&bench), bench.state.desired().spec.clone()), before);
            let begun = |word: &str| bench.begun.iter().filter(|action| action.to_string().starts_with(word)).count();
            assert_eq!((begun("prepare"), begun("form"), begun("join")), (5, 0, 0), "{:?}", bench.begun);
            let audit = bench.world.audit(INSTANCE, &[CLUSTER]);
            assert_eq!(audit.repeated_steps.len(), 5, "each ran once more, under a number of its own: {audit}");
            deletes_all(&mut bench).await;
        }
    });
}

#[test]
fn a_cluster_whose_create_was_under_way_is_completed_and_can_be_deleted_from_every_moment() {
    run(async {
        let mut moments = 0;
        loop {
            let mut bench = Bench::create(3, 1, 7);
            let reached = bench.run_until(HOUR, |bench| bench.begun.len() > moments).await;
            if !reached || bench.phase() == ClusterPhase::Ready {
                break;
            }
            moments += 1;
            if bench.world.resources(INSTANCE, CLUSTER).is_empty() {
                continue;
            }
            bench.lose_store(NewKeys::Possible).await;
            becomes_ready(&mut bench).await;
            deletes_all(&mut bench).await;
        }
        assert!(moments > 10, "only {moments} moments");
    });
}

#[test]
fn a_cluster_that_was_formed_on_a_lost_control_plane_is_not_formed_again() {
    run(async {
        let mut bench = ready(3, 0).await;
        lose(&bench, Role::ControlPlane, 1);
        bench.begun.clear();
        bench.lose_store(NewKeys::Possible).await;
        becomes_ready(&mut bench).await;
        assert!(!bench.begun.contains(&Action::Create(ResourceKey::Orchestrator)), "{:?}", bench.begun);
        assert_eq!(bench.world.resources(INSTANCE, CLUSTER).len(), 4, "a network and three machines");
    });
}

#[test]
fn services_run_on_although_nobody_knows_their_specs_any_more() {
    run(async {
        let mut bench = ready(1, 1).await;
        let id = bench.new_service_id();
        let change = service("web", "nginx:1.28", 2);
        let created = bench.ask(|state, asked| state.admit_service_create(vec![(id, change)], asked)).unwrap();
        ended(&mut bench, &created).await;
        bench.lose_store(NewKeys::Possible).await;
        becomes_ready(&mut bench).await;
        let seen = &bench.state.observed.orchestrator.services;
        assert_eq!((bench.state.services.len(), seen.len()), (0, 1), "{seen:?}");
    });
}

#[test]
fn a_cluster_that_can_have_no_new_keys_only_waits_for_its_deletion_which_is_total() {
    run(async {
        for mut bench in [ready(1, 2).await, ready_on_a_cloud(1, 2).await] {
            lose(&bench, Role::Worker, 1);
            let before = resources(&bench);
            bench.begun.clear();
            bench.lose_store(NewKeys::Impossible).await;
            bench.run_for(HOUR).await;
            assert_eq!((bench.phase(), bench.state.causes()[0].code), (ClusterPhase::Degraded, ErrorCode::Credentials));
            lose(&bench, Role::Worker, 2);
            bench.run_for(HOUR).await;
            let made = bench.begun.iter().filter(|action| !action.to_string().starts_with("look up")).count();
            assert_eq!((made, resources(&bench).len()), (0, before.len() - 1), "{:?}", bench.begun);
            deletes_all(&mut bench).await;
        }
    });
}

#[test]
fn what_is_others_stays_when_a_recovered_cluster_is_deleted() {
    run(async {
        let mut bench = ready(1, 1).await;
        let other = (muster_protocol::InstanceId::from_u128(0x99), CLUSTER);
        let foreign = [
            bench.world.seed_foreign(CLUSTER, None, ResourceKey::for_machine("worker-1".parse().unwrap())),
            bench.world.seed_foreign(CLUSTER, Some(other), ResourceKey::for_machine("worker-2".parse().unwrap())),
        ];
        bench.lose_store(NewKeys::Possible).await;
        assert_eq!(bench.state.desired().spec.workers, 1);
        becomes_ready(&mut bench).await;
        deletes_all(&mut bench).await;
        assert!(foreign.iter().all(|id| bench.world.lose(CLUSTER, id)), "they are there");
    });
}
