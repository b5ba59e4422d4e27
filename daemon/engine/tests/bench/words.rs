//! Plans in words.

use muster_engine::action::Action;
use muster_engine::plan::PlannedStep;

use super::Bench;

impl Bench {
    /// The steps in words, each with those it waits for: `join node/worker-1 < prepare machine/worker-1`.
    pub fn steps(&self) -> Vec<String> {
        let in_words = |step: &PlannedStep| {
            let after: Vec<String> = step.after.iter().map(Action::to_string).collect();
            if after.is_empty() { step.action.to_string() } else { format!("{} < {}", step.action, after.join(", ")) }
        };
        self.plan().steps.iter().map(in_words).collect()
    }

    /// What each step waits for, in words.
    pub fn gates(&self) -> String {
        let lines = self.plan().steps.into_iter().map(|step| format!("{}: {:?}", step.action, step.gate));
        lines.collect::<Vec<_>>().join("\n")
    }
}
