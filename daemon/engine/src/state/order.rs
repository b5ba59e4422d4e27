//! Limits in time, and the orders that go with actions.

use std::time::Duration;

use muster_protocol::model::host::Role;
use muster_protocol::{Name, Timestamp};

use super::ClusterState;
use crate::action::Action;
use crate::desired::role_and_number;
use crate::driver::MachineOrder;
use crate::handler::Member;
use crate::ledger::ResourceKey;

/// How long things may take. No state is without one of these.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Deadlines {
    /// A cluster operation but delete, from the asking.
    pub cluster: Duration,
    /// A delete, from the asking; then the cluster counts as released.
    pub removal: Duration,
    /// A service operation on a cluster that was not ready when it was asked for.
    pub first_service: Duration,
    /// One call that makes, starts or removes a network or machine.
    pub infrastructure_call: Duration,
    /// One preparation of a machine.
    pub preparation: Duration,
    /// One call to the orchestrator.
    pub orchestrator_call: Duration,
    /// How long a listing at the infrastructure may lag; see [`crate::driver::Driver::listing_lag`].
    pub listing_lag: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
        Self {
            cluster: minutes(30),
            removal: minutes(15),
            first_service: minutes(30),
            infrastructure_call: minutes(10),
            preparation: minutes(15),
            orchestrator_call: minutes(3),
            listing_lag: Duration::ZERO,
        }
    }
}

impl Deadlines {
    /// Until when this action may take if it begins now.
    pub(crate) fn of_call(&self, action: &Action, now: Timestamp) -> Timestamp {
        let duration = match action {
            Action::Prepare(_) => self.preparation,
            Action::Await(_) => self.cluster,
            Action::LookUp(_)
            | Action::Create(_)
            | Action::Start(_)
            | Action::Update(_)
            | Action::Remove(_)
            | Action::Sweep => {
                if action.is_infrastructure() {
                    self.infrastructure_call
                } else {
                    self.orchestrator_call
                }
            }
        };
        now + duration
    }
}

impl ClusterState {
    /// The order that goes to the driver for a network or machine.
    pub fn machine_order(&self, key: &ResourceKey) -> MachineOrder {
        let role = match key {
            ResourceKey::Machine(name) => role_and_number(name).map(|(role, _)| role),
            ResourceKey::Network | ResourceKey::Orchestrator | ResourceKey::Node(_) | ResourceKey::Service(_) => None,
        };
        let attempt = self.ledger.get(key).map_or(0, |entry| entry.attempt);
        MachineOrder { key: key.clone(), role, shape: self.desired().spec.machine.clone(), attempt }
    }

    /// The machine as the handler reaches it, if it is there and prepared.
    pub fn member(&self, machine: &Name) -> Option<Member> {
        let entry = self.ledger.get(&ResourceKey::Machine(machine.clone()))?;
        let access = entry.access()?.clone();
        entry.prepared.as_ref()?;
        let role = role_and_number(machine).map(|(role, _)| role)?;
        let node = self.ledger.get(&ResourceKey::Node(machine.clone()));
        let node_id = node.and_then(|node| node.present()).map(|present| present.id.clone());
        Some(Member { machine: machine.clone(), role, access, node_id })
    }

    /// Every machine that is there and prepared; control planes that have joined come first, for they can be asked.
    pub fn members(&self) -> Vec<Member> {
        let machines = self.ledger.keys().filter_map(|key| match key {
            ResourceKey::Machine(name) => Some(name),
            ResourceKey::Network | ResourceKey::Orchestrator | ResourceKey::Node(_) | ResourceKey::Service(_) => None,
        });
        let mut members: Vec<Member> = machines.filter_map(|name| self.member(name)).collect();
        members.sort_by_key(|member| (member.role != Role::ControlPlane, member.node_id.is_none()));
        members
    }
}
