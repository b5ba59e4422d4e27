//! Roll-out policies: which steps bring a member to another recipe, and when it has to wait for others. Pure.

use std::fmt;

use muster_protocol::Name;
use muster_protocol::model::host::Role;

use crate::recipe::{MachineStep, Prepared, Recipe};

/// The roll-out policy of one orchestrator. Machines take turns: control planes first, in the order of their numbers.
pub trait Rollout: Send + Sync {
    /// The steps, in order, that bring a prepared machine to this recipe.
    fn steps(&self, machine: &MachineNow, target: &Recipe) -> Vec<MachineStep>;

    /// Why none of these steps may begin now, if that is so.
    fn hold(&self, fleet: &[MachineNow], machine: &MachineNow, target: &Recipe) -> Option<Hold>;
}

/// How a machine stands, as far as a roll-out policy looks at it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MachineNow {
    /// Its name within the cluster.
    pub name: Name,
    /// What it is for.
    pub role: Role,
    /// What it was prepared with.
    pub prepared: Prepared,
    /// Whether it is a member of the orchestrator's cluster.
    pub is_member: bool,
    /// Whether it was seen ready since its last step.
    pub is_ready: bool,
    /// Whether its last step ended so lately that it may not be ready again yet.
    pub is_coming_back: bool,
}

/// Why a machine's turn has not come.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Hold {
    /// Another machine's turn has just ended, and it is not ready again.
    ComingBack(Name),
    /// The control plane is not of the target's version yet.
    ControlPlaneFirst(Name),
    /// The versions may not differ so much.
    Skew {
        /// What the machine has.
        from: String,
        /// What was asked for.
        to: String,
    },
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ComingBack(machine) => write!(f, "{machine} has to be ready again first"),
            Self::ControlPlaneFirst(machine) => write!(f, "{machine} has to have the new version first"),
            Self::Skew { from, to } => write!(f, "version {from} cannot become {to} in one step"),
        }
    }
}

/// The policy of orchestrators whose members are just prepared again, one after the other.
pub struct OneAfterTheOther;

impl Rollout for OneAfterTheOther {
    fn steps(&self, _machine: &MachineNow, _target: &Recipe) -> Vec<MachineStep> {
        vec![MachineStep::Prepare]
    }

    /// A member that is broken for good does not keep the others for ever, for a preparation may be what mends it. A
    /// preparation that fails does keep them, and says why: what broke one member would break the next.
    fn hold(&self, fleet: &[MachineNow], _machine: &MachineNow, _target: &Recipe) -> Option<Hold> {
        coming_back(fleet)
    }
}

/// The hold for a member that is not ready again after its turn.
pub fn coming_back(fleet: &[MachineNow]) -> Option<Hold> {
    let machine = fleet.iter().find(|machine| machine.is_coming_back)?;
    Some(Hold::ComingBack(machine.name.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(name: &str, is_coming_back: bool) -> MachineNow {
        let recipe = Recipe { version: None, revision: "old".to_owned() };
        MachineNow {
            name: name.parse().unwrap(),
            role: Role::Worker,
            prepared: Prepared { recipe, role: Role::Worker, peers: String::new() },
            is_member: true,
            is_ready: !is_coming_back,
            is_coming_back,
        }
    }

    #[test]
    fn a_members_turn_waits_for_the_one_before_to_be_ready_again() {
        let target = Recipe { version: None, revision: "new".to_owned() };
        let fleet = [machine("worker-1", true), machine("worker-2", false)];
        let hold = OneAfterTheOther.hold(&fleet, &fleet[1], &target);
        assert_eq!(hold.unwrap().to_string(), "worker-1 has to be ready again first");
        let fleet = [machine("worker-1", false), machine("worker-2", false)];
        assert_eq!(OneAfterTheOther.hold(&fleet, &fleet[1], &target), None);
    }
}
