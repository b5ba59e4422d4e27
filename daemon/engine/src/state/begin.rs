//! Before a call: what must be on disk first.

use muster_protocol::Timestamp;
use muster_protocol::model::event::EventKind;

use super::{ClusterState, InFlight};
use crate::action::Action;
use crate::desired::{machine_id, role_and_number};
use crate::ledger::{ResourceKey, ResourceState};

impl ClusterState {
    /// Notes that this action is about to be performed. The result must be on disk before the call is made:
    /// that is what makes a crash at any point harmless.
    pub fn begin(&mut self, action: &Action, now: Timestamp) {
        let key = action.key();
        match action {
            Action::Create(key) => {
                let id = self.id();
                let entry = self.entry_mut(key, now);
                if let ResourceKey::Machine(name) = key {
                    entry.machine = Some(machine_id(id, name));
                }
                if let ResourceKey::Machine(name) | ResourceKey::Node(name) = key {
                    entry.role = role_and_number(name).map(|(role, _)| role);
                }
                // A node that joins again was there before.
                entry.state = ResourceState::Unknown(entry.present().cloned());
                entry.since = now;
            }
            Action::Update(name) => {
                let entry = self.entry_mut(&ResourceKey::Service(name.clone()), now);
                let known = entry.present().cloned();
                entry.state = ResourceState::Unknown(known);
                entry.since = now;
            }
            Action::Remove(key) => {
                let entry = self.entry_mut(key, now);
                if let Some(present) = entry.present().cloned() {
                    entry.state = ResourceState::Removing(present);
                    entry.since = now;
                }
            }
            // These change nothing that could be made twice or left behind.
            Action::LookUp(_) | Action::Start(_) | Action::Prepare(_) | Action::Sweep | Action::Await(_) => {}
        }
        if !action.is_call() {
            return;
        }
        let deadline = now + self.deadlines.of_call(action);
        let generation = key.as_ref().and_then(|key| self.generation_wanted(key));
        self.in_flight.insert(key, InFlight { action: action.clone(), since: now, deadline, generation });
        self.announce(now, EventKind::StepStarted, action.to_string(), None);
    }
}
