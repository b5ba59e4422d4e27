//! After every change: the ledger without what is neither there nor wanted, and with members whose machines come and go.

use muster_protocol::Name;

use super::ClusterState;
use crate::desired::ServiceRecord;
use crate::ledger::{Facts, Present, ResourceKey, ResourceState};

impl ClusterState {
    /// Drops what is neither there nor wanted, and memberships whose machine is gone for good.
    pub(crate) fn tidy(&mut self) {
        let unwanted: Vec<ResourceKey> = self
            .ledger
            .iter()
            .filter(|(key, entry)| entry.state == ResourceState::Wanted && !self.is_desired(key))
            .filter(|(key, _)| !self.is_remembered(key))
            .map(|(key, _)| key.clone())
            .collect();
        for key in unwanted {
            self.ledger.remove(&key);
        }
        let ledger = &self.ledger;
        let remains = |name: &Name| ledger.contains_key(&ResourceKey::Service(name.clone()));
        let is_over = |name: &Name, service: &ServiceRecord| service.absent && !remains(name);
        if self.services.iter().any(|(name, service)| is_over(name, service)) {
            self.services.retain(|name, service| !is_over(name, service));
        }
        if self.desired().absent {
            // Nodes and services live on machines and go with them. While there is any machine they stay: should the
            // deletion be cancelled, it must be known which members are lost.
            let any_machine = self.ledger.keys().any(|key| key.machine().is_some());
            if !any_machine && self.ledger.keys().any(|key| !key.is_infrastructure()) {
                self.ledger.retain(|key, _| key.is_infrastructure());
            }
        } else {
            self.adopt_surplus_nodes();
            self.detach_lost_nodes();
            self.forget_stillborn_cluster();
        }
    }

    /// The `Wanted` entry of a node is kept while its machine exists: its time tells which observations are too old to count.
    fn is_remembered(&self, key: &ResourceKey) -> bool {
        let machine = key.node().and_then(|name| self.machine(name));
        machine.is_some_and(|machine| machine.state != ResourceState::Wanted)
    }

    /// A machine that is to go and that the last look shows as a node is taken out of the orchestrator first, whatever
    /// was said of its joining: a member whose machine is gone would count for the majority for ever.
    fn adopt_surplus_nodes(&mut self) {
        let Some(looked_at) = self.observed.orchestrator_at else { return };
        let mut adopted = Vec::new();
        for (key, machine) in self.ledger.iter() {
            let Some(name) = key.machine() else { continue };
            if machine.state == ResourceState::Wanted || self.is_desired(key) {
                continue;
            }
            let Some(seen) = self.observed.orchestrator.nodes.get(name) else { continue };
            let key = ResourceKey::Node(name.clone());
            let entry = self.ledger.get(&key);
            let is_out = entry.is_none_or(|entry| entry.state == ResourceState::Wanted);
            // Not before the node was last taken out, nor in the very millisecond.
            let is_news = looked_at > entry.unwrap_or(machine).created_at;
            if is_out && is_news && self.in_flight_for(&key).is_none() {
                adopted.push((key, Present { id: seen.id.clone(), facts: Facts::None }));
            }
        }
        for (key, present) in adopted {
            self.entry_mut(&key, looked_at).state = ResourceState::Removing(present);
        }
    }

    /// The node of a machine that is not there is to go, before its successor joins.
    fn detach_lost_nodes(&mut self) {
        let lost = |name: &Name| self.machine(name).is_none_or(|machine| machine.state == ResourceState::Wanted);
        let nodes = self.ledger.iter().filter(|(key, node)| {
            let Some(name) = key.node() else { return false };
            let may_be_there = match node.state {
                ResourceState::Present(_) | ResourceState::Unknown(_) => true,
                ResourceState::Removing(_) | ResourceState::Wanted => false,
            };
            // What comes of a call under way is not known yet.
            may_be_there && lost(name) && self.in_flight_for(key).is_none()
        });
        let nodes: Vec<ResourceKey> = nodes.map(|(key, _)| key.clone()).collect();
        for key in nodes {
            let Some(node) = self.ledger.get_mut(&key) else { continue };
            node.state = match std::mem::replace(&mut node.state, ResourceState::Wanted) {
                ResourceState::Present(present)
                | ResourceState::Unknown(Some(present))
                | ResourceState::Removing(present) => ResourceState::Removing(present),
                ResourceState::Unknown(None) | ResourceState::Wanted => ResourceState::Wanted,
            };
        }
    }

    /// A cluster that was or may have been formed on a machine that was lost before anybody else joined and before anything
    /// ran on it is no loss: another one is formed.
    fn forget_stillborn_cluster(&mut self) {
        let Some(founder) = self.founder() else { return };
        let first_is_lost = self.machine(&founder).is_none_or(|machine| machine.state == ResourceState::Wanted);
        let first_node = ResourceKey::Node(founder);
        let in_use = self.ledger.iter().any(|(key, entry)| match key {
            ResourceKey::Node(_) | ResourceKey::Service(_) => {
                *key != first_node && entry.state != ResourceState::Wanted
            }
            ResourceKey::Infra(_) | ResourceKey::Orchestrator => false,
        });
        let under_way =
            [&first_node, &ResourceKey::Orchestrator].into_iter().any(|key| self.in_flight_for(key).is_some());
        if self.record.was_ready || !first_is_lost || in_use || under_way {
            return;
        }
        for key in [ResourceKey::Orchestrator, first_node] {
            if let Some(entry) = self.ledger.get_mut(&key) {
                entry.state = ResourceState::Wanted;
            }
        }
    }
}
