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

/// Takes the nodes out of the view that are in no swarm any more, by their machines' own word. A manager that has left has
/// its vote for as long as it is listed, and stays among the voters.
pub(crate) async fn forget_those_that_left(managers: &Managers, members: &[Member], view: &mut OrchestratorView) {
    let is_down = |member: &&Member| view.nodes.get(&member.machine).is_some_and(|node| !node.ready);
    let down = members.iter().filter(is_down);
    let asked = down.map(async |member| has_left(managers, member).await.then(|| member.machine.clone()));
    let left: Vec<Name> = join_all(asked).await.into_iter().flatten().collect();
    for machine in left {
        view.nodes.remove(&machine);
    }
}

async fn has_left(managers: &Managers, member: &Member) -> bool {
    let Ok(engine) = managers.engine(member) else { return false };
    let report = tokio::time::timeout(LIMIT, nodes::self_report(&engine, &member.machine)).await;
    // One that does not answer may come back as what it was.
    report.is_ok_and(|report| report.is_ok_and(|report| report.local_node_state == Some(LocalNodeState::INACTIVE)))
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
        let (engine, _) = scripted::engine(move |request: &str, _: &Heard| match request {
            "GET /info" => (200, json!({ "Swarm": { "LocalNodeState": state } })),
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
    async fn one_that_may_come_back_stays() {
        for state in ["active", "pending", "error", "locked"] {
            assert!(remains(Role::Worker, false, state).await, "{state}");
        }
        assert!(remains(Role::Worker, true, "inactive").await, "the control plane hears it");
    }
}
