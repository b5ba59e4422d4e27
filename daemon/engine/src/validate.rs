//! What can be said about a request without knowing anything else. Pure.

use std::collections::BTreeSet;

use muster_protocol::Error;
use muster_protocol::model::cluster::ClusterSpec;
use muster_protocol::model::service::{Exposure, MountKind, Probe, ServiceMode, ServiceSpec};

/// Most copies of one service.
const MAX_REPLICAS: u32 = 10_000;
/// Files go into the store and through the orchestrator's own store; Swarm's limit is 500 kB, the store's value limit less.
const MAX_FILE_BYTES: usize = 32 * 1024;
/// All of a service's own words; the store keeps a service in one value.
const MAX_SPEC_BYTES: usize = 48 * 1024;

/// Checks the numbers of a cluster.
pub fn cluster(spec: &ClusterSpec) -> Result<(), Error> {
    let count = spec.control_planes;
    if !(1..=ClusterSpec::MAX_CONTROL_PLANES).contains(&count) || count.is_multiple_of(2) {
        return Err(Error::invalid("controlPlanes", format!("{count} control planes cannot be"))
            .with_remedy("use 1, 3, 5 or 7: an even number is no safer than the odd one below it"));
    }
    if spec.workers > ClusterSpec::MAX_WORKERS {
        let most = ClusterSpec::MAX_WORKERS;
        return Err(Error::invalid("workers", format!("{} workers are too many, at most {most}", spec.workers)));
    }
    check_labels("labels", spec.labels.keys())
}

/// Checks a service, whatever the orchestrator.
pub fn service(spec: &ServiceSpec) -> Result<(), Error> {
    check_image(&spec.image)?;
    check_copies(spec)?;
    check_names(spec)?;
    check_paths(spec)?;
    check_ports(spec)?;
    check_times(spec)?;
    check_labels("labels", spec.labels.keys())?;
    check_size(spec)
}

fn check_image(image: &str) -> Result<(), Error> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@".contains(c);
    if image.is_empty() || image.len() > 255 || !image.chars().all(plain) {
        return Err(Error::invalid("image", format!("`{image}` is not an image reference"))
            .with_remedy("write it as `name:tag` or `registry/name:tag`"));
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
    let long = spec.files.iter().find(|file| file.content.len() > MAX_FILE_BYTES);
    match long {
        Some(file) => Err(Error::invalid("files", format!("`{}` is longer than {MAX_FILE_BYTES} bytes", file.path))
            .with_remedy("put large files into the image")),
        None => Ok(()),
    }
}

fn check_ports(spec: &ServiceSpec) -> Result<(), Error> {
    let mut published = BTreeSet::new();
    for port in &spec.ports {
        if port.port == 0 || port.published == Some(0) {
            return Err(Error::invalid("ports", "port 0 cannot be"));
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
    if let Some(health) = &spec.health {
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
    Ok(())
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

fn check_size(spec: &ServiceSpec) -> Result<(), Error> {
    let texts = spec.command.iter().chain(&spec.args).chain(spec.env.keys()).chain(spec.env.values());
    let labels = spec.labels.keys().chain(spec.labels.values());
    let files = spec.files.iter().map(|file| file.content.len() + file.path.len());
    let size: usize = texts.chain(labels).map(String::len).chain(files).sum();
    if size > MAX_SPEC_BYTES {
        return Err(Error::invalid(
            "spec",
            format!("the service's words take {size} bytes, at most {MAX_SPEC_BYTES} are allowed"),
        )
        .with_remedy("put large files into the image"));
    }
    Ok(())
}
