//! Kubeadm's rules of upgrades, as the world notes that they are broken: a node is drained first, goes up by one minor
//! version at most, no worker before a control plane, and no control plane that the others cannot spare.
//! <https://kubernetes.io/docs/tasks/administer-cluster/kubeadm/kubeadm-upgrade/>

use muster_protocol::model::host::Role;
use muster_protocol::{ClusterId, Name};

use super::audit::Violation;
use super::state::{Change, Node, Resource, machine_at};
use super::things::Things;
use crate::ledger::Duty;
use crate::preparer::StepOrder;
use crate::recipe::MachineStep;

impl Things {
    /// Cordons, drains or opens the machine's node, if it is one.
    pub(super) fn keep(&mut self, cluster: ClusterId, machine: &Name, step: MachineStep) {
        let duty = match step {
            MachineStep::Cordon => Duty::Cordoned,
            MachineStep::Drain => Duty::Drained,
            MachineStep::Uncordon => Duty::On,
            MachineStep::Start | MachineStep::Prepare | MachineStep::Upgrade | MachineStep::Renew => return,
        };
        let Some((orchestrator, id)) = self.node_named(cluster, machine) else { return };
        let node = self.formed(cluster, orchestrator).and_then(|(_, formed)| formed.nodes.get(&id)).cloned();
        if let Some(node) = node {
            self.apply(Change::Node { cluster, orchestrator, id, now: Some(Node { duty, ..node }) });
        }
    }

    /// Notes what of the rules an upgrade breaks that is about to begin.
    pub(super) fn note_broken_rule(&mut self, cluster: ClusterId, order: &StepOrder) {
        if let Some(rule) = self.broken_rule(cluster, order) {
            let to = order.run.target.recipe.version.as_deref().unwrap_or_default();
            self.note(Violation::Upgrade(format!("{} of cluster {cluster} to {to}: {rule}", order.machine)));
        }
    }

    fn broken_rule(&self, cluster: ClusterId, order: &StepOrder) -> Option<String> {
        let (bucket, id) = (self.bucket(cluster)?, machine_at(&order.access)?);
        let machine = bucket.resources.get(&id).filter(|machine| machine.running)?;
        // One that was begun before is only found again.
        if order.run.step != MachineStep::Upgrade || machine.steps.contains_key(&order.run.run) {
            return None;
        }
        let Some((orchestrator, node_id)) = bucket.membership(id) else { return Some("it is no node".to_owned()) };
        let formed = bucket.orchestrators.get(&orchestrator)?;
        let node = formed.nodes.get(&node_id)?;
        if node.duty != Duty::Drained {
            return Some(format!("its node is {:?}", node.duty));
        }
        let version = |machine: &Resource| machine.version().as_deref().and_then(minor);
        let to = order.run.target.recipe.version.as_deref().and_then(minor);
        if let (Some(from), Some(to)) = (version(machine), to)
            && !(from..=from + 1).contains(&to)
        {
            return Some(format!("it comes from minor version {from}"));
        }
        let mut control_planes = formed.nodes.values().filter(|node| node.role == Role::ControlPlane);
        if node.role == Role::Worker {
            let is_behind = |node: &&Node| bucket.resources.get(&node.machine).and_then(version) < to;
            return control_planes.find(is_behind).map(|node| format!("{} is behind", node.name));
        }
        let (others, up) = bucket.control_planes(formed, Some(node_id));
        (others > 0 && up <= others.div_ceil(2)).then(|| format!("of {others} other control planes {up} are up"))
    }
}

/// The minor version of `1.36.3`.
fn minor(version: &str) -> Option<u32> {
    version.split('.').nth(1)?.parse().ok()
}
