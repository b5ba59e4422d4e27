//! Machines that have left the swarm by themselves. The control plane only knows that their nodes are down, as if they might
//! come back; the machines know better.

use std::time::Duration;

use bollard::models::LocalNodeState;
use futures::future::join_all;
use muster_engine::member::Member;
use muster_engine::observed::OrchestratorView;
use muster_protocol::Name;

use super::nodes;
use crate::managers::Managers;

/// How long a machine may take to say it. One whose node is down is often silent.
const LIMIT: Duration = Duration::from_secs(2);

/// Takes the nodes out of the view that their machines are not any more, by the machines' own word: they are in no swarm,
/// or another node. A manager that has left has
/// its vote for as long as it is listed, and stays among the voters.
pub(crate) async fn forget_those_that_left(managers: &Managers, members: &[Member], view: &mut OrchestratorView) {
    let down = members.iter().filter_map(|member| {
        let node = view.nodes.get(&member.machine).filter(|node| !node.ready)?;
        Some((member, node.id.as_str()))
    });
    let asked = down.map(async |(member, id)| has_left(managers, member, id).await.then(|| member.machine.clone()));
    let left: Vec<Name> = join_all(asked).await.into_iter().flatten().collect();
    for machine in left {
        view.nodes.remove(&machine);
    }
}

async fn has_left(managers: &Managers, member: &Member, id: &str) -> bool {
    let Ok(engine) = managers.engine(member) else { return false };
    let report = tokio::time::timeout(LIMIT, nodes::self_report(&engine, &member.machine)).await;
    // One that does not answer may come back as what it was.
    let Ok(Ok(report)) = report else { return false };
    report.local_node_state == Some(LocalNodeState::INACTIVE) || nodes::own_id(&report).is_some_and(|own| own != id)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::Arc;

    use muster_engine::observed::ObservedNode;
    use muster_protocol::model::host::Role;
    use serde_json::json;

    use super::*;
    use crate::fixtures::cluster;
    use crate::scripted::{self, Heard, Scripted, member};

    fn node(role: Role, ready: bool) -> ObservedNode {
        let (version, cpu, memory, message) = (None, None, None, None);
        ObservedNode { id: "n".to_owned(), role, ready, version, cpu, memory, labels: [].into(), message }
    }

    async fn remains(role: Role, ready: bool, state: &'static str) -> bool {
        remains_as(role, ready, state, "n").await
    }

    async fn remains_as(role: Role, ready: bool, state: &'static str, id: &'static str) -> bool {
        let (engine, _) = scripted::engine(move |request: &str, _: &Heard| match request {
            "GET /info" => (200, json!({ "Swarm": { "LocalNodeState": state, "NodeID": id } })),
            _ => (500, json!({ "message": "out of order" })),
        })
        .await;
        let one = member("worker-1", role, "a");
        let managers =
            Managers::new(Arc::new(cluster()), Arc::new(Scripted(HashMap::from([("a".to_owned(), engine)]))));
        let nodes = [(one.machine.clone(), node(role, ready))].into();
        let mut view = OrchestratorView { nodes, ..OrchestratorView::default() };
        forget_those_that_left(&managers, &[one], &mut view).await;
        !view.nodes.is_empty()
    }

    #[tokio::test]
    async fn a_machine_that_is_in_no_swarm_by_its_own_word_is_no_node() {
        for role in [Role::Worker, Role::ControlPlane] {
            assert!(!remains(role, false, "inactive").await, "{role}");
        }
    }

    #[tokio::test]
    async fn a_machine_that_is_another_node_by_its_own_word_is_not_this_one() {
        for state in ["active", "pending", "error"] {
            assert!(!remains_as(Role::Worker, false, state, "other").await, "{state}");
            assert!(remains_as(Role::Worker, false, state, "").await, "{state}: it does not say which");
        }
    }

    #[tokio::test]
    async fn one_that_may_come_back_stays() {
        for state in ["active", "pending", "error", "locked"] {
            assert!(remains(Role::Worker, false, state).await, "{state}");
        }
        assert!(remains(Role::Worker, true, "inactive").await, "the control plane hears it");
    }
}
