//! Resources that are to be brought up to date although what is asked of them is the same: what they were made from has
//! changed, or the call that should have brought them up to date had no effect.

use muster_protocol::Name;

use super::ClusterState;
use crate::ledger::{InfraKey, ResourceKey};

impl ClusterState {
    /// Lets the next plan bring a resource up to date.
    pub(super) fn outdate(&mut self, key: &InfraKey) {
        // A resource that never changes has 0.
        let Some(need) = self.need(key).filter(|need| need.input != 0) else { return };
        if let Some(entry) = self.ledger.get_mut(&ResourceKey::Infra(key.clone())) {
            // Any digest but that of the need does.
            entry.input = !need.input;
        }
    }

    /// The same for what stands on this machine, which was made anew or has another address. Other machines that stand on
    /// it are never brought up to date.
    pub(super) fn outdate_dependents(&mut self, machine: &Name) {
        let carrier = InfraKey::for_machine(machine.clone());
        let standing = self.ledger.iter().filter(|(_, entry)| entry.after.contains(&carrier));
        let standing = standing.filter_map(|(key, _)| key.infra()).filter(|key| key.machine().is_none());
        let standing: Vec<InfraKey> = standing.cloned().collect();
        for key in standing {
            self.outdate(&key);
        }
    }
}
