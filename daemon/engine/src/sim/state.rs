//! What there is in the world, as plain data. [`Change`] is the only way to change it, so that the journal misses nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use muster_protocol::model::host::Role;
use muster_protocol::model::service::{Constraint, Port, ServiceMode};
use muster_protocol::{ClusterId, InstanceId, Name, ServiceId};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::audit::Violation;
use super::tasks::Task;
use crate::ledger::{Duty, Facts, MachineAccess, Present, ResourceKey};
use crate::recipe::{MachineStep, Prepared};

/// Everything.
#[derive(Default)]
pub(super) struct SimState {
    /// By cluster, so that no call ever looks at another cluster's things.
    pub(super) clusters: HashMap<ClusterId, ClusterThings>,
    /// Ids are never used twice.
    pub(super) next_id: u64,
    /// What nobody should have done. Not kept on disk.
    pub(super) violations: Vec<Violation>,
}

/// What there is of one cluster, and what tests have put beside it.
#[derive(Default)]
pub(super) struct ClusterThings {
    /// What the infrastructure made: machines, and what they stand on.
    pub(super) resources: BTreeMap<u64, Resource>,
    /// Tokens of creations that were carried out, with what they made: it may be gone since. They are kept for as long as
    /// the world, so that no call, however late, makes a second thing with a used token. That is some hundred bytes a
    /// machine, in a world for tests and demonstrations.
    pub(super) tokens: BTreeMap<(ResourceKey, u32), u64>,
    /// Formed clusters. There should never be more than one.
    pub(super) orchestrators: BTreeMap<u64, Orchestrator>,
}

/// A machine, or what machines stand on.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Resource {
    /// Its name. Tells nothing about whose it is.
    pub(super) name: ResourceKey,
    /// Whose it is.
    pub(super) marks: Option<Marks>,
    /// The token it was made with.
    pub(super) attempt: u32,
    /// Whether it runs, if it is a machine.
    pub(super) running: bool,
    /// Whether its container engine has stopped by itself, if it is a machine.
    #[serde(default)]
    pub(super) faltered: bool,
    /// What its marks say of the cluster's spec. Nearly always the same for all resources of a cluster, which then share it.
    #[serde(default, with = "shared_spec")]
    pub(super) spec: Arc<BTreeMap<String, String>>,
    /// What it stands on.
    pub(super) stands_on: Vec<u64>,
    /// The steps that were begun on it, by their numbers, if it is a machine. They go on whatever becomes of who began them.
    pub(super) steps: BTreeMap<u32, Box<BegunStep>>,
    /// From when on it is listed.
    #[serde(skip, default = "Instant::now")]
    pub(super) visible_from: Instant,
}

/// A step that was begun on a machine.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct BegunStep {
    /// What is done.
    pub(super) step: MachineStep,
    /// What the machine has then.
    pub(super) target: Prepared,
    /// When it has ended.
    #[serde(skip, default = "Instant::now")]
    pub(super) ends_at: Instant,
}

/// Owner marks.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Marks {
    /// The daemon's installation.
    pub(super) instance: InstanceId,
    /// The cluster.
    pub(super) cluster: ClusterId,
}

/// A formed cluster.
#[derive(Clone, Default)]
pub(super) struct Orchestrator {
    pub(super) nodes: BTreeMap<u64, Node>,
    pub(super) services: BTreeMap<Name, Service>,
    /// What a framework has started and still runs.
    pub(super) tasks: BTreeMap<u64, Task>,
    /// The ids of all tasks that were ever started.
    pub(super) launched: BTreeSet<String>,
}

/// A member of a formed cluster.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Node {
    /// Its host name.
    pub(super) name: Name,
    /// The machine it lives on; when that is gone, the node is down for ever.
    pub(super) machine: u64,
    pub(super) role: Role,
    /// Whether it takes copies.
    #[serde(default)]
    pub(super) duty: Duty,
}

/// A service, as far as it matters here.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Service {
    pub(super) id: ServiceId,
    pub(super) generation: u64,
    pub(super) image: String,
    pub(super) mode: ServiceMode,
    pub(super) replicas: u32,
    pub(super) constraints: Vec<Constraint>,
    pub(super) ports: Vec<Port>,
    /// Whether copies of an earlier generation were there when this one was submitted.
    pub(super) replaces: bool,
    /// When this generation was submitted; its copies come up from then on.
    #[serde(skip, default = "Instant::now")]
    pub(super) since: Instant,
}

/// One change. A part that is gone is none.
#[derive(Clone, Serialize, Deserialize)]
pub(super) enum Change {
    NextId(u64),
    Resource { cluster: ClusterId, id: u64, now: Option<Resource> },
    Formed { cluster: ClusterId, id: u64 },
    Dissolved { cluster: ClusterId, id: u64 },
    Node { cluster: ClusterId, orchestrator: u64, id: u64, now: Option<Node> },
    Service { cluster: ClusterId, orchestrator: u64, name: Name, now: Option<Service> },
    Task { cluster: ClusterId, orchestrator: u64, id: u64, now: Option<Task> },
}

impl SimState {
    /// Carries a change out.
    pub(super) fn apply(&mut self, change: Change) {
        match change {
            Change::NextId(next) => self.next_id = self.next_id.max(next),
            Change::Resource { cluster, id, now } => {
                self.next_id = self.next_id.max(id + 1);
                let bucket = self.clusters.entry(cluster).or_default();
                match now {
                    Some(mut resource) => {
                        let alike = bucket.resources.values().find(|other| other.spec == resource.spec);
                        if let Some(other) = alike {
                            resource.spec = other.spec.clone();
                        }
                        bucket.tokens.insert((resource.name.clone(), resource.attempt), id);
                        bucket.resources.insert(id, resource);
                    }
                    None => {
                        bucket.resources.remove(&id);
                    }
                }
            }
            Change::Formed { cluster, id } => {
                self.next_id = self.next_id.max(id + 1);
                self.clusters.entry(cluster).or_default().orchestrators.insert(id, Orchestrator::default());
            }
            Change::Dissolved { cluster, id } => {
                self.clusters.entry(cluster).or_default().orchestrators.remove(&id);
            }
            Change::Node { cluster, orchestrator, id, now } => {
                self.next_id = self.next_id.max(id + 1);
                let Some(formed) = self.orchestrator_mut(cluster, orchestrator) else { return };
                match now {
                    Some(node) => formed.nodes.insert(id, node),
                    None => formed.nodes.remove(&id),
                };
            }
            Change::Service { cluster, orchestrator, name, now } => {
                let Some(formed) = self.orchestrator_mut(cluster, orchestrator) else { return };
                match now {
                    Some(service) => formed.services.insert(name, service),
                    None => formed.services.remove(&name),
                };
            }
            Change::Task { cluster, orchestrator, id, now } => {
                self.next_id = self.next_id.max(id + 1);
                let Some(formed) = self.orchestrator_mut(cluster, orchestrator) else { return };
                match now {
                    Some(task) => {
                        formed.launched.insert(task.id.clone());
                        formed.tasks.insert(id, task);
                    }
                    None => {
                        formed.tasks.remove(&id);
                    }
                }
            }
        }
    }

    fn orchestrator_mut(&mut self, cluster: ClusterId, id: u64) -> Option<&mut Orchestrator> {
        self.clusters.get_mut(&cluster)?.orchestrators.get_mut(&id)
    }

    /// The changes that lead from nothing to this state.
    pub(super) fn as_changes(&self) -> Vec<Change> {
        let mut changes = vec![Change::NextId(self.next_id)];
        for (&cluster, bucket) in &self.clusters {
            for (&id, resource) in &bucket.resources {
                changes.push(Change::Resource { cluster, id, now: Some(resource.clone()) });
            }
            for (&orchestrator, formed) in &bucket.orchestrators {
                changes.push(Change::Formed { cluster, id: orchestrator });
                for (&id, node) in &formed.nodes {
                    changes.push(Change::Node { cluster, orchestrator, id, now: Some(node.clone()) });
                }
                for (name, service) in &formed.services {
                    let (name, now) = (name.clone(), Some(service.clone()));
                    changes.push(Change::Service { cluster, orchestrator, name, now });
                }
                for (&id, task) in &formed.tasks {
                    changes.push(Change::Task { cluster, orchestrator, id, now: Some(task.clone()) });
                }
            }
        }
        changes
    }
}

impl Resource {
    /// Whether it is a machine.
    pub(super) fn is_machine(&self) -> bool {
        self.name.machine().is_some()
    }

    /// Whether it was prepared, if it is a machine.
    pub(super) fn is_prepared(&self) -> bool {
        let now = Instant::now();
        self.steps.values().any(|step| step.step == MachineStep::Prepare && step.ends_at <= now)
    }

    /// The orchestrator's version that it was prepared with last, if the recipe named one.
    pub(super) fn version(&self) -> Option<String> {
        let now = Instant::now();
        let brings_one = |step: &&Box<BegunStep>| {
            matches!(step.step, MachineStep::Prepare | MachineStep::Upgrade) && step.ends_at <= now
        };
        self.steps.values().rfind(brings_one)?.target.recipe.version.clone()
    }

    /// What an answer says of it.
    pub(super) fn present(&self, id: u64) -> Present {
        let facts = if self.is_machine() { Facts::Machine(access(id)) } else { Facts::None };
        Present { id: resource_id(id), facts }
    }
}

/// A spec lies on disk as if nobody shared it.
mod shared_spec {
    use super::{Arc, BTreeMap};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(
        spec: &Arc<BTreeMap<String, String>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        (**spec).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Arc<BTreeMap<String, String>>, D::Error> {
        BTreeMap::deserialize(deserializer).map(Arc::new)
    }
}

/// How the world names its things.
pub(super) fn resource_id(id: u64) -> String {
    format!("sim-{id}")
}

/// What [`resource_id`] was made from.
pub(super) fn number_of(id: &str) -> Option<u64> {
    id.strip_prefix("sim-")?.parse().ok()
}

/// How a machine is reached: its address says which one it is.
fn access(id: u64) -> MachineAccess {
    let [_, _, _, _, _, a, b, c] = id.to_be_bytes();
    let address = format!("10.{a}.{b}.{c}");
    MachineAccess {
        private_address: address.clone(),
        address,
        ssh_port: 22,
        ssh_user: "root".to_owned(),
        host_key: format!("ssh-ed25519 sim-{id}"),
    }
}

/// Which machine answers there.
pub(super) fn machine_at(access: &MachineAccess) -> Option<u64> {
    number_of(access.host_key.strip_prefix("ssh-ed25519 ")?)
}
