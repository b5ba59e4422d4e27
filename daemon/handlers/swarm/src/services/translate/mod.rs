//! A service in the swarm's form. Pure: whatever has an id in the swarm is looked up or made before.

mod container;
mod template;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use bollard::models::{
    EndpointPortConfig, EndpointPortConfigProtocolEnum, EndpointPortConfigPublishModeEnum, EndpointSpec,
    EndpointSpecModeEnum, Limit, NetworkAttachmentConfig, Platform, ResourceObject, ServiceSpec as SwarmService,
    ServiceSpecMode, ServiceSpecModeReplicated, ServiceSpecModeReplicatedJob, ServiceSpecUpdateConfig,
    ServiceSpecUpdateConfigFailureActionEnum, ServiceSpecUpdateConfigOrderEnum, TaskSpec, TaskSpecPlacement,
    TaskSpecResources, TaskSpecRestartPolicy, TaskSpecRestartPolicyConditionEnum,
};
use muster_engine::context::{ClusterContext, mark};
use muster_engine::handler::ServiceOrder;
use muster_engine::ledger::ResourceKey;
use muster_protocol::Name;
use muster_protocol::model::service::{
    Attribute, Constraint, Exposure, Port, Resources, ServiceMode, ServiceSpec, Transport, UpdateOrder, UpdatePolicy,
};
use muster_protocol::quantity::{Bytes, CpuMillis};

use crate::marks::{self, EMPTY_VOLUME, Labels, MACHINE, REFUSED_IMAGE, SECRETS_VERSION, SERVICE, UNANSWERED_IMAGE};
use crate::services::volumes;

/// A thing in the swarm, as a service refers to it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Reference {
    pub(crate) id: String,
    pub(crate) name: String,
}

/// What a service refers to.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct References {
    /// The id of the cluster's network.
    pub(crate) network: String,
    /// Its secrets, by their names in the service.
    pub(crate) secrets: BTreeMap<Name, Reference>,
    /// Its configuration files, by their paths.
    pub(crate) files: BTreeMap<String, Reference>,
    /// The volumes where it has to go.
    pub(crate) volumes: Vec<String>,
    /// What its image's tag means, if that is known.
    pub(crate) digest: Option<String>,
    /// What else is known of its image.
    pub(crate) image: KnownImage,
}

/// What the registry of a service's image was heard to say.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct KnownImage {
    /// Where the image runs; empty if that is not known.
    pub(crate) platforms: Vec<Platform>,
    /// Why the registry has refused it, if it has.
    pub(crate) refused: Option<String>,
    /// Why the registry said nothing, if it was asked in vain.
    pub(crate) unanswered: Option<String>,
}

/// A failed job's copies are tried again this often, as swarm would otherwise go on for ever.
const JOB_ATTEMPTS: i64 = 3;
/// How long a changed copy is watched before the next one is changed. Swarm's own default, said aloud.
const MONITOR_MS: u64 = 5_000;
/// The service in the swarm's form.
pub(crate) fn service(cluster: &ClusterContext, order: &ServiceOrder, references: &References) -> SwarmService {
    let spec = &order.spec;
    let is_job = spec.mode == ServiceMode::Job;
    let endpoint = endpoint(&spec.ports);
    SwarmService {
        name: Some(spec.name.to_string()),
        labels: Some(labels(cluster, order, references)),
        // Where a copy can go is no part of the template's name: swarm replaces no copy that is there already.
        task_template: Some(held(template::named(task(cluster, spec, references), &endpoint), references)),
        mode: Some(mode(spec)),
        // Jobs have no updates: swarm refuses the field.
        update_config: (!is_job).then(|| update(&spec.update)),
        endpoint_spec: Some(endpoint),
        ..Default::default()
    }
}

fn task(cluster: &ClusterContext, spec: &ServiceSpec, references: &References) -> TaskSpec {
    TaskSpec {
        container_spec: Some(container::container(cluster, spec, references)),
        resources: resources(&spec.resources),
        restart_policy: (spec.mode == ServiceMode::Job).then(job_restarts),
        placement: placement(&spec.constraints),
        networks: Some(vec![NetworkAttachmentConfig {
            target: Some(references.network.clone()),
            aliases: Some(vec![spec.name.to_string()]),
            ..Default::default()
        }]),
        ..Default::default()
    }
}

/// The task, held where its volumes are, and where its image runs.
///
/// A placement is always said, be it an empty one: a manager that finds none where a running copy has one ends with a nil
/// pointer, and again whenever it starts (swarmkit's `nodeMatches`, seen with Docker 20.10).
fn held(mut task: TaskSpec, references: &References) -> TaskSpec {
    let placement = task.placement.get_or_insert_default();
    if !references.volumes.is_empty() {
        let constraints = placement.constraints.get_or_insert_default();
        constraints.extend(references.volumes.iter().map(|volume| volumes::constraint(volume)));
    }
    if !references.image.platforms.is_empty() {
        placement.platforms = Some(references.image.platforms.clone());
    }
    task
}

/// The user's labels and our marks.
fn labels(cluster: &ClusterContext, order: &ServiceOrder, references: &References) -> Labels {
    let mut labels: Labels = order.spec.labels.clone().into_iter().collect();
    labels.extend(marks::of(cluster, &ResourceKey::Service(order.spec.name.clone())));
    labels.insert(SERVICE.to_owned(), order.id.to_string());
    labels.insert(mark::GENERATION.to_owned(), order.generation.to_string());
    labels.insert(SECRETS_VERSION.to_owned(), order.secrets_version.to_string());
    if let Some(words) = &references.image.refused {
        labels.insert(REFUSED_IMAGE.to_owned(), words.clone());
    }
    if let Some(words) = &references.image.unanswered {
        labels.insert(UNANSWERED_IMAGE.to_owned(), words.clone());
    }
    if order.spec.allow_empty_volume {
        labels.insert(EMPTY_VOLUME.to_owned(), "yes".to_owned());
    }
    labels
}

fn resources(resources: &Resources) -> Option<TaskSpecResources> {
    if *resources == Resources::default() {
        return None;
    }
    let nano_cpus = |cpu: Option<CpuMillis>| cpu.map(|cpu| signed(cpu.0.saturating_mul(1_000_000)));
    let memory_bytes = |memory: Option<Bytes>| memory.map(|memory| signed(memory.0));
    Some(TaskSpecResources {
        limits: Some(Limit {
            nano_cpus: nano_cpus(resources.cpu_limit),
            memory_bytes: memory_bytes(resources.memory_limit),
            ..Default::default()
        }),
        reservations: Some(ResourceObject {
            nano_cpus: nano_cpus(resources.cpu_reservation),
            memory_bytes: memory_bytes(resources.memory_reservation),
            ..Default::default()
        }),
        ..Default::default()
    })
}

fn mode(spec: &ServiceSpec) -> ServiceSpecMode {
    let copies = i64::from(spec.replicas);
    match spec.mode {
        ServiceMode::Replicated => ServiceSpecMode {
            replicated: Some(ServiceSpecModeReplicated { replicas: Some(copies) }),
            ..Default::default()
        },
        ServiceMode::Global => ServiceSpecMode { global: Some(Default::default()), ..Default::default() },
        ServiceMode::Job => ServiceSpecMode {
            replicated_job: Some(ServiceSpecModeReplicatedJob {
                max_concurrent: Some(copies),
                total_completions: Some(copies),
            }),
            ..Default::default()
        },
    }
}

fn job_restarts() -> TaskSpecRestartPolicy {
    TaskSpecRestartPolicy {
        condition: Some(TaskSpecRestartPolicyConditionEnum::ON_FAILURE),
        max_attempts: Some(JOB_ATTEMPTS),
        ..Default::default()
    }
}

fn placement(constraints: &[Constraint]) -> Option<TaskSpecPlacement> {
    let constraints = list(&constraints.iter().map(constraint).collect::<Vec<_>>())?;
    Some(TaskSpecPlacement { constraints: Some(constraints), ..Default::default() })
}

/// A constraint, as swarm writes it.
fn constraint(constraint: &Constraint) -> String {
    let sign = if constraint.equal { "==" } else { "!=" };
    match &constraint.attribute {
        Attribute::Role => {
            let role = if constraint.value == "control-plane" { "manager" } else { "worker" };
            format!("node.role{sign}{role}")
        }
        Attribute::Host => format!("node.labels.{MACHINE}{sign}{}", constraint.value),
        Attribute::Label(label) => format!("node.labels.{label}{sign}{}", constraint.value),
    }
}

/// A copy that fails stops the change, so that the other copies go on as they were; the daemon then
/// returns to the last good version when the deadline has passed.
fn update(policy: &UpdatePolicy) -> ServiceSpecUpdateConfig {
    ServiceSpecUpdateConfig {
        parallelism: Some(i64::from(policy.parallelism)),
        delay: Some(nanoseconds(policy.delay_ms)),
        failure_action: Some(ServiceSpecUpdateConfigFailureActionEnum::PAUSE),
        monitor: Some(nanoseconds(MONITOR_MS)),
        max_failure_ratio: Some(0.0),
        order: Some(match policy.order {
            UpdateOrder::StopFirst => ServiceSpecUpdateConfigOrderEnum::STOP_FIRST,
            UpdateOrder::StartFirst => ServiceSpecUpdateConfigOrderEnum::START_FIRST,
        }),
    }
}

/// A service's name stands for the addresses of its copies, so that traffic within the cluster does not need
/// IPVS in the kernel. Only the ingress mesh cannot do without a virtual address.
fn endpoint(ports: &[Port]) -> EndpointSpec {
    let has_ingress = ports.iter().any(|port| port.exposure == Exposure::Ingress);
    let mode = if has_ingress { EndpointSpecModeEnum::VIP } else { EndpointSpecModeEnum::DNSRR };
    EndpointSpec { mode: Some(mode), ports: list(&ports.iter().filter_map(published).collect::<Vec<_>>()) }
}

fn published(port: &Port) -> Option<EndpointPortConfig> {
    let publish_mode = match port.exposure {
        // Services of the cluster reach each other's ports without publishing.
        Exposure::Cluster => return None,
        Exposure::Host => EndpointPortConfigPublishModeEnum::HOST,
        Exposure::Ingress => EndpointPortConfigPublishModeEnum::INGRESS,
    };
    Some(EndpointPortConfig {
        protocol: Some(match port.protocol {
            Transport::Tcp => EndpointPortConfigProtocolEnum::TCP,
            Transport::Udp => EndpointPortConfigProtocolEnum::UDP,
        }),
        target_port: Some(i64::from(port.port)),
        published_port: port.published.map(i64::from),
        publish_mode: Some(publish_mode),
        ..Default::default()
    })
}

fn nanoseconds(milliseconds: u64) -> i64 {
    signed(milliseconds.saturating_mul(1_000_000))
}

fn signed(amount: u64) -> i64 {
    i64::try_from(amount).unwrap_or(i64::MAX)
}

/// Lists that are empty are left out, as the engine does when it shows a spec.
fn list<T: Clone>(items: &[T]) -> Option<Vec<T>> {
    if items.is_empty() { None } else { Some(items.to_vec()) }
}
