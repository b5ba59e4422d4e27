//! Services: submitted, seen to be well, removed.

use muster_protocol::Name;

use super::Planner;
use crate::action::Action;
use crate::ledger::{Facts, ResourceKey, ResourceState};

impl Planner<'_> {
    pub(super) fn bring_services(&mut self) {
        let formed = self.until_services_can_run();
        let wanted: Vec<Name> =
            self.state.services.iter().filter(|(_, service)| !service.absent).map(|(name, _)| name.clone()).collect();
        for name in wanted {
            self.bring_service(&name, &formed);
        }
    }

    /// The orchestrator takes services as soon as any control plane is one.
    fn until_services_can_run(&self) -> Vec<Action> {
        let orchestrator = ResourceKey::Orchestrator;
        let mut first = self.pending_of([Action::LookUp(orchestrator.clone()), Action::Create(orchestrator)]);
        first.extend(self.until_anybody_is_member());
        first
    }

    fn bring_service(&mut self, name: &Name, formed: &[Action]) {
        let key = ResourceKey::Service(name.clone());
        let update = Action::Update(name.clone());
        // The entry is `Unknown` because our own update is in flight: it is not looked up.
        let updating = self.state.in_flight_for(&key) == Some(&update);
        let submitted = if updating || self.is_outdated(name) {
            let obstacle = self.lost_quorum(&update);
            Some(self.step_if(update, formed, obstacle))
        } else {
            let obstacle = self.lost_quorum(&Action::Create(key.clone()));
            self.ensure_if(&key, formed, obstacle)
        };
        match submitted {
            Some(submitted) => {
                self.step(Action::Await(key), &[submitted]);
            }
            // Good, not only well: until then it is looked at often.
            None if self.state.is_service_good(name) => {}
            None => {
                self.step(Action::Await(key), &[]);
            }
        }
    }

    /// Whether an earlier generation than the one that is asked for was submitted last.
    fn is_outdated(&self, name: &Name) -> bool {
        let entry = self.entry(&ResourceKey::Service(name.clone()));
        let wanted = self.state.services.get(name).map(|service| service.generation);
        match entry.and_then(|entry| entry.present()).map(|present| &present.facts) {
            Some(Facts::Service { generation }) => Some(*generation) != wanted,
            Some(Facts::None | Facts::Machine(_) | Facts::Other(_)) | None => false,
        }
    }

    pub(super) fn remove_surplus_services(&mut self) {
        let surplus: Vec<ResourceKey> = self
            .state
            .ledger
            .keys()
            .filter(|key| matches!(key, ResourceKey::Service(_)) && !self.state.is_desired(key))
            .cloned()
            .collect();
        for key in surplus {
            let obstacle = self.lost_quorum(&Action::Remove(key.clone()));
            self.remove(&key, &[], obstacle);
        }
    }

    /// Plans a resource's removal: the last step, or none if nothing of it is there.
    pub(super) fn remove(
        &mut self,
        key: &ResourceKey,
        after: &[Action],
        obstacle: Option<super::Gate>,
    ) -> Option<Action> {
        match self.entry(key).map(|entry| &entry.state) {
            None | Some(ResourceState::Wanted) => None,
            Some(ResourceState::Unknown(_)) => Some(self.look_up(key, &[])),
            Some(ResourceState::Present(_) | ResourceState::Removing(_)) => {
                Some(self.step_if(Action::Remove(key.clone()), after, obstacle))
            }
        }
    }
}
