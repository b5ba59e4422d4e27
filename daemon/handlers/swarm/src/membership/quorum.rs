//! Whether the swarm's managers can spare one.

use bollard::models::Node;
use muster_engine::failure::Failure;
use muster_protocol::ErrorCode;

use super::nodes::{id, is_manager, is_reachable_manager, is_up};

/// Refuses if the managers could not go on without this node: most of the managers that remain must be up and reachable.
///
/// Reachable alone is not enough: for a few seconds, a manager that has just become the leader takes those for reachable
/// that it has not yet written to in vain, among them the leader before it.
pub(crate) fn can_spare(nodes: &[Node], leaving: &str) -> Result<(), Failure> {
    let remaining: Vec<&Node> = nodes.iter().filter(|node| is_manager(node) && id(node) != leaving).collect();
    if remaining.is_empty() {
        return Err(Failure::not_applied(
            ErrorCode::QuorumLost,
            "it is the swarm's last manager, and other nodes depend on it",
        )
        .permanent()
        .with_remedy("remove the other nodes first, or add another control-plane machine"));
    }
    let reachable = remaining.iter().filter(|node| is_up(node) && is_reachable_manager(node)).count();
    let needed = remaining.len() / 2 + 1;
    if reachable < needed {
        return Err(Failure::not_applied(
            ErrorCode::QuorumLost,
            format!(
                "without it {reachable} of {} managers would be up and reachable, and {needed} are needed",
                remaining.len()
            ),
        )
        .with_remedy("bring back the managers that are down, or remove those first"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use bollard::models::{ManagerStatus, NodeSpec, NodeSpecRoleEnum, NodeState, NodeStatus, Reachability};

    use super::*;

    fn manager(id: &str, reachability: Reachability) -> Node {
        manager_in(NodeState::READY, id, reachability)
    }

    fn manager_in(state: NodeState, id: &str, reachability: Reachability) -> Node {
        Node {
            id: Some(id.to_owned()),
            spec: Some(NodeSpec { role: Some(NodeSpecRoleEnum::MANAGER), ..Default::default() }),
            status: Some(NodeStatus { state: Some(state), ..Default::default() }),
            manager_status: Some(ManagerStatus { reachability: Some(reachability), ..Default::default() }),
            ..Default::default()
        }
    }

    fn worker(id: &str) -> Node {
        Node { id: Some(id.to_owned()), ..Default::default() }
    }

    use Reachability::{REACHABLE, UNREACHABLE};

    #[test]
    fn one_of_three_healthy_managers_can_go() {
        let nodes = [manager("a", REACHABLE), manager("b", REACHABLE), manager("c", REACHABLE)];
        assert!(can_spare(&nodes, "a").is_ok());
    }

    #[test]
    fn a_lost_manager_can_go() {
        let nodes = [manager("a", UNREACHABLE), manager("b", REACHABLE), manager("c", REACHABLE)];
        assert!(can_spare(&nodes, "a").is_ok());
    }

    #[test]
    fn a_healthy_manager_cannot_go_while_another_is_lost() {
        let nodes = [manager("a", UNREACHABLE), manager("b", REACHABLE), manager("c", REACHABLE)];
        assert_eq!(can_spare(&nodes, "b").unwrap_err().code, ErrorCode::QuorumLost);
    }

    #[test]
    fn a_manager_that_a_new_leader_has_not_heard_yet_does_not_count() {
        for state in [NodeState::UNKNOWN, NodeState::DISCONNECTED, NodeState::DOWN] {
            let nodes = [manager_in(state, "a", REACHABLE), manager("b", REACHABLE), manager("c", REACHABLE)];
            assert_eq!(can_spare(&nodes, "b").unwrap_err().code, ErrorCode::QuorumLost, "{state}");
            assert!(can_spare(&nodes, "a").is_ok(), "{state}");
        }
    }

    #[test]
    fn the_last_manager_cannot_leave_its_workers() {
        let nodes = [manager("a", REACHABLE), worker("w")];
        assert_eq!(can_spare(&nodes, "a").unwrap_err().code, ErrorCode::QuorumLost);
    }
}
