//! When a cluster is looked at: often while something is awaited, soon after something was changed, seldom else. Never
//! is one part of it looked at twice at once.

use std::time::Duration;

use muster_protocol::{ClusterId, Timestamp};

use crate::action::Outcome;
use crate::ledger::{ResourceKey, ResourceState};
use crate::member::Member;
use crate::plan::Plan;
use crate::state::{ClusterState, Observation};

/// The shortest time between two looks at an orchestrator in which something happens all the time.
const BETWEEN_HINTED: Duration = Duration::from_millis(200);

/// How often is looked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LookPace {
    /// Between two looks at a cluster in which something is awaited.
    pub when_busy: Duration,
    /// Between two looks at a cluster in which all is well.
    pub when_idle: Duration,
}

/// One look, to be made now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Look {
    /// At the machines: [`crate::driver::Driver::observe`].
    Machines,
    /// At nodes, services and containers, with the machines that can be asked: [`crate::handler::Handler::observe`].
    Orchestrator(Vec<Member>),
}

/// Looks that are under way, and when the next ones are due.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Looks {
    pace: LookPace,
    machines: bool,
    orchestrator: bool,
    next: Timestamp,
    /// The orchestrator has something new that no look has seen yet.
    is_hinted: bool,
    /// When the last look at the orchestrator began.
    last: Option<Timestamp>,
    /// The last look at the orchestrator had no answer.
    is_unanswered: bool,
}

impl Looks {
    /// None under way, and the first due at once.
    pub const fn new(pace: LookPace, now: Timestamp) -> Self {
        Self {
            pace,
            machines: false,
            orchestrator: false,
            next: now,
            is_hinted: false,
            last: None,
            is_unanswered: false,
        }
    }

    /// When the next ones are due.
    pub fn next(&self) -> Timestamp {
        self.hinted().map_or(self.next, |hinted| hinted.min(self.next))
    }

    /// The orchestrator has something new, and is looked at soon for it.
    pub const fn note_hint(&mut self) {
        self.is_hinted = true;
    }

    /// When the look is due that a hint asks for. While one is under way it may have passed by what is new.
    fn hinted(&self) -> Option<Timestamp> {
        let earliest = self.last.map_or(Timestamp::default(), |last| last + BETWEEN_HINTED);
        (self.is_hinted && !self.orchestrator).then_some(earliest)
    }

    /// A call ended like this: what was just changed is worth a look.
    pub fn note_result(&mut self, outcome: &Outcome, now: Timestamp) {
        if !matches!(outcome, Outcome::Failed(_)) {
            self.next = now;
        }
    }

    /// A look ended with this.
    pub const fn note_seen(&mut self, observation: &Observation) {
        if observation.infrastructure.is_some() {
            self.machines = false;
        }
        if let Some(orchestrator) = &observation.orchestrator {
            self.orchestrator = false;
            // Once may be a mishap, so it is asked again soon.
            self.is_hinted |= orchestrator.is_err() && !self.is_unanswered;
            self.is_unanswered = orchestrator.is_err();
        }
    }

    /// The looks to be made now at a cluster in this state, with this plan. They are under way from now on.
    pub fn due(&mut self, state: &ClusterState, plan: &Plan, now: Timestamp) -> Vec<Look> {
        let is_time = now >= self.next;
        if !is_time && self.hinted().is_none_or(|hinted| now < hinted) {
            return Vec::new();
        }
        // Also if nothing can be asked: then there is nothing new either.
        self.is_hinted &= self.orchestrator;
        let trouble = state.observed.orchestrator_cause.is_some() || state.observed.infrastructure_cause.is_some();
        let is_busy = plan.awaits() && !trouble;
        if is_time {
            let idle = || next_idle(self.pace.when_idle, state.id(), now);
            self.next = if is_busy { now + self.pace.when_busy } else { idle() };
        }
        let mut due = Vec::new();
        if state.desired().absent {
            return due;
        }
        let mut entries = state.ledger.iter();
        let any_machine = entries.any(|(key, entry)| key.machine().is_some() && entry.present().is_some());
        if is_time && any_machine && !self.machines {
            self.machines = true;
            due.push(Look::Machines);
        }
        let members = state.members();
        // A member whose joining is in doubt can be asked too: what it says may be why.
        let joined = members.iter().any(|member| {
            let key = ResourceKey::Node(member.machine.clone());
            state.ledger.get(&key).is_some_and(|node| match node.state {
                ResourceState::Present(_) => true,
                ResourceState::Unknown(_) => state.in_flight_for(&key).is_none(),
                ResourceState::Wanted | ResourceState::Removing(_) => false,
            })
        });
        if joined && !self.orchestrator {
            self.orchestrator = true;
            self.last = Some(now);
            due.push(Look::Orchestrator(members));
        }
        due
    }
}

/// Clusters that started together are not all looked at together: each has its own shift, up to a quarter. But what is
/// due within the same second is done at once, so that an idle daemon sleeps in between.
fn next_idle(idle: Duration, cluster: ClusterId, now: Timestamp) -> Timestamp {
    const SECOND: u64 = 1000;
    let shift_per_mille = u32::from(cluster.as_bytes()[15]);
    let next = now + idle + idle * shift_per_mille / 1000;
    if idle < Duration::from_millis(10 * SECOND) {
        return next;
    }
    Timestamp::from_millis(next.as_millis().next_multiple_of(SECOND))
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    #[test]
    fn idle_clusters_are_looked_at_each_at_its_own_time_and_on_full_seconds() {
        let idle = Duration::from_secs(30);
        let next = |cluster: u128| next_idle(idle, ClusterId::from_u128(cluster), START + Duration::from_millis(1));
        assert_eq!(next(0), START + Duration::from_secs(31));
        assert_eq!(next(255), START + Duration::from_secs(38));
    }

    #[test]
    fn whoever_looks_more_often_than_every_ten_seconds_is_not_rounded() {
        let idle = Duration::from_millis(500);
        assert_eq!(next_idle(idle, ClusterId::from_u128(100), START), START + Duration::from_millis(550));
    }
}
