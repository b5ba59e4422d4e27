//! What users see of a cluster: pure functions of its state, so that reads never ask a busy actor.

use muster_protocol::model::cluster::{ClusterInfo, ClusterSummary, Leftover, Tally};
use muster_protocol::model::container::ContainerInfo;
use muster_protocol::model::host::{HostInfo, HostPhase, Role};
use muster_protocol::model::plan::{Plan as PlanView, Step as StepView, StepStatus};
use muster_protocol::model::service::ServiceInfo;
use muster_protocol::{MachineId, Name};

use crate::action::Action;
use crate::cycle::StepTimes;
use crate::desired::{machine_id, number_of};
use crate::ledger::{ResourceKey, ResourceState};
use crate::plan::{Gate, Plan, PlannedStep};
use crate::state::ClusterState;

/// The cluster's line in the list, with the plan that is being performed.
pub fn summary(state: &ClusterState, plan: &Plan) -> ClusterSummary {
    let spec = &state.desired().spec;
    let ready_of = |role: Role| {
        let ready = state
            .observed
            .orchestrator
            .nodes
            .iter()
            .filter(|(name, node)| node.ready && state.role_of(name) == Some(role));
        u32::try_from(ready.count()).unwrap_or(u32::MAX)
    };
    let wanted = |count: u32| if state.desired().absent { 0 } else { count };
    ClusterSummary {
        id: state.id(),
        name: spec.name.clone(),
        orchestrator: spec.orchestrator,
        infrastructure: spec.infrastructure,
        phase: state.record.phase,
        control_planes: Tally { ready: ready_of(Role::ControlPlane), wanted: wanted(spec.count(Role::ControlPlane)) },
        workers: Tally { ready: ready_of(Role::Worker), wanted: wanted(spec.count(Role::Worker)) },
        services: u32::try_from(state.services.len()).unwrap_or(u32::MAX),
        created_at: state.record.created_at,
        cause: state.causes_with(plan).into_iter().next(),
    }
}

/// Everything about the cluster that is not in a list of its own, with the plan that is being performed.
pub fn cluster(state: &ClusterState, plan: &Plan) -> ClusterInfo {
    let leftovers = if state.desired().absent { leftovers(state) } else { Vec::new() };
    let notes = state.observed.orchestrator.nodes.keys().filter_map(|machine| state.node_note(machine));
    ClusterInfo {
        summary: summary(state, plan),
        spec: state.desired().spec.clone(),
        generation: state.desired().generation,
        phase_since: state.record.phase_since,
        version: state.observed.orchestrator.version.clone(),
        endpoints: endpoints(state),
        steps: steps(state, plan),
        causes: state.causes_with(plan).into_iter().chain(notes).collect(),
        operations: state.operations.keys().copied().collect(),
        leftovers,
        observed_at: state.observed.orchestrator_at.or(state.observed.infrastructure_at),
        recipe_offered: !state.desired().absent && state.is_recipe_offered(),
    }
}

/// Where the orchestrator answers, and last the one address that the infrastructure gives its control planes.
fn endpoints(state: &ClusterState) -> Vec<String> {
    let seen = state.observed.orchestrator.endpoints.iter().map(String::as_str);
    seen.chain(state.endpoint().address()).map(str::to_owned).collect()
}

fn leftovers(state: &ClusterState) -> Vec<Leftover> {
    let infrastructure = state.ledger.iter().filter(|(key, _)| key.is_infrastructure());
    let known = infrastructure.map(|(key, entry)| Leftover {
        key: key.to_string(),
        provider_id: entry.id().cloned(),
        cause: entry.cause.clone(),
    });
    let sweep_cause = state.sweep_retry.as_ref().and_then(|entry| entry.cause.as_ref());
    let strays = state.strays.iter().map(|stray| Leftover {
        key: stray.key.as_ref().map_or_else(|| "unknown".to_owned(), ResourceKey::to_string),
        provider_id: Some(stray.present.id.clone()),
        cause: sweep_cause.cloned(),
    });
    known.chain(strays).collect()
}

/// The plan as users see it.
pub fn plan_view(state: &ClusterState, plan: &Plan) -> PlanView {
    PlanView { cluster: state.desired().spec.name.clone(), steps: steps(state, plan) }
}

fn steps(state: &ClusterState, plan: &Plan) -> Vec<StepView> {
    let times = state.times_of(plan);
    plan.steps.iter().zip(times).map(|(step, times)| step_view(state, step, &times)).collect()
}

fn step_view(state: &ClusterState, step: &PlannedStep, times: &StepTimes) -> StepView {
    let key = step.action.key();
    let entry = key.as_ref().and_then(|key| state.ledger.get(key));
    let cause = match (&step.gate, &step.action) {
        (Gate::Blocked(cause), _) => Some(cause.clone()),
        (_, Action::Await(ResourceKey::Node(name))) => state.node_cause(name),
        (_, Action::Await(ResourceKey::Service(name))) => state.service_cause(name),
        (Gate::Ready | Gate::Running | Gate::Waiting(_) | Gate::Retrying(_), _) => {
            entry.and_then(|entry| entry.cause.clone())
        }
    };
    let (status, waits_for, next_try) = match &step.gate {
        Gate::Ready => (StepStatus::Ready, None, None),
        // What is awaited and does not come: why.
        Gate::Running if !step.action.is_call() => {
            (StepStatus::Running, cause.as_ref().map(|cause| cause.message.clone()), None)
        }
        Gate::Running => (StepStatus::Running, None, None),
        Gate::Waiting(what) => {
            let steps: Vec<String> = step.after.iter().map(Action::to_string).collect();
            (StepStatus::Waiting, what.clone().or_else(|| Some(steps.join(", "))), None)
        }
        Gate::Retrying(at) => (StepStatus::Retrying, Some("its next try".to_owned()), Some(*at)),
        Gate::Blocked(cause) => (StepStatus::Blocked, Some(cause.message.clone()), None),
    };
    StepView {
        name: step.action.to_string(),
        after: step.after.iter().map(Action::to_string).collect(),
        status,
        waits_for,
        since: Some(times.since),
        deadline: times.until,
        attempts: entry.map_or(0, |entry| entry.failures),
        next_try,
        cause,
    }
}

/// The cluster's machines: those that should be there, and those that still are. Control planes first.
pub fn hosts(state: &ClusterState) -> Vec<HostInfo> {
    let mut names: Vec<Name> = machine_names(state).collect();
    names.sort_by_cached_key(|name| {
        (state.role_of(name), name.as_str().rsplit_once('-').map(|(pool, _)| pool.to_owned()), number_of(name))
    });
    names.dedup();
    names.iter().filter_map(|name| host(state, name)).collect()
}

/// The machine with this id, if the cluster has it. Nothing is made of the others: a whole fleet is looked through for one.
pub fn host_with_id(state: &ClusterState, id: MachineId) -> Option<HostInfo> {
    let name = machine_names(state).find(|name| machine_id(state.id(), name) == id)?;
    host(state, &name)
}

/// Those that should be there and those that are: some twice, in no order.
fn machine_names(state: &ClusterState) -> impl Iterator<Item = Name> {
    let wanted = state.desired().machines().map(|(name, _)| name);
    wanted.chain(state.ledger.keys().filter_map(ResourceKey::machine).cloned())
}

fn host(state: &ClusterState, name: &Name) -> Option<HostInfo> {
    let role = state.role_of(name)?;
    let entry = state.machine(name);
    let node = state.observed.orchestrator.nodes.get(name);
    let containers = state.observed.orchestrator.containers.iter();
    let running = containers.filter(|container| {
        use muster_protocol::model::container::ContainerPhase;
        container.machine.as_ref() == Some(name) && container.phase == ContainerPhase::Running
    });
    Some(HostInfo {
        id: machine_id(state.id(), name),
        name: name.clone(),
        cluster_id: state.id(),
        cluster: state.desired().spec.name.clone(),
        role,
        phase: host_phase(state, name, role),
        address: entry.and_then(|entry| entry.access()).map(|access| access.address.clone()),
        provider_id: entry.and_then(|entry| entry.present()).map(|present| present.id.clone()),
        node_id: node.map(|node| node.id.clone()),
        version: node.and_then(|node| node.version.clone()),
        cpu: node.and_then(|node| node.cpu),
        memory: node.and_then(|node| node.memory),
        labels: node.map(|node| node.labels.clone()).unwrap_or_default(),
        containers: u32::try_from(running.count()).unwrap_or(u32::MAX),
        created_at: entry.map(|entry| entry.created_at),
        cause: entry
            .and_then(|entry| entry.cause.clone())
            .or_else(|| state.node_cause(name))
            .or_else(|| state.node_note(name)),
    })
}

fn host_phase(state: &ClusterState, name: &Name, role: Role) -> HostPhase {
    let desired = state.desired().role_of(name).is_some();
    let node = state.observed.orchestrator.nodes.get(name);
    match state.machine(name).map(|entry| &entry.state) {
        Some(ResourceState::Removing(_)) => HostPhase::Removing,
        Some(_) if !desired => HostPhase::Removing,
        None | Some(ResourceState::Wanted | ResourceState::Unknown(_)) => {
            if state.record.was_ready && node.is_some() {
                HostPhase::Missing
            } else {
                HostPhase::Creating
            }
        }
        Some(ResourceState::Present(_)) => match node {
            Some(node) if node.ready && node.role == role => HostPhase::Ready,
            Some(_) => HostPhase::NotReady,
            None => HostPhase::Preparing,
        },
    }
}

/// The cluster's services.
pub fn services(state: &ClusterState) -> Vec<ServiceInfo> {
    state.services.keys().filter_map(|name| service(state, name)).collect()
}

/// One service.
pub fn service(state: &ClusterState, name: &Name) -> Option<ServiceInfo> {
    let record = state.services.get(name)?;
    let seen = state.observed.orchestrator.services.get(name);
    let current = seen.filter(|seen| seen.generation == record.generation);
    Some(ServiceInfo {
        id: record.id,
        cluster_id: state.id(),
        cluster: state.desired().spec.name.clone(),
        spec: record.version.spec.clone(),
        template: record.template.clone(),
        generation: record.generation,
        phase: record.phase,
        ready: current.map_or(0, |seen| seen.ready),
        wanted: current.map_or(record.version.spec.replicas, |seen| seen.wanted),
        digest: record.version.digest.clone(),
        image_health: current
            .and_then(|seen| seen.image_health.clone())
            .filter(|_| record.version.spec.health.is_none()),
        endpoints: seen.map(|seen| seen.endpoints.clone()).unwrap_or_default(),
        created_at: record.created_at,
        updated_at: record.updated_at,
        cause: state.service_cause(name),
    })
}

/// The containers of the cluster's services.
pub fn containers(state: &ClusterState) -> Vec<ContainerInfo> {
    containers_with_id(state, "")
}

/// The containers whose ids begin so. Nothing is made of the others, as with [`host_with_id`].
pub fn containers_with_id(state: &ClusterState, beginning: &str) -> Vec<ContainerInfo> {
    let seen = state.observed.orchestrator.containers.iter().filter(|seen| seen.id.starts_with(beginning));
    let containers = seen.filter_map(|seen| {
        let service = state.services.get(&seen.service)?;
        Some(ContainerInfo {
            id: seen.id.clone(),
            name: seen.name.clone(),
            cluster_id: state.id(),
            cluster: state.desired().spec.name.clone(),
            service_id: service.id,
            service: seen.service.clone(),
            machine: seen.machine.clone(),
            phase: seen.phase,
            healthy: seen.healthy,
            address: seen.address.clone(),
            image: seen.image.clone(),
            since: seen.since,
            exit_code: seen.exit_code,
            message: seen.message.clone(),
        })
    });
    containers.collect()
}
