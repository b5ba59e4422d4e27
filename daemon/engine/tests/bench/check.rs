//! What must hold of every state, whatever happened.

use muster_engine::view;
use muster_protocol::model::plan::StepStatus;

use super::Bench;

impl Bench {
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
        let is_asked = !self.state.operations.is_empty() || self.state.desired().absent;
        for step in seen.steps {
            let timed = step.deadline.is_some() || step.next_try.is_some();
            let is_call = !step.name.starts_with("await");
            assert!(timed || !(is_asked || step.status == StepStatus::Running && is_call), "{step:?}");
        }
    }
}
