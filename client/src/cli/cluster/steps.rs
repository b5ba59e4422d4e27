//! How the steps of a plan look to people: each with those that it directly follows.

use std::collections::{BTreeMap, BTreeSet};

use muster_protocol::Timestamp;
use muster_protocol::model::plan::{Step, StepStatus};

use crate::cli::table::{Cell, Row, Tone, age, joined, or_dash, until};

/// One step, without what goes without saying.
pub struct Line<'a> {
    step: &'a Step,
    after: Vec<&'a str>,
    waits_for: Option<&'a str>,
}

/// A line a step. What an earlier step follows already is not said again, and waiting for just those that it follows is no
/// news either: a plan says all of it for programs, which made lines of 200 columns.
pub fn lines(steps: &[Step]) -> Vec<Line<'_>> {
    // Steps come after those that they follow, so these are complete when they are needed.
    let mut all_before: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut lines = Vec::new();
    for step in steps {
        let named: Vec<&str> = step.after.iter().map(String::as_str).collect();
        let implied: BTreeSet<&str> = named.iter().filter_map(|name| all_before.get(name)).flatten().copied().collect();
        let after = named.iter().copied().filter(|name| !implied.contains(name)).collect();
        // That it waits for its next try stands in the columns before; why, does not.
        let failed = step.cause.as_ref().filter(|_| step.status == StepStatus::Retrying);
        let said = step.waits_for.as_deref().filter(|waits_for| *waits_for != step.after.join(", "));
        let waits_for = failed.map(|cause| cause.message.as_str()).or(said);
        lines.push(Line { step, after, waits_for });
        all_before.insert(&step.name, named.into_iter().chain(implied).collect());
    }
    lines
}

impl Row for Line<'_> {
    const HEADER: &'static [&'static str] = &["STEP", "STATUS", "TRIES", "SINCE", "UNTIL", "AFTER", "WAITS-FOR"];

    fn cells(&self, now: Timestamp) -> Vec<Cell> {
        let tone = match self.step.status {
            StepStatus::Ready => Tone::Good,
            StepStatus::Running => Tone::Busy,
            StepStatus::Waiting | StepStatus::Unknown(_) => Tone::Plain,
            StepStatus::Retrying | StepStatus::Blocked => Tone::Bad,
        };
        vec![
            Cell::from(&self.step.name),
            Cell::toned(self.step.status, tone),
            self.step.attempts.into(),
            or_dash(self.step.since.map(|since| age(since, now))).into(),
            or_dash(self.step.next_try.or(self.step.deadline).map(|end| until(end, now))).into(),
            joined(&self.after).into(),
            or_dash(self.waits_for).into(),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::samples;

    fn step(name: &str, after: &[&str], waits_for: Option<&str>) -> Step {
        let after = after.iter().map(|name| (*name).to_owned()).collect();
        Step {
            name: name.to_owned(),
            after,
            waits_for: waits_for.map(str::to_owned),
            ..samples::plan().steps[0].clone()
        }
    }

    #[test]
    fn a_step_names_only_those_that_it_directly_follows() {
        let steps = [
            step("a", &[], None),
            step("b", &["a"], Some("a")),
            step("c", &["a", "b"], Some("a, b")),
            step("d", &["a", "c", "done long ago"], Some("its next try")),
        ];
        let lines = lines(&steps);
        let after: Vec<_> = lines.iter().map(|line| line.after.join(" ")).collect();
        assert_eq!(after, ["", "a", "b", "c done long ago"]);
        let waits: Vec<_> = lines.iter().map(|line| line.waits_for).collect();
        assert_eq!(waits, [None, None, None, Some("its next try")]);
    }
}
