//! Whole plans of typical situations, as text files: a change of the planner is reviewed as a diff of plans.
//! `UPDATE_GOLDEN=1 cargo test -p muster-engine --test golden_plans` writes them anew.
//!
//! Covers: createOrchestrator, scaleOrchestrator, upgradeOrchestrator, renewOrchestrator, deleteOrchestrator,
//! createOrchestratorService, updateOrchestratorService, and the planner's repairs.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod bench;

use std::path::Path;

use bench::Bench;
use bench::situations::{HOUR, lose, ready, ready_on_a_cloud, run, service};
use muster_protocol::model::host::Role;

/// The plan that is made in this situation is the one in the file of this name.
fn assert_golden(name: &str, bench: &Bench) {
    let mut text = bench.steps().join("\n");
    text.push('\n');
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/plans/{name}.txt"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, golden, "the plan `{name}` differs from {}", path.display());
}

#[test]
fn creations_are_planned_as_their_files_say() {
    run(async {
        assert_golden("create-1-2", &Bench::create(1, 2, 1));
        assert_golden("create-3-1", &Bench::create(3, 1, 1));
        assert_golden("create-1-1-on-a-cloud", &Bench::create_on_a_cloud(1, 1, 1));
    });
}

#[test]
fn changes_of_numbers_are_planned_as_their_files_say() {
    run(async {
        for (name, from, to) in [
            ("scale-workers-up", (1, 1), (1, 3)),
            ("scale-workers-down", (1, 3), (1, 1)),
            ("scale-control-planes-up", (1, 1), (3, 1)),
            ("scale-control-planes-down", (3, 1), (1, 1)),
        ] {
            let mut bench = ready(from.0, from.1).await;
            bench.ask(|state, asked| state.admit_scale(Some(to.0), Some(to.1), asked)).unwrap();
            assert_golden(name, &bench);
        }
        let mut bench = ready_on_a_cloud(1, 1).await;
        bench.ask(|state, asked| state.admit_scale(None, Some(2), asked)).unwrap();
        assert_golden("scale-workers-up-on-a-cloud", &bench);
    });
}

#[test]
fn losses_are_planned_as_their_files_say() {
    run(async {
        for (name, role, number) in [
            ("lost-worker", Role::Worker, 1),
            ("lost-control-plane-1", Role::ControlPlane, 1),
            ("lost-control-plane-3", Role::ControlPlane, 3),
        ] {
            let bench = ready(3, 1).await;
            lose(&bench, role, number);
            let mut bench = bench;
            assert!(bench.run_until(HOUR, |bench| bench.steps().len() > 2).await, "{}", bench.gates());
            assert_golden(name, &bench);
        }
    });
}

#[test]
fn another_recipe_and_new_certificates_are_planned_as_their_files_say() {
    run(async {
        let mut bench = ready(3, 1).await;
        bench.offer("another");
        assert_eq!(bench.steps(), [""; 0], "what is only offered changes nothing");
        let asked = bench.asked();
        bench.state.admit_upgrade(None, asked).unwrap();
        assert_golden("upgrade", &bench);
        let mut bench = ready(1, 2).await;
        let asked = bench.asked();
        bench.state.admit_renew(asked).unwrap();
        assert_golden("renew", &bench);
    });
}

#[test]
fn services_and_deletions_are_planned_as_their_files_say() {
    run(async {
        let mut bench = ready(1, 1).await;
        let id = bench.new_service_id();
        let web = service("web", "sim/web:1", 2);
        bench.ask(|state, asked| state.admit_service_create(vec![(id, web)], asked)).unwrap();
        assert_golden("service-create", &bench);
        assert!(bench.run_until(HOUR, |bench| bench.steps().is_empty()).await, "{}", bench.gates());
        bench.ask(|state, asked| state.admit_service_update(service("web", "sim/web:2", 3), None, asked)).unwrap();
        assert_golden("service-update", &bench);
        let mut bench = ready(3, 1).await;
        bench.ask(|state, asked| state.admit_delete(asked)).unwrap();
        assert_golden("delete-3-1", &bench);
        let mut bench = ready_on_a_cloud(1, 1).await;
        bench.ask(|state, asked| state.admit_delete(asked)).unwrap();
        assert_golden("delete-1-1-on-a-cloud", &bench);
    });
}
