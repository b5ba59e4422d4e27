//! After a call: what came of it.

use muster_protocol::model::event::EventKind;
use muster_protocol::{ErrorCode, Name, Timestamp};

use super::begin::brings_certificates;
use super::{ClusterState, InFlight, retry};
use crate::action::{Action, Outcome};
use crate::driver::Owned;
use crate::failure::{Certainty, Failure};
use crate::ledger::{Duty, Facts, LedgerEntry, Present, ResourceKey, ResourceState, StepRun};
use crate::recipe::{MachineStep, Performer};

const UNREACHABLE_REMEDY: &str =
    "see that the daemon's host reaches the machines' SSH port; Muster tries again by itself";

impl ClusterState {
    /// Notes what came of an action that was begun. Conclusions are drawn by [`ClusterState::settle`].
    pub fn finish(&mut self, action: &Action, outcome: Outcome, now: Timestamp) {
        let call = self.in_flight.remove(&action.key());
        let began = call.as_ref().map_or(now, |call| call.since);
        let overtaken = call.is_some_and(|call| self.is_overtaken(&call));
        match &outcome {
            Outcome::Failed(failure) => {
                let cause = failure.clone().into_cause(action.to_string(), now);
                self.announce(now, EventKind::StepFailed, format!("{action}: {}", cause.message), Some(cause));
            }
            Outcome::Present(_) | Outcome::Absent | Outcome::Done | Outcome::Swept(_) => {
                self.announce(now, EventKind::StepDone, action.to_string(), None);
            }
        }
        match action {
            Action::Sweep => self.finish_sweep(outcome, now),
            Action::Remove(key) => self.finish_remove(key, action, outcome, now),
            Action::LookUp(key) => self.finish_look_up(key, action, outcome, began, now),
            Action::Create(key) => self.finish_change(key, action, outcome, overtaken, now),
            Action::Update(name) => {
                self.finish_change(&ResourceKey::Service(name.clone()), action, outcome, overtaken, now);
            }
            Action::Step(name, step) => self.finish_step(name, *step, action, outcome, now),
            Action::Await(_) => {}
        }
        self.tidy();
    }

    /// Whether another generation of the service is asked for since the call was made.
    fn is_overtaken(&self, call: &InFlight) -> bool {
        let key = call.action.key();
        call.generation.is_some() && call.generation != key.and_then(|key| self.generation_wanted(&key))
    }

    fn finish_change(&mut self, key: &ResourceKey, action: &Action, outcome: Outcome, overtaken: bool, now: Timestamp) {
        let salt = self.salt(key);
        let Some(entry) = self.ledger.get_mut(key) else { return };
        let mut is_outdated = false;
        let mut is_another = false;
        match outcome {
            Outcome::Present(present) => is_another = set_present(entry, present, now),
            Outcome::Failed(failure) => {
                // It may have happened until now, and listings lag from then on.
                entry.since = now;
                if failure.certainty == Certainty::NotApplied {
                    entry.state = match std::mem::replace(&mut entry.state, ResourceState::Wanted) {
                        ResourceState::Unknown(Some(before)) => {
                            is_outdated = true;
                            ResourceState::Present(before)
                        }
                        ResourceState::Unknown(None) | ResourceState::Wanted => ResourceState::Wanted,
                        state @ (ResourceState::Present(_) | ResourceState::Removing(_)) => state,
                    };
                    entry.attempt = entry.attempt.wrapping_add(1);
                }
                // What was wrong with it says nothing of the generation that took its place.
                if !overtaken {
                    retry::note_failure(entry, action, failure, &salt, now);
                }
            }
            Outcome::Absent | Outcome::Done | Outcome::Swept(_) => {}
        }
        // What was to be brought up to date was not.
        if is_outdated && let Some(key) = key.infra() {
            self.outdate(key);
        }
        if is_another && let Some(machine) = key.machine() {
            self.outdate_dependents(machine);
        }
    }

    fn finish_look_up(
        &mut self,
        key: &ResourceKey,
        action: &Action,
        outcome: Outcome,
        began: Timestamp,
        now: Timestamp,
    ) {
        if matches!(outcome, Outcome::Present(_)) {
            self.tell_unlisted(key, now);
        }
        let salt = self.salt(key);
        let lag = if key.is_infrastructure() { self.deadlines.listing_lag } else { std::time::Duration::ZERO };
        let awake_since = self.awake_since.unwrap_or(now);
        let is_to_work = key.machine().is_some_and(|machine| self.desired().role_of(machine).is_some());
        let is_missing_machine = key.machine().is_some() && matches!(outcome, Outcome::Absent);
        let out_of_sight = if is_missing_machine { self.out_of_sight(key) } else { None };
        let cannot_work = |present: &Present| is_to_work && !matches!(present.facts, Facts::Machine(_));
        let Some(entry) = self.ledger.get_mut(key) else { return };
        match outcome {
            // It is there, but not how to reach it is known yet. One that is to go needs no more than its id.
            Outcome::Present(present) if cannot_work(&present) => {
                entry.state = ResourceState::Unknown(Some(present));
                let message = "the machine is there, but it cannot be reached yet";
                let failure = Failure::not_applied(ErrorCode::Unreachable, message);
                retry::note_failure(entry, action, failure.with_remedy(UNREACHABLE_REMEDY), &salt, now);
            }
            // Same as before the call: the call had no effect, so its failure is kept.
            Outcome::Present(present) if entry.state == ResourceState::Unknown(Some(present.clone())) => {
                entry.state = ResourceState::Present(present);
                entry.since = now;
                if let Some(key) = key.infra().filter(|key| key.machine().is_none()) {
                    self.outdate(key);
                }
            }
            Outcome::Present(present) => {
                let is_another = set_present(entry, present, now);
                if is_another && let Some(machine) = key.machine() {
                    self.outdate_dependents(machine);
                }
            }
            Outcome::Absent if began < entry.since.max(awake_since) + lag => {
                // It may be there and not be listed yet.
                entry.next_try = Some(entry.since.max(awake_since) + lag);
            }
            Outcome::Absent if let Some(failure) = out_of_sight => {
                retry::note_failure(entry, action, failure, &salt, now);
            }
            Outcome::Absent => {
                let was_there = matches!(entry.state, ResourceState::Unknown(Some(_)));
                entry.state = ResourceState::Wanted;
                entry.since = now;
                entry.prepared = None;
                entry.step = None;
                entry.next_try = None;
                if was_there && let Some(machine) = key.machine() {
                    self.lose_machine(machine, now);
                }
                if was_there && let Some(service) = key.service() {
                    self.lose_service(service, now);
                }
            }
            Outcome::Failed(failure) => retry::note_failure(entry, action, failure, &salt, now),
            Outcome::Done | Outcome::Swept(_) => {}
        }
    }

    fn finish_remove(&mut self, key: &ResourceKey, action: &Action, outcome: Outcome, now: Timestamp) {
        let salt = self.salt(key);
        let Some(entry) = self.ledger.get_mut(key) else { return };
        match outcome {
            Outcome::Done | Outcome::Absent => {
                // The next one, if there is one, is another: its token must differ.
                let attempt = entry.attempt.wrapping_add(1);
                *entry = LedgerEntry { attempt, ..LedgerEntry::wanted(now) };
            }
            Outcome::Failed(failure) => retry::note_failure(entry, action, failure, &salt, now),
            Outcome::Present(_) | Outcome::Swept(_) => {}
        }
    }

    fn finish_step(&mut self, name: &Name, step: MachineStep, action: &Action, outcome: Outcome, now: Timestamp) {
        let key = ResourceKey::for_machine(name.clone());
        let salt = self.salt(&key);
        let renewal = self.record.renewal;
        let Some(entry) = self.ledger.get_mut(&key) else { return };
        match outcome {
            Outcome::Done => {
                retry::clear_failure(entry);
                let Some(StepRun { step, target, .. }) = entry.step.take() else { return };
                match step {
                    MachineStep::Prepare | MachineStep::Upgrade => entry.prepared = Some(target),
                    MachineStep::Cordon if entry.duty == Duty::On => entry.duty = Duty::Cordoned,
                    MachineStep::Drain => entry.duty = Duty::Drained,
                    MachineStep::Uncordon => entry.duty = Duty::On,
                    MachineStep::Start | MachineStep::Renew | MachineStep::Cordon => {}
                }
                if step.performer() == Performer::Preparer || step == MachineStep::Uncordon {
                    self.note_interruption(name, now);
                }
            }
            // A machine that was started.
            Outcome::Present(present) => {
                set_present(entry, present, now);
            }
            Outcome::Failed(failure) => {
                // What may still go on keeps its number and is found by it.
                if failure.certainty == Certainty::NotApplied && step != MachineStep::Start {
                    entry.step = None;
                    if brings_certificates(step, entry) {
                        // Whether the machine has some of them is not known, so a renewal is due.
                        entry.renewed = entry.renewed.min(renewal.saturating_sub(1));
                    }
                }
                retry::note_failure(entry, action, failure, &salt, now);
            }
            Outcome::Absent | Outcome::Swept(_) => {}
        }
    }

    /// A member that was prepared again may have been interrupted by it: what was seen of it before says nothing.
    fn note_interruption(&mut self, machine: &Name, now: Timestamp) {
        let key = ResourceKey::Node(machine.clone());
        let node = self.ledger.get_mut(&key).filter(|node| node.present().is_some());
        if let Some(node) = node {
            node.since = now;
        }
    }

    fn finish_sweep(&mut self, outcome: Outcome, now: Timestamp) {
        // Its deletion was cancelled: nothing is swept any more, and what it found is where it belongs.
        if !self.desired().absent {
            return;
        }
        match outcome {
            Outcome::Swept(found) => self.adopt_swept(found, now),
            Outcome::Failed(failure) => self.note_sweep_failure(failure, now),
            Outcome::Present(_) | Outcome::Absent | Outcome::Done => {}
        }
    }

    /// What we made and lost track of comes back into the ledger and is removed like the rest.
    fn adopt_swept(&mut self, found: Vec<Owned>, now: Timestamp) {
        self.record.swept = found.is_empty();
        let mut adopted_any = false;
        let mut unreadable = Vec::new();
        for Owned { key, present, .. } in &found {
            let Some(key) = key.as_ref().filter(|key| key.is_infrastructure()) else {
                unreadable.push(present.id.as_str());
                continue;
            };
            let entry = self.entry_mut(key, now);
            let is_known = match &entry.state {
                ResourceState::Present(known) | ResourceState::Removing(known) => known.id == present.id,
                ResourceState::Wanted | ResourceState::Unknown(_) => false,
            };
            if !is_known {
                entry.state = ResourceState::Present(present.clone());
                adopted_any = true;
            }
        }
        if !unreadable.is_empty() {
            let message = format!("marked as this cluster's, but not as what: {}", unreadable.join(", "));
            let remedy = "see what it is, and remove it at its infrastructure";
            self.note_sweep_failure(Failure::not_applied(ErrorCode::Provider, message).with_remedy(remedy), now);
        } else if self.record.swept || adopted_any {
            self.sweep_retry = None;
        } else {
            // Nothing new: what is known is being removed, and looking again at once would not help it.
            let message = "what is known to be left is still there";
            self.note_sweep_failure(Failure::not_applied(ErrorCode::Provider, message), now);
        }
        let in_ledger = |owned: &Owned| self.ledger.values().any(|entry| entry.id() == Some(&owned.present.id));
        self.strays = found.into_iter().filter(|owned| !in_ledger(owned)).collect();
    }

    fn note_sweep_failure(&mut self, failure: Failure, now: Timestamp) {
        let salt = self.id().to_string();
        let entry = self.sweep_retry.get_or_insert_with(|| LedgerEntry::wanted(now));
        retry::note_failure(entry, &Action::Sweep, failure, &salt, now);
    }

    fn salt(&self, key: &ResourceKey) -> String {
        format!("{}/{key}", self.id())
    }
}

/// Notes what is there, and says whether it is another than the one before.
fn set_present(entry: &mut LedgerEntry, present: Present, now: Timestamp) -> bool {
    // A machine that was found again is the same one as before only if its id is.
    let same = match &entry.state {
        ResourceState::Present(before) | ResourceState::Unknown(Some(before)) => before.id == present.id,
        ResourceState::Wanted | ResourceState::Unknown(None) | ResourceState::Removing(_) => false,
    };
    if !same {
        entry.prepared = None;
        entry.step = None;
        entry.duty = Duty::On;
    }
    entry.state = ResourceState::Present(present);
    entry.since = now;
    retry::clear_failure(entry);
    !same
}
