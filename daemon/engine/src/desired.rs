//! What users asked for: the cluster and its services. Only requests change it
//! (and the automatic return of a service to its last good version).

use std::collections::BTreeMap;

use muster_protocol::model::cluster::{ClusterPhase, ClusterSpec, MachineShape, Pool};
use muster_protocol::model::host::Role;
use muster_protocol::model::service::{ServicePhase, ServiceSpec};
use muster_protocol::{Cause, ClusterId, MachineId, Name, SecretBytes, ServiceId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::recipe::Recipe;

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
    /// What its machines are to be prepared with. A newer release of Muster offers another; adopting it is asked for.
    pub recipe: Recipe,
    /// Counts the renewals of its certificates that were asked for.
    pub renewal: u64,
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
    /// The machines that should be there, pool by pool, control planes first.
    pub fn machines(&self) -> impl Iterator<Item = (Name, Role)> + '_ {
        let roles = [Role::ControlPlane, Role::Worker].into_iter().filter(|_| !self.absent);
        roles.flat_map(|role| {
            let pools = self.spec.pools_of(role);
            pools.flat_map(move |(pool, count)| (1..=count).map(move |number| (name_in(pool, number), role)))
        })
    }

    /// What the machine of this name should be for, if it should be there.
    pub fn role_of(&self, machine: &Name) -> Option<Role> {
        let (pool, number) = pool_and_number(machine)?;
        let is_wanted = |role: &Role| {
            let mut pools = self.spec.pools_of(*role);
            pools.any(|(name, count)| name == pool && (1..=count).contains(&number))
        };
        [Role::ControlPlane, Role::Worker].into_iter().filter(|_| !self.absent).find(is_wanted)
    }

    /// The pool of the machine of this name; none for the default pools.
    pub fn pool_of(&self, machine: &Name) -> Option<&Pool> {
        let (name, _) = pool_and_number(machine)?;
        self.spec.pools.iter().find(|pool| pool.name.as_str() == name)
    }

    /// What the machine of this name should be: as its pool says, and as the cluster says where the pool says nothing.
    pub fn shape_of(&self, machine: &Name) -> MachineShape {
        let cluster = &self.spec.machine;
        let Some(pool) = self.pool_of(machine) else { return cluster.clone() };
        let MachineShape { cpu, memory, disk, image } = pool.shape.clone();
        MachineShape {
            cpu: cpu.or(cluster.cpu),
            memory: memory.or(cluster.memory),
            disk: disk.or(cluster.disk),
            image: image.or_else(|| cluster.image.clone()),
        }
    }
}

/// The name of a machine of a default pool: `control-plane-1`, `worker-3`. Numbers start at 1.
pub fn machine_name(role: Role, number: u32) -> Name {
    match role {
        Role::ControlPlane => name_in(ClusterSpec::CONTROL_PLANE_POOL, number),
        // A role of a later release is refused before a machine could have it.
        Role::Worker | Role::Unknown(_) => name_in(ClusterSpec::WORKER_POOL, number),
    }
}

fn name_in(pool: &str, number: u32) -> Name {
    #[expect(clippy::expect_used, reason = "validate keeps a pool's name so short that a hyphen and ten digits fit")]
    format!("{pool}-{number}").parse().expect("a pool's name and digits are a name")
}

/// The pool and the number in a machine's name. A number has no leading zeros, so that no machine has two names.
pub fn pool_and_number(machine: &Name) -> Option<(&str, u32)> {
    let (pool, digits) = machine.as_str().rsplit_once('-')?;
    let is_plain = digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
    Some((pool, digits.parse().ok().filter(|_| is_plain)?))
}

/// The role of a machine of this name and its number in its pool. A pool of control planes is known by its name.
pub fn role_and_number(machine: &Name) -> Option<(Role, u32)> {
    let (pool, number) = pool_and_number(machine)?;
    Some((role_of_pool(pool), number))
}

/// The role of the machines of a pool of this name.
pub fn role_of_pool(pool: &str) -> Role {
    match pool.strip_prefix(ClusterSpec::CONTROL_PLANE_POOL) {
        Some(rest) if rest.is_empty() || rest.starts_with('-') => Role::ControlPlane,
        Some(_) | None => Role::Worker,
    }
}

/// The number at the end of a machine's name; 0 if there is none.
pub fn number_of(machine: &Name) -> u32 {
    let digits = machine.as_str().rsplit('-').next().unwrap_or_default();
    digits.parse().unwrap_or(0)
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
    /// Why the last change did not become well: the version before this one was withdrawn, or this first one has failed.
    pub withdrawn: Option<Cause>,
}

/// One version of what to run.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ServiceVersion {
    /// What to run, without the values of its secrets.
    pub spec: ServiceSpec,
    /// Under which number the values of its secrets are kept; 0 if it has none.
    pub secrets_version: u64,
    /// To which digest the orchestrator resolved the image's tag when this was submitted. What is submitted again, as with
    /// another number of copies or on the return to the last good version, runs the same.
    pub digest: Option<String>,
}

impl ServiceVersion {
    /// What is asked for and was not submitted yet.
    pub fn new(spec: ServiceSpec, secrets_version: u64) -> Self {
        Self { spec, secrets_version, digest: None }
    }

    /// Whether the same is asked for, whatever the image's tag meant at the time.
    pub fn asks_for_the_same(&self, other: &Self) -> bool {
        (&self.spec, self.secrets_version) == (&other.spec, other.secrets_version)
    }
}

/// Takes the values of the secrets out of a spec, by the secrets' names. Those go to the store sealed; the rest may be shown.
pub fn take_secrets(spec: &mut ServiceSpec) -> BTreeMap<Name, SecretBytes> {
    let secrets = spec.secrets.iter_mut();
    secrets.filter_map(|secret| secret.value.take().map(|value| (secret.name.clone(), value))).collect()
}

#[cfg(test)]
mod tests {
    use muster_protocol::model::cluster::{Infrastructure, Orchestrator};

    use super::*;

    #[test]
    fn a_machine_name_tells_what_it_was_made_from() {
        for (role, number) in [(Role::ControlPlane, 1), (Role::Worker, 500)] {
            assert_eq!(role_and_number(&machine_name(role, number)), Some((role, number)));
        }
        for other in ["worker-x", "worker-01", "worker-0", "other"] {
            assert_eq!(role_and_number(&other.parse().unwrap()), None, "{other}");
        }
        let of = |name: &str| role_and_number(&name.parse().unwrap());
        assert_eq!(of("gpu-2-12"), Some((Role::Worker, 12)));
        assert_eq!(of("control-plane-zone-b-3"), Some((Role::ControlPlane, 3)));
        assert_eq!(of("control-planes-3"), Some((Role::Worker, 3)));
    }

    #[test]
    fn the_machines_of_every_pool_should_be_there_and_are_as_their_pool_says() {
        let name = |text: &str| -> Name { text.parse().unwrap() };
        let gpu = Pool {
            shape: MachineShape { image: Some("cuda".to_owned()), ..MachineShape::default() },
            ..Pool::new(name("gpu"), Role::Worker, 1)
        };
        let pools = vec![gpu, Pool::new(name("control-plane-b"), Role::ControlPlane, 2)];
        let spec = ClusterSpec::new(name("demo"), Orchestrator::Sim, Infrastructure::Sim);
        let machine = MachineShape { image: Some("plain".to_owned()), ..MachineShape::default() };
        let mut desired =
            Desired { generation: 1, spec: ClusterSpec { workers: 1, machine, pools, ..spec }, absent: false };
        let machines: Vec<String> = desired.machines().map(|(name, role)| format!("{name} {role}")).collect();
        let expected = [
            "control-plane-1 control-plane",
            "control-plane-b-1 control-plane",
            "control-plane-b-2 control-plane",
            "worker-1 worker",
            "gpu-1 worker",
        ];
        assert_eq!(machines, expected);
        assert_eq!(desired.role_of(&name("gpu-1")), Some(Role::Worker));
        assert_eq!(desired.role_of(&name("gpu-2")), None);
        assert_eq!(desired.shape_of(&name("gpu-1")).image.unwrap(), "cuda");
        assert_eq!(desired.shape_of(&name("worker-1")).image.unwrap(), "plain");
        desired.absent = true;
        assert_eq!((desired.machines().count(), desired.role_of(&name("gpu-1"))), (0, None));
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
