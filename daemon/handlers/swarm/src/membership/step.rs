//! Taking a machine out of the swarm's service for a while, and back.

use bollard::models::NodeSpecAvailabilityEnum;
use muster_engine::failure::Failure;
use muster_engine::member::Member;
use muster_engine::recipe::MachineStep;
use muster_protocol::ErrorCode;

use super::{nodes, remove};
use crate::managers::Managers;

/// Cordons, drains or uncordons the machine's node.
pub(crate) async fn step(
    managers: &Managers,
    members: &[Member],
    machine: &Member,
    step: MachineStep,
) -> Result<(), Failure> {
    let no_node = || Failure::not_applied(ErrorCode::NotFound, format!("the swarm does not list {}", machine.machine));
    let node_id = machine.node_id.as_deref().ok_or_else(no_node)?;
    let manager = managers.find(members).await?;
    let availability = match step {
        MachineStep::Cordon => NodeSpecAvailabilityEnum::PAUSE,
        MachineStep::Drain => {
            let node = nodes::read(&manager.engine, node_id).await?.ok_or_else(no_node)?;
            return remove::drain(managers, members, &node).await;
        }
        MachineStep::Uncordon => NodeSpecAvailabilityEnum::ACTIVE,
        MachineStep::Start | MachineStep::Prepare | MachineStep::Upgrade | MachineStep::Renew => {
            let message = format!("`{}` is nothing that an orchestrator does", step.as_str());
            return Err(Failure::not_applied(ErrorCode::Internal, message).permanent());
        }
    };
    let is_listed = nodes::update(&manager.engine, node_id, step.as_str(), |spec| {
        spec.availability.replace(availability) != Some(availability)
    });
    if is_listed.await? { Ok(()) } else { Err(no_node()) }
}
