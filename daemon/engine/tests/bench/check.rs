//! What must hold of every state, whatever happened.

use muster_engine::plan::{Gate, Plan};
use muster_engine::state::ClusterState;
use muster_engine::view;
use muster_protocol::model::plan::StepStatus;

use super::Bench;

impl Bench {
    /// A change that counts as rest is not even looked at; so nothing may follow from it.
    pub(super) fn check_rest(&self, next: &ClusterState) {
        if next.is_at_rest_since(&self.state, &self.planned) {
            let mut settled = next.clone();
            assert_eq!((settled.settle(self.now()), &settled), (Plan::default(), next));
        }
    }

    pub(super) fn check(&self) {
        let plan = self.plan();
        for (index, step) in plan.steps.iter().enumerate() {
            let earlier = &plan.steps[..index];
            assert!(earlier.iter().all(|other| other.action != step.action), "`{}` is there twice", step.action);
            for first in &step.after {
                assert!(earlier.iter().any(|other| other.action == *first), "`{first}` is not before its follower");
            }
        }
        let seen = view::cluster(&self.state, &self.plan());
        view::hosts(&self.state);
        view::services(&self.state);
        view::containers(&self.state);
        let now = self.now();
        // Nothing but calls and looks tells a read how late it is, and no look takes longer than this.
        let late = self.state.deadlines.orchestrator_call;
        for step in seen.steps {
            assert!(step.since.is_some_and(|since| since <= now), "{step:?} at {now}");
            match step.deadline {
                Some(deadline) => assert!(deadline + late > now, "{step:?} at {now}"),
                // It waits for somebody, and nobody waits for it.
                None => assert!(
                    matches!(step.status, StepStatus::Blocked | StepStatus::Waiting)
                        && plan.steps.iter().any(|step| matches!(step.gate, Gate::Blocked(_)))
                        && !self.state.desired().absent,
                    "{step:?}"
                ),
            }
        }
    }
}
