//! What can be said about a request without knowing anything else. Pure.

use std::collections::{BTreeMap, BTreeSet};

use muster_protocol::model::account::AccountSpec;
use muster_protocol::model::cluster::ClusterSpec;
use muster_protocol::model::host::Role;
use muster_protocol::model::service::{
    Exposure, MountKind, Probe, Resources, ServiceMode, ServiceSpec, Transport, UpdateOrder,
};
use muster_protocol::quantity::Bytes;
use muster_protocol::{Error, Name, SecretBytes, codec};
use serde::Serialize;

use crate::desired::role_of_pool;
use crate::desired::take_secrets;

/// Most copies of one service.
const MAX_REPLICAS: u32 = 10_000;
/// The longest time that a service may ask for: a day. Nothing is waited for without an end.
const MAX_TIME_MS: u64 = 24 * 60 * 60 * 1000;
/// Where every machine is reached.
const SSH_PORT: u16 = 22;
/// Less than this, and no container starts. Docker's own limit.
const LEAST_MEMORY: Bytes = Bytes(6 << 20);
/// A service's specification as it is stored. The store keeps it in one value of 64 KiB, with the last good version of
/// the same size and a cause beside it.
pub const MAX_SERVICE_BYTES: usize = 28 * 1024;
/// All secrets of a service, or all credentials of an account, which are sealed as one value.
pub const MAX_SECRET_BYTES: usize = 48 * 1024;
/// A cluster's or an account's specification. Operations have that of a cluster before them in their record too.
const MAX_SPEC_BYTES: usize = 16 * 1024;

/// Checks the numbers of a cluster.
pub fn cluster(spec: &ClusterSpec) -> Result<(), Error> {
    let count = spec.count(Role::ControlPlane);
    if !(1..=ClusterSpec::MAX_CONTROL_PLANES).contains(&count) || count.is_multiple_of(2) {
        let message = match count {
            0 => "at least 1 control plane is required".to_owned(),
            count => format!("a cluster cannot have {count} control planes"),
        };
        return Err(Error::invalid("controlPlanes", message)
            .with_remedy("use 1, 3, 5 or 7: an even number is no safer than the odd one below it"));
    }
    let (workers, most) = (spec.count(Role::Worker), ClusterSpec::MAX_WORKERS);
    if workers > most {
        return Err(Error::invalid("workers", format!("{workers} workers are too many, at most {most}")));
    }
    check_pools(spec)?;
    check_labels("labels", spec.labels.keys())?;
    check_size("spec", "the cluster", spec, MAX_SPEC_BYTES, "use fewer or shorter labels and options")
}

/// Short enough that a machine's number still fits behind it.
const MAX_POOL_NAME: usize = 29;

fn check_pools(spec: &ClusterSpec) -> Result<(), Error> {
    let mut names = BTreeSet::from([ClusterSpec::CONTROL_PLANE_POOL, ClusterSpec::WORKER_POOL]);
    for pool in &spec.pools {
        let name = pool.name.as_str();
        let wrong = |message: String| Error::invalid(&format!("pools.{name}"), message);
        if !names.insert(name) {
            return Err(wrong(format!("there are two pools named `{name}`")).with_remedy(
                "`controlPlanes` and `workers` count the machines of the pools `control-plane` and `worker`",
            ));
        }
        if name.len() > MAX_POOL_NAME {
            return Err(wrong(format!("the name of a pool has at most {MAX_POOL_NAME} characters")));
        }
        if let Role::Unknown(_) = pool.role {
            return Err(wrong(format!("the role `{}` is not known to this release of Muster", pool.role)));
        }
        if role_of_pool(name) != pool.role {
            return Err(wrong(format!("a pool named `{name}` cannot have the role `{}`", pool.role))
                .with_remedy("the names of pools of control planes begin with `control-plane-`, and no others do"));
        }
        check_labels(&format!("pools.{name}.labels"), pool.labels.keys())?;
    }
    Ok(())
}

/// Checks the size of an account; what else must be true of it depends on its infrastructure.
pub fn account(spec: &AccountSpec) -> Result<(), Error> {
    let sizes = spec.credentials.iter().map(|(name, value)| name.len() + value.expose().len());
    check_secrets("credentials", "the account", sizes.sum())?;
    let open = AccountSpec { credentials: BTreeMap::new(), ..spec.clone() };
    check_size("spec", "the account", &open, MAX_SPEC_BYTES, "use fewer or shorter defaults")
}

/// Checks the size of a service's secrets.
pub fn service_secrets(values: &BTreeMap<Name, SecretBytes>) -> Result<(), Error> {
    let sizes = values.iter().map(|(name, value)| name.as_str().len() + value.expose().len());
    check_secrets("secrets.value", "the service", sizes.sum())
}

/// Checks the size of secrets that are kept together.
fn check_secrets(field: &str, owner: &str, bytes: usize) -> Result<(), Error> {
    if bytes > MAX_SECRET_BYTES {
        let message = format!("the secrets of {owner} have {bytes} bytes, at most {MAX_SECRET_BYTES} are kept");
        return Err(
            Error::invalid(field, message).with_remedy("keep large secrets elsewhere, and only the key to them here")
        );
    }
    Ok(())
}

/// Checks a service, whatever the orchestrator.
pub fn service(spec: &ServiceSpec) -> Result<(), Error> {
    check_image(&spec.image)?;
    check_copies(spec)?;
    check_resources(&spec.resources)?;
    check_names(spec)?;
    check_paths(spec)?;
    check_ports(spec)?;
    check_times(spec)?;
    processes::check(spec)?;
    check_labels("labels", spec.labels.keys())?;
    let mut open = spec.clone();
    let values = take_secrets(&mut open);
    service_secrets(&values)?;
    check_size("spec", "the service", &open, MAX_SERVICE_BYTES, "put large files into the image")
}

fn check_image(image: &str) -> Result<(), Error> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@".contains(c);
    if image.is_empty() || image.len() > 255 || !image.chars().all(plain) {
        return Err(Error::invalid("image", format!("`{image}` is not an image reference"))
            .with_remedy("write it as `name:tag` or `registry/name:tag`"));
    }
    match image.split_once('@') {
        // What stands there may be a password, so it is not shown.
        Some((_, digest)) if !is_digest(digest) => {
            Err(Error::invalid("image", "an image reference has `@` before a digest only, and no user or password")
                .with_remedy("write it as `name:tag`, `registry/name:tag` or `name@sha256:…`"))
        }
        Some(_) | None => Ok(()),
    }
}

/// What a digest looks like, and a password does not: a word, a colon, and many hexadecimal digits.
fn is_digest(text: &str) -> bool {
    let Some((algorithm, hex)) = text.split_once(':') else { return false };
    !algorithm.is_empty() && hex.len() >= 32 && hex.chars().all(|c| c.is_ascii_hexdigit())
}

fn check_resources(resources: &Resources) -> Result<(), Error> {
    if let Some(limit) = resources.memory_limit.filter(|limit| *limit < LEAST_MEMORY) {
        let message = format!("{} bytes of memory are too few for any container", limit.0);
        return Err(Error::invalid("resources.memoryLimit", message)
            .with_remedy(format!("did you mean `{}Mi`?", limit.0.clamp(6, 1 << 20))));
    }
    let beyond = |field: &str, kept: String, limit: String| {
        let message = format!("{kept} cannot be kept for a container that may use at most {limit}");
        Err(Error::invalid(field, message).with_remedy("keep at most as much as the limit"))
    };
    if let (Some(kept), Some(limit)) = (resources.memory_reservation, resources.memory_limit)
        && kept > limit
    {
        return beyond("resources.memoryReservation", kept.to_string(), limit.to_string());
    }
    if let (Some(kept), Some(limit)) = (resources.cpu_reservation, resources.cpu_limit)
        && kept > limit
    {
        return beyond("resources.cpuReservation", kept.to_string(), limit.to_string());
    }
    Ok(())
}

fn check_copies(spec: &ServiceSpec) -> Result<(), Error> {
    match spec.mode {
        ServiceMode::Global if spec.replicas != 1 => {
            Err(Error::invalid("replicas", "a global service has one copy on every machine")
                .with_remedy("leave `replicas` out"))
        }
        ServiceMode::Job if spec.replicas == 0 => {
            Err(Error::invalid("replicas", "a job has to complete at least once"))
        }
        ServiceMode::Global | ServiceMode::Job | ServiceMode::Replicated if spec.replicas > MAX_REPLICAS => {
            Err(Error::invalid("replicas", format!("{} copies are too many, at most {MAX_REPLICAS}", spec.replicas)))
        }
        ServiceMode::Global | ServiceMode::Job | ServiceMode::Replicated => Ok(()),
    }
}

fn check_names(spec: &ServiceSpec) -> Result<(), Error> {
    for name in spec.env.keys() {
        if name.is_empty() || name.contains('=') || name.contains('\0') {
            return Err(Error::invalid("env", format!("`{name}` cannot be the name of an environment variable")));
        }
    }
    let mut names = BTreeSet::new();
    for secret in &spec.secrets {
        if !names.insert(&secret.name) {
            return Err(Error::invalid("secrets", format!("there are two secrets named `{}`", secret.name)));
        }
    }
    Ok(())
}

fn check_paths(spec: &ServiceSpec) -> Result<(), Error> {
    let mut targets = BTreeSet::new();
    let secrets = spec.secrets.iter().map(|secret| ("secrets.path", secret.target()));
    let files = spec.files.iter().map(|file| ("files.path", file.path.clone()));
    let mounts = spec.mounts.iter().map(|mount| ("mounts.target", mount.target.clone()));
    for (field, target) in secrets.chain(files).chain(mounts) {
        if !target.starts_with('/') || target.contains("/../") || target.ends_with("/..") || target.contains('\0') {
            return Err(Error::invalid(field, format!("`{target}` is not an absolute path")));
        }
        if !targets.insert(target.clone()) {
            return Err(Error::invalid(field, format!("`{target}` is used twice")));
        }
    }
    for mount in &spec.mounts {
        let source = mount.source.as_deref().unwrap_or_default();
        let wrong = match mount.kind {
            MountKind::Volume => source.is_empty() || source.contains('/'),
            MountKind::Bind => !source.starts_with('/'),
            MountKind::Tmpfs => !source.is_empty(),
        };
        if wrong {
            return Err(Error::invalid(
                "mounts.source",
                format!("`{source}` cannot be the source of the mount at `{}`", mount.target),
            )
            .with_remedy("a volume needs a name, a bind an absolute path, a tmpfs nothing"));
        }
    }
    Ok(())
}

fn check_ports(spec: &ServiceSpec) -> Result<(), Error> {
    let mut published = BTreeSet::new();
    for port in &spec.ports {
        if port.port == 0 || port.published == Some(0) {
            return Err(Error::invalid("ports", "port 0 is not a valid port"));
        }
        if port.published == Some(SSH_PORT) && port.protocol == Transport::Tcp {
            let message = format!("port {SSH_PORT} of the machines is used by sshd, through which Muster reaches them");
            return Err(Error::invalid("ports.published", message).with_remedy("use another number"));
        }
        match (port.exposure, port.published) {
            (Exposure::Cluster, Some(number)) => {
                return Err(Error::invalid(
                    "ports.published",
                    format!("port {number} is published, but only to the cluster"),
                )
                .with_remedy("set `exposure` to `host` or `ingress`"));
            }
            (Exposure::Host | Exposure::Ingress, Some(number)) => {
                if !published.insert((port.protocol, number)) {
                    return Err(Error::invalid("ports.published", format!("port {number} is published twice")));
                }
            }
            (Exposure::Cluster | Exposure::Host | Exposure::Ingress, None) => {}
        }
    }
    Ok(())
}

fn check_times(spec: &ServiceSpec) -> Result<(), Error> {
    if let Some(health) = spec.health_check() {
        if health.interval_ms == 0 || health.timeout_ms == 0 || health.retries == 0 {
            return Err(Error::invalid("health", "interval, timeout and retries must be more than 0"));
        }
        match &health.probe {
            Probe::Command(command) if command.is_empty() => {
                return Err(Error::invalid("health.probe", "the command of the health check is empty"));
            }
            Probe::Http { port: 0, .. } | Probe::Tcp(0) => {
                return Err(Error::invalid("health.probe", "the health check cannot ask port 0"));
            }
            Probe::Command(_) | Probe::Http { .. } | Probe::Tcp(_) => {}
        }
    }
    if spec.update.deadline_ms < 1_000 {
        return Err(Error::invalid("update.deadlineMs", "a change needs at least 1000 ms"));
    }
    let of_health = spec.health_check().into_iter().flat_map(|health| {
        [
            ("health.intervalMs", health.interval_ms),
            ("health.timeoutMs", health.timeout_ms),
            ("health.startPeriodMs", health.start_period_ms),
        ]
    });
    let of_update = [("update.deadlineMs", spec.update.deadline_ms), ("update.delayMs", spec.update.delay_ms)];
    match of_health.chain(of_update).find(|(_, time)| *time > MAX_TIME_MS) {
        Some((field, time)) => Err(Error::invalid(field, format!("{time} ms are too long, at most {MAX_TIME_MS}"))),
        None => Ok(()),
    }
}

fn check_labels<'a>(field: &str, labels: impl Iterator<Item = &'a String>) -> Result<(), Error> {
    for label in labels {
        if label.is_empty() || label.starts_with("io.muster.") {
            return Err(Error::invalid(field, format!("`{label}` cannot be a label"))
                .with_remedy("labels that begin with `io.muster.` are Muster's own"));
        }
    }
    Ok(())
}

/// Whether what is asked for fits into its record, in the form in which it is stored.
fn check_size(field: &str, owner: &str, spec: &impl Serialize, most: usize, remedy: &str) -> Result<(), Error> {
    let encoded = codec::encode(spec).map_err(|error| Error::invalid(field, format!("{owner}: {error}")))?;
    if encoded.len() > most {
        let message = format!("{owner} as it is asked for has {} bytes, at most {most} are kept", encoded.len());
        return Err(Error::invalid(field, message).with_remedy(remedy));
    }
    Ok(())
}

mod processes;
/// For orchestrators whose copies really have ports of machines: a copy on every machine cannot start before the copy
/// there has given up its port.
///
/// # Errors
/// If a service asks for that, by its field.
pub fn host_order(service: &ServiceSpec) -> Result<(), Error> {
    let on_host = service.ports.iter().any(|port| port.exposure == Exposure::Host);
    if on_host && service.mode == ServiceMode::Global && service.update.order == UpdateOrder::StartFirst {
        let message =
            "a copy on every machine has a port of the machine, so a new copy cannot start before the old one stops";
        return Err(Error::invalid("update.order", message).with_remedy("use `stop-first`"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
