//! How members come to another recipe, by kubeadm's rules: control planes first, one minor version at a time, each node
//! drained before and back before the next. <https://kubernetes.io/releases/version-skew-policy/>

use muster_engine::recipe::{MachineStep, Recipe};
use muster_engine::rollout::{Hold, MachineNow, Rollout, coming_back};
use muster_protocol::model::host::Role;

/// The roll-out policy of Kubernetes.
pub struct KubernetesRollout;

impl Rollout for KubernetesRollout {
    fn steps(&self, machine: &MachineNow, target: &Recipe) -> Vec<MachineStep> {
        // What is no node yet gets the other version's packages by its preparation; it has nothing that could be lost.
        if !machine.is_member || has_version_of(machine, target) {
            return vec![MachineStep::Prepare];
        }
        vec![MachineStep::Cordon, MachineStep::Drain, MachineStep::Upgrade, MachineStep::Uncordon]
    }

    fn hold(&self, fleet: &[MachineNow], machine: &MachineNow, target: &Recipe) -> Option<Hold> {
        if let Some(hold) = coming_back(fleet) {
            return Some(hold);
        }
        if has_version_of(machine, target) {
            return None;
        }
        if let Some(skew) = skew(machine, target) {
            return Some(skew);
        }
        let waits =
            |other: &&MachineNow| other.role == Role::ControlPlane && other.is_member && !has_version_of(other, target);
        let first = fleet.iter().filter(|other| other.name != machine.name).find(waits)?;
        (machine.role == Role::Worker).then(|| Hold::ControlPlaneFirst(first.name.clone()))
    }
}

fn has_version_of(machine: &MachineNow, target: &Recipe) -> bool {
    machine.prepared.recipe.version == target.version
}

/// A node goes up by one minor version at most, and never down.
fn skew(machine: &MachineNow, target: &Recipe) -> Option<Hold> {
    let from = machine.prepared.recipe.version.as_deref()?;
    let to = target.version.as_deref()?;
    let refused = || Some(Hold::Skew { from: from.to_owned(), to: to.to_owned() });
    let (Some(old), Some(new)) = (numbers(from), numbers(to)) else { return refused() };
    // Only the machines that are members have something at stake.
    if machine.is_member && (new < old || new.0 > old.0 + 1) { refused() } else { None }
}

/// Minor version and patch of `1.36.3`.
fn numbers(version: &str) -> Option<(u32, u32)> {
    let (minor, patch) = version.strip_prefix("1.")?.split_once('.')?;
    Some((minor.parse().ok()?, patch.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use muster_engine::recipe::Prepared;

    use super::*;

    fn recipe(version: &str) -> Recipe {
        Recipe { version: Some(version.to_owned()), revision: version.to_owned() }
    }

    fn machine(name: &str, role: Role, version: &str) -> MachineNow {
        MachineNow {
            name: name.parse().unwrap(),
            role,
            prepared: Prepared { recipe: recipe(version), role, peers: String::new() },
            is_member: true,
            is_ready: true,
            is_coming_back: false,
        }
    }

    fn hold(fleet: &[MachineNow], machine: usize, to: &str) -> Option<String> {
        KubernetesRollout.hold(fleet, &fleet[machine], &recipe(to)).map(|hold| hold.to_string())
    }

    #[test]
    fn a_node_is_drained_for_another_version_and_only_for_that() {
        let node = machine("worker-1", Role::Worker, "1.35.4");
        let drained = [MachineStep::Cordon, MachineStep::Drain, MachineStep::Upgrade, MachineStep::Uncordon];
        assert_eq!(KubernetesRollout.steps(&node, &recipe("1.36.3")), drained);
        let other_revision = Recipe { revision: "other".to_owned(), ..recipe("1.35.4") };
        assert_eq!(KubernetesRollout.steps(&node, &other_revision), [MachineStep::Prepare]);
        let no_member = MachineNow { is_member: false, ..node };
        assert_eq!(KubernetesRollout.steps(&no_member, &recipe("1.36.3")), [MachineStep::Prepare]);
    }

    #[test]
    fn control_planes_go_first_and_one_at_a_time() {
        let mut fleet = [
            machine("control-plane-1", Role::ControlPlane, "1.36.3"),
            machine("control-plane-2", Role::ControlPlane, "1.35.4"),
            machine("worker-1", Role::Worker, "1.35.4"),
        ];
        assert_eq!(hold(&fleet, 1, "1.36.3"), None);
        assert_eq!(hold(&fleet, 2, "1.36.3").unwrap(), "control-plane-2 has to have the new version first");
        fleet[0].is_coming_back = true;
        assert_eq!(hold(&fleet, 1, "1.36.3").unwrap(), "control-plane-1 has to be ready again first");
        fleet[0].is_coming_back = false;
        fleet[1] = machine("control-plane-2", Role::ControlPlane, "1.36.3");
        assert_eq!(hold(&fleet, 2, "1.36.3"), None);
    }

    #[test]
    fn no_minor_version_is_left_out_and_none_is_gone_back_to() {
        let fleet = [machine("control-plane-1", Role::ControlPlane, "1.35.4")];
        assert_eq!(hold(&fleet, 0, "1.37.2").unwrap(), "version 1.35.4 cannot become 1.37.2 in one step");
        assert_eq!(hold(&fleet, 0, "1.34.9").unwrap(), "version 1.35.4 cannot become 1.34.9 in one step");
        assert_eq!(hold(&fleet, 0, "1.35.1").unwrap(), "version 1.35.4 cannot become 1.35.1 in one step");
        assert_eq!(hold(&fleet, 0, "1.35.9"), None);
        assert_eq!(hold(&fleet, 0, "1.36.0"), None);
    }
}
