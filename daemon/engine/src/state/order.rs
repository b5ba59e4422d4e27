//! The orders that go with actions, and the machines that they go to.

use muster_protocol::model::host::Role;
use muster_protocol::{ErrorCode, Name};

use super::ClusterState;
use crate::action::Action;
use crate::desired::{machine_name, role_and_number};
use crate::driver::MachineOrder;
use crate::failure::Failure;
use crate::handler::{Member, ServiceOrder};
use crate::ledger::{LedgerEntry, ResourceKey};
use crate::order::{DriverOrder, HandlerOrder, Order, PreparerOrder};

impl ClusterState {
    /// The call that performs an action which was begun. Fails if there is nothing that could be called: the action has
    /// failed by that.
    pub fn order(&self, action: &Action) -> Result<Order, Failure> {
        use ResourceKey::{Machine, Network, Node, Orchestrator, Service};
        // The planner asks for no such thing.
        let lacking = || Failure::not_applied(ErrorCode::Internal, format!("`{action}` lacks what it needs"));
        let known_id = |key: &ResourceKey| self.ledger.get(key).and_then(LedgerEntry::id).cloned().ok_or_else(lacking);
        let member = |machine: &Name| {
            // It is not there any more. The next plan knows.
            let gone = || Failure::not_applied(ErrorCode::Unreachable, format!("`{action}` has no machine to ask"));
            self.member(machine).ok_or_else(gone)
        };
        let first = || member(&machine_name(Role::ControlPlane, 1));
        Ok(match action {
            Action::Create(key @ (Network | Machine(_))) => Order::Driver(DriverOrder::Create(self.machine_order(key))),
            Action::LookUp(key @ (Network | Machine(_))) => Order::Driver(DriverOrder::LookUp(key.clone())),
            Action::Remove(key @ (Network | Machine(_))) => {
                Order::Driver(DriverOrder::Remove(key.clone(), known_id(key)?))
            }
            Action::Start(name) => {
                let key = Machine(name.clone());
                let id = known_id(&key)?;
                Order::Driver(DriverOrder::Start(key, id))
            }
            Action::Prepare(name) => Order::Preparer(self.preparer_order(name).ok_or_else(lacking)?),
            Action::Sweep => Order::Driver(DriverOrder::ListOwned),
            Action::Create(Orchestrator) => Order::Handler(HandlerOrder::Form(first()?)),
            Action::LookUp(Orchestrator) => Order::Handler(HandlerOrder::LookUpCluster(first()?)),
            Action::Create(Node(name)) => Order::Handler(HandlerOrder::Join(self.members(), member(name)?)),
            Action::LookUp(Node(name)) => Order::Handler(HandlerOrder::LookUpNode(self.members(), member(name)?)),
            Action::Remove(key @ Node(name)) => {
                Order::Handler(HandlerOrder::RemoveNode(self.members(), known_id(key)?, self.member(name)))
            }
            Action::Create(Service(name)) | Action::Update(name) => {
                let service = self.service_order(name).ok_or_else(lacking)?;
                Order::Handler(HandlerOrder::Deploy(self.members(), Box::new(service)))
            }
            Action::LookUp(Service(name)) => Order::Handler(HandlerOrder::LookUpService(self.members(), name.clone())),
            Action::Remove(Service(name)) => Order::Handler(HandlerOrder::RemoveService(self.members(), name.clone())),
            // An orchestrator goes with its machines, and waiting is no call.
            Action::Remove(Orchestrator) | Action::Await(_) => return Err(lacking()),
        })
    }

    fn machine_order(&self, key: &ResourceKey) -> MachineOrder {
        let role = match key {
            ResourceKey::Machine(name) => role_and_number(name).map(|(role, _)| role),
            ResourceKey::Network | ResourceKey::Orchestrator | ResourceKey::Node(_) | ResourceKey::Service(_) => None,
        };
        let attempt = self.ledger.get(key).map_or(0, |entry| entry.attempt);
        MachineOrder { key: key.clone(), role, shape: self.desired().spec.machine.clone(), attempt }
    }

    fn preparer_order(&self, machine: &Name) -> Option<PreparerOrder> {
        let entry = self.ledger.get(&ResourceKey::Machine(machine.clone()))?;
        let (role, _) = role_and_number(machine)?;
        Some(PreparerOrder { machine: machine.clone(), role, access: entry.access()?.clone() })
    }

    /// Without the values of its secrets.
    fn service_order(&self, name: &Name) -> Option<ServiceOrder> {
        let service = self.services.get(name)?;
        Some(ServiceOrder {
            id: service.id,
            generation: service.generation,
            spec: service.version.spec.clone(),
            secrets_version: service.version.secrets_version,
        })
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
