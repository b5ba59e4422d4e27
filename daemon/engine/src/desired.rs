//! What users asked for: the cluster and its services. Only requests change it
//! (and the automatic return of a service to its last good version).

use muster_protocol::model::cluster::{ClusterPhase, ClusterSpec};
use muster_protocol::model::host::Role;
use muster_protocol::model::service::{ServicePhase, ServiceSpec};
use muster_protocol::{Cause, ClusterId, MachineId, Name, ServiceId, Timestamp};
use serde::{Deserialize, Serialize};

/// The stored head of a cluster.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ClusterRecord {
    /// Its id.
    pub id: ClusterId,
    /// What is asked for now.
    pub desired: Desired,
    /// How it is, as last announced.
    pub phase: ClusterPhase,
    /// Since when.
    pub phase_since: Timestamp,
    /// Whether it ever was ready.
    pub was_ready: bool,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// Once it is to be absent: until when removal may take before the cluster counts as released.
    pub removal_deadline: Option<Timestamp>,
    /// Once it is to be absent and nothing is in the ledger: whether a sweep found nothing more.
    pub swept: bool,
}

/// What is asked for of a cluster.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Desired {
    /// Counts the changes, from 1.
    pub generation: u64,
    /// The cluster as it should be, or was before it was to go.
    pub spec: ClusterSpec,
    /// Whether it is to go.
    pub absent: bool,
}

impl Desired {
    /// The machines that should be there, control planes first.
    pub fn machines(&self) -> impl Iterator<Item = (Name, Role)> + '_ {
        let (control_planes, workers) =
            if self.absent { (0, 0) } else { (self.spec.control_planes, self.spec.workers) };
        let control_planes = (1..=control_planes).map(|number| machine_name(Role::ControlPlane, number));
        let workers = (1..=workers).map(|number| machine_name(Role::Worker, number));
        control_planes.map(|name| (name, Role::ControlPlane)).chain(workers.map(|name| (name, Role::Worker)))
    }

    /// What the machine of this name should be for, if it should be there.
    pub fn role_of(&self, machine: &Name) -> Option<Role> {
        let (role, number) = role_and_number(machine)?;
        let count = match role {
            Role::ControlPlane => self.spec.control_planes,
            Role::Worker => self.spec.workers,
        };
        (!self.absent && (1..=count).contains(&number)).then_some(role)
    }
}

const CONTROL_PLANE_PREFIX: &str = "control-plane-";
const WORKER_PREFIX: &str = "worker-";

/// The name of a cluster's machine: `control-plane-1`, `worker-3`. Numbers start at 1.
pub fn machine_name(role: Role, number: u32) -> Name {
    let prefix = match role {
        Role::ControlPlane => CONTROL_PLANE_PREFIX,
        Role::Worker => WORKER_PREFIX,
    };
    #[expect(clippy::expect_used, reason = "a fixed prefix and at most ten digits always are a name")]
    format!("{prefix}{number}").parse().expect("prefix and digits are a name")
}

/// What [`machine_name`] was made from.
pub fn role_and_number(machine: &Name) -> Option<(Role, u32)> {
    let text = machine.as_str();
    let (role, digits) = match (text.strip_prefix(CONTROL_PLANE_PREFIX), text.strip_prefix(WORKER_PREFIX)) {
        (Some(digits), _) => (Role::ControlPlane, digits),
        (None, Some(digits)) => (Role::Worker, digits),
        (None, None) => return None,
    };
    Some((role, digits.parse().ok()?))
}

/// A machine's id: derived from its cluster and its name, so it is the same whenever and wherever it is asked for.
pub fn machine_id(cluster: ClusterId, machine: &Name) -> MachineId {
    // FNV-1a over 128 bits; the cluster's id is the offset, so ids of different clusters do not meet.
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    let mut hash = u128::from_be_bytes(*cluster.as_bytes());
    for byte in machine.as_str().bytes() {
        hash = (hash ^ u128::from(byte)).wrapping_mul(PRIME);
    }
    MachineId::from_u128(hash)
}

/// What is asked for of one service, and how it stands.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ServiceRecord {
    /// Its id.
    pub id: ServiceId,
    /// Counts the changes, from 1.
    pub generation: u64,
    /// What to run, without the values of its secrets.
    pub version: ServiceVersion,
    /// Whether it is to go.
    pub absent: bool,
    /// The last version that was seen to be well.
    pub last_good: Option<ServiceVersion>,
    /// The template it came from, as `name@version`.
    pub template: Option<String>,
    /// How it is, as last announced.
    pub phase: ServicePhase,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When what is asked for last changed.
    pub updated_at: Timestamp,
    /// Why the version before this one was withdrawn.
    pub withdrawn: Option<Cause>,
}

/// One version of what to run.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ServiceVersion {
    /// What to run, without the values of its secrets.
    pub spec: ServiceSpec,
    /// Under which number the values of its secrets are kept; 0 if it has none.
    pub secrets_version: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_name_tells_what_it_was_made_from() {
        for (role, number) in [(Role::ControlPlane, 1), (Role::Worker, 500)] {
            assert_eq!(role_and_number(&machine_name(role, number)), Some((role, number)));
        }
        assert_eq!(role_and_number(&"worker-x".parse().unwrap()), None);
        assert_eq!(role_and_number(&"other".parse().unwrap()), None);
    }

    #[test]
    fn machine_ids_differ_by_cluster_and_by_name() {
        let (one, other) = (ClusterId::from_u128(1), ClusterId::from_u128(2));
        let (first, second) = (machine_name(Role::Worker, 1), machine_name(Role::Worker, 2));
        assert_eq!(machine_id(one, &first), machine_id(one, &first));
        assert_ne!(machine_id(one, &first), machine_id(one, &second));
        assert_ne!(machine_id(one, &first), machine_id(other, &first));
    }
}
