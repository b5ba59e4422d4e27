//! Makes the outside call of an action, as the daemon's driver and handler actors do.

use std::sync::Arc;

use muster_engine::action::{Action, Outcome};
use muster_engine::context::ClusterContext;
use muster_engine::desired::machine_name;
use muster_engine::driver::{Driver, MachineOrder};
use muster_engine::failure::Failure;
use muster_engine::handler::{Handler, Member, ServiceOrder};
use muster_engine::ledger::{MachineAccess, ResourceKey, ResourceState};
use muster_engine::preparer::Preparer;
use muster_engine::state::ClusterState;
use muster_protocol::ErrorCode;
use muster_protocol::model::host::Role;

/// The outside.
pub type Twins = (Arc<dyn Driver>, Arc<dyn Preparer>, Arc<dyn Handler>, Arc<ClusterContext>);

/// What is needed for an action, as of the moment in which it is begun.
pub struct Order {
    machine: Option<MachineOrder>,
    id: Option<String>,
    access: Option<MachineAccess>,
    member: Option<Member>,
    members: Vec<Member>,
    service: Option<ServiceOrder>,
}

impl Order {
    pub fn of(state: &ClusterState, action: &Action) -> Self {
        let key = action.key();
        let entry = key.as_ref().and_then(|key| state.ledger.get(key));
        let known = entry.and_then(|entry| match &entry.state {
            ResourceState::Present(present) | ResourceState::Removing(present) => Some(present),
            ResourceState::Unknown(known) => known.as_ref(),
            ResourceState::Wanted => None,
        });
        let member = match &key {
            Some(ResourceKey::Orchestrator) => state.member(&machine_name(Role::ControlPlane, 1)),
            Some(ResourceKey::Node(name)) => state.member(name),
            Some(ResourceKey::Network | ResourceKey::Machine(_) | ResourceKey::Service(_)) | None => None,
        };
        let service = match &key {
            Some(ResourceKey::Service(name)) => state.services.get(name),
            Some(_) | None => None,
        };
        Self {
            machine: key.as_ref().map(|key| state.machine_order(key)),
            id: known.map(|present| present.id.clone()),
            access: entry.and_then(|entry| entry.access()).cloned(),
            member,
            members: state.members(),
            service: service.map(|service| ServiceOrder {
                id: service.id,
                generation: service.generation,
                spec: service.version.spec.clone(),
                secrets_version: service.version.secrets_version,
            }),
        }
    }
}

pub async fn perform((driver, preparer, handler, context): Twins, action: Action, order: Order) -> Outcome {
    let Order { machine, id, access, member, members, service } = order;
    let lacking = || Failure::not_applied(ErrorCode::Unreachable, format!("`{action}` lacks what it needs"));
    let performed = async {
        use ResourceKey::{Machine, Network, Node, Orchestrator, Service};
        let need_member = || member.clone().ok_or_else(lacking);
        let need_id = || id.clone().ok_or_else(lacking);
        let found = |found: Option<_>| found.map_or(Outcome::Absent, Outcome::Present);
        Ok(match &action {
            Action::Create(Network | Machine(_)) => {
                Outcome::Present(driver.create(&context, &machine.clone().ok_or_else(lacking)?).await?)
            }
            Action::Create(Orchestrator) => Outcome::Present(handler.form(&need_member()?).await?),
            Action::Create(Node(_)) => Outcome::Present(handler.join(&members, &need_member()?).await?),
            Action::Create(Service(_)) | Action::Update(_) => {
                Outcome::Present(handler.deploy(&members, service.as_ref().ok_or_else(lacking)?).await?)
            }
            Action::LookUp(key @ (Network | Machine(_))) => found(driver.look_up(&context, key).await?),
            Action::LookUp(Orchestrator) => found(handler.look_up_cluster(&need_member()?).await?),
            Action::LookUp(Node(_)) => found(handler.look_up_node(&members, &need_member()?).await?),
            Action::LookUp(Service(name)) => found(handler.look_up_service(&members, name).await?),
            Action::Start(name) => Outcome::Present(driver.start(&context, &Machine(name.clone()), &need_id()?).await?),
            Action::Prepare(name) => {
                let role = machine.as_ref().and_then(|order| order.role).ok_or_else(lacking)?;
                preparer.prepare(&context, name, role, access.as_ref().ok_or_else(lacking)?).await?;
                Outcome::Done
            }
            Action::Remove(key @ (Network | Machine(_))) => {
                driver.remove(&context, key, &need_id()?).await?;
                Outcome::Done
            }
            Action::Remove(Node(_)) => {
                handler.remove_node(&members, &need_id()?, member.as_ref()).await?;
                Outcome::Done
            }
            Action::Remove(Service(name)) => {
                handler.remove_service(&members, name).await?;
                Outcome::Done
            }
            Action::Remove(Orchestrator) => panic!("an orchestrator goes with its machines"),
            Action::Sweep => Outcome::Swept(driver.list_owned(context.instance, Some(context.cluster)).await?),
            Action::Await(_) => panic!("`{action}` is no call"),
        })
    };
    performed.await.unwrap_or_else(Outcome::Failed)
}
