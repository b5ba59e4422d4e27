//! The heads of clusters.

use std::collections::BTreeMap;

use muster_engine::desired::{ClusterRecord, Desired};
use muster_engine::recipe::Recipe;
use muster_protocol::model::cluster::{ClusterPhase, ClusterSpec, Infrastructure, MachineShape, Orchestrator, Pool};
use muster_protocol::model::host::Role;
use muster_protocol::quantity::{Bytes, CpuMillis};
use muster_protocol::{ClusterId, Name, Timestamp};

use super::{Form, form, lies_as_it_is};

lies_as_it_is!(ClusterPhase, Infrastructure, Orchestrator, Role);

form!(ClusterForm of ClusterRecord {
    id: ClusterId,
    desired: DesiredForm,
    phase: ClusterPhase,
    phase_since: Timestamp,
    was_ready: bool,
    created_at: Timestamp,
    removal_deadline: Option<Timestamp>,
    swept: bool,
    recipe: RecipeForm,
    renewal: u64,
});

form!(DesiredForm of Desired {
    generation: u64,
    spec: SpecForm,
    absent: bool,
});

form!(SpecForm of ClusterSpec {
    name: Name,
    orchestrator: Orchestrator,
    infrastructure: Infrastructure,
    account: Option<Name>,
    version: Option<String>,
    control_planes: u32,
    workers: u32,
    machine: ShapeForm,
    pools: Vec<PoolForm>,
    labels: BTreeMap<String, String>,
    options: BTreeMap<String, String>,
});

form!(PoolForm of Pool {
    name: Name,
    role: Role,
    count: u32,
    shape: ShapeForm,
    labels: BTreeMap<String, String>,
    options: BTreeMap<String, String>,
});

form!(ShapeForm of MachineShape {
    cpu: Option<CpuMillis>,
    memory: Option<Bytes>,
    disk: Option<Bytes>,
    image: Option<String>,
});

form!(RecipeForm of Recipe {
    version: Option<String>,
    revision: String,
});
