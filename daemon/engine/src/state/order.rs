//! The orders that go with actions, and the machines that they go to.

use muster_protocol::model::host::Role;
use muster_protocol::model::operation::OperationKind;
use muster_protocol::{ErrorCode, Name};

use super::ClusterState;
use crate::action::Action;
use crate::driver::{InfraOrder, MachineOrder};
use crate::failure::Failure;
use crate::handler::ServiceOrder;
use crate::ledger::{InfraKey, LedgerEntry, ResourceKey, ResourceState};
use crate::member::Member;
use crate::order::{DriverOrder, HandlerOrder, Order};
use crate::preparer::StepOrder;
use crate::recipe::Performer;

impl ClusterState {
    /// The call that performs an action which was begun. Fails if there is nothing that could be called: the action has
    /// failed by that.
    pub fn order(&self, action: &Action) -> Result<Order, Failure> {
        use ResourceKey::{Infra, Node, Orchestrator, Service};
        // The planner asks for no such thing.
        let lacking = || Failure::not_applied(ErrorCode::Internal, format!("`{action}` lacks what it needs"));
        let known_id = |key: &ResourceKey| self.ledger.get(key).and_then(LedgerEntry::id).cloned().ok_or_else(lacking);
        let member = |machine: &Name| {
            // It is not there any more. The next plan knows.
            let gone = || Failure::not_applied(ErrorCode::Unreachable, format!("`{action}` has no machine to ask"));
            self.member(machine).ok_or_else(gone)
        };
        let founder = || member(&self.founder().ok_or_else(lacking)?);
        Ok(match action {
            Action::Create(Infra(key)) => Order::Driver(DriverOrder::Create(self.infra_order(key))),
            Action::LookUp(Infra(key)) => {
                let known = match self.ledger.get(&Infra(key.clone())).map(|entry| &entry.state) {
                    Some(ResourceState::Unknown(known)) => known.clone(),
                    Some(ResourceState::Wanted | ResourceState::Present(_) | ResourceState::Removing(_)) | None => None,
                };
                Order::Driver(DriverOrder::LookUp(key.clone(), known))
            }
            Action::Remove(Infra(key)) => {
                Order::Driver(DriverOrder::Remove(key.clone(), known_id(&Infra(key.clone()))?))
            }
            Action::Step(name, step) => match step.performer() {
                Performer::Driver => {
                    let key = InfraKey::for_machine(name.clone());
                    let id = known_id(&Infra(key.clone()))?;
                    Order::Driver(DriverOrder::Start(key, id))
                }
                Performer::Preparer => Order::Preparer(self.step_order(name).ok_or_else(lacking)?),
                Performer::Handler => Order::Handler(HandlerOrder::Step(self.members(), member(name)?, *step)),
            },
            Action::Sweep => Order::Driver(DriverOrder::ListOwned),
            Action::Create(Orchestrator) => Order::Handler(HandlerOrder::Form(founder()?)),
            Action::LookUp(Orchestrator) => {
                let founders: Result<_, _> = self.possible_founders().iter().map(member).collect();
                Order::Handler(HandlerOrder::LookUpCluster(founders?))
            }
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

    fn infra_order(&self, key: &InfraKey) -> InfraOrder {
        let entry = self.ledger.get(&ResourceKey::Infra(key.clone()));
        let machine = key.machine().and_then(|name| {
            let role = self.role_of(name)?;
            Some(MachineOrder { name: name.clone(), role, shape: self.desired().shape_of(name) })
        });
        let stands_on = |other: &InfraKey| entry.is_some_and(|entry| entry.after.contains(other));
        let known = self.ledger.iter().filter_map(|(other, there)| {
            let other = other.infra().filter(|other| other.machine().is_none() || stands_on(other))?;
            Some((other.clone(), there.present()?.clone()))
        });
        let present = entry.and_then(|entry| match &entry.state {
            ResourceState::Unknown(before) => before.clone(),
            ResourceState::Present(present) => Some(present.clone()),
            ResourceState::Wanted | ResourceState::Removing(_) => None,
        });
        InfraOrder {
            key: key.clone(),
            machine,
            present,
            known: known.collect(),
            attempt: entry.map_or(0, |entry| entry.attempt),
        }
    }

    fn step_order(&self, machine: &Name) -> Option<StepOrder> {
        let entry = self.machine(machine)?;
        let run = entry.step.clone()?;
        let (role, access) = (run.target.role, entry.access()?.clone());
        Some(StepOrder { machine: machine.clone(), role, access, run, peers: self.peers(), renewal: entry.renewed })
    }

    /// Without the values of its secrets and the login at its registry.
    fn service_order(&self, name: &Name) -> Option<ServiceOrder> {
        let service = self.services.get(name)?;
        Some(ServiceOrder {
            id: service.id,
            generation: service.generation,
            spec: service.version.spec.clone(),
            secrets_version: service.version.secrets_version,
            digest: service.version.digest.clone(),
            refresh: self.is_refreshed(name),
            login: None,
        })
    }

    fn is_refreshed(&self, service: &Name) -> bool {
        let mut asked = self.running_operations().map(|operation| &operation.info);
        asked.any(|info| info.kind == OperationKind::ServiceRefresh && info.services.contains(service))
    }

    /// The machine as the handler reaches it, if it is there and prepared.
    pub fn member(&self, machine: &Name) -> Option<Member> {
        let entry = self.machine(machine)?;
        let access = entry.access()?.clone();
        entry.prepared.as_ref()?;
        let role = self.role_of(machine)?;
        let node = self.ledger.get(&ResourceKey::Node(machine.clone()));
        let node_id = node.and_then(|node| node.present()).map(|present| present.id.clone());
        Some(Member { machine: machine.clone(), role, access, node_id })
    }

    /// Every machine that is there and prepared; control planes that have joined come first, for they can be asked. They are
    /// made of the head and the ledger alone.
    pub fn members(&self) -> Vec<Member> {
        let machines = self.ledger.keys().filter_map(ResourceKey::machine);
        let mut members: Vec<Member> = machines.filter_map(|name| self.member(name)).collect();
        members.sort_by_key(|member| (member.role != Role::ControlPlane, member.node_id.is_none()));
        members
    }
}
