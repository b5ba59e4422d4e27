//! Refuses what Kubernetes cannot honour, by the name of the field, before anything is changed. What no orchestrator
//! could honour, or is too large to be kept, is refused by [`muster_engine::validate`] already.

use std::collections::BTreeSet;

use muster_engine::validate;
use muster_protocol::Error;
use muster_protocol::model::service::{
    Attribute, Constraint, Exposure, Mount, MountKind, Port, Probe, ServiceSpec, Transport,
};

use crate::labels;

const KUBERNETES: &str = "Kubernetes";
/// The highest number of a user or group in a pod.
const MAX_ID: u32 = i32::MAX.unsigned_abs();
/// The numbers that Kubernetes gives to ports of every machine.
const NODE_PORTS: std::ops::RangeInclusive<u16> = 30_000..=32_767;

/// Refuses a service that a cluster cannot run as it is asked for.
pub(crate) fn validate(service: &ServiceSpec) -> Result<(), Error> {
    environment(service)?;
    ports(service)?;
    health(service)?;
    processes(service)?;
    for (place, secret) in service.secrets.iter().enumerate() {
        owner(&format!("secrets[{place}]"), secret.uid, secret.gid)?;
    }
    for (place, file) in service.files.iter().enumerate() {
        owner(&format!("files[{place}]"), file.uid, file.gid)?;
    }
    in_each("mounts", &service.mounts, mount)?;
    in_each("constraints", &service.constraints, constraint)?;
    match service.labels.keys().find(|label| !labels::is_name(label)) {
        Some(label) => Err(Error::invalid("labels", format!("`{label}` cannot be a label's name in {KUBERNETES}"))
            .with_remedy("use letters, digits, `-`, `_` and `.`, with a DNS name and `/` before it or not")),
        None => Ok(()),
    }
}

fn in_each<T>(list: &str, items: &[T], check: impl Fn(&str, &T) -> Result<(), Error>) -> Result<(), Error> {
    items.iter().enumerate().try_for_each(|(place, item)| check(&format!("{list}[{place}]"), item))
}

fn environment(service: &ServiceSpec) -> Result<(), Error> {
    match service.env.keys().find(|name| !name.chars().all(|c| c.is_ascii_graphic() || c == ' ')) {
        Some(name) => {
            let message = format!("`{name}` cannot be the name of an environment variable in {KUBERNETES}");
            Err(Error::invalid("env", message).with_remedy("use printable ASCII characters"))
        }
        None => Ok(()),
    }
}

fn ports(service: &ServiceSpec) -> Result<(), Error> {
    let mut seen: BTreeSet<(bool, u16, Transport)> = BTreeSet::new();
    for (place, port) in service.ports.iter().enumerate() {
        let field = format!("ports[{place}]");
        let outside = match port.exposure {
            Exposure::Cluster => continue,
            Exposure::Host => false,
            Exposure::Ingress => true,
        };
        if !seen.insert((outside, port.port, port.protocol)) {
            let what =
                format_args!("{KUBERNETES}, for a port of the container that is published twice in the same way,");
            return Err(Error::unsupported(&field, what)
                .with_remedy("publish it once, or let the container listen on two ports"));
        }
        if outside { ingress_number(&field, port)? } else { host_number(&field, port)? }
    }
    validate::host_order(service)
}

fn ingress_number(field: &str, port: &Port) -> Result<(), Error> {
    let (first, last) = (NODE_PORTS.start(), NODE_PORTS.end());
    match port.published {
        Some(number) if !NODE_PORTS.contains(&number) => {
            let what = format_args!("{KUBERNETES}, which publishes on every machine from {first} to {last} only,");
            Err(Error::unsupported(&format!("{field}.published"), what)
                .with_remedy(format!("use a number from {first} to {last}, leave it out, or use `exposure: host`")))
        }
        Some(_) | None => Ok(()),
    }
}

fn host_number(field: &str, port: &Port) -> Result<(), Error> {
    let Some(number) = port.published else { return Ok(()) };
    let owner = match (port.protocol, number) {
        (Transport::Tcp, 22) => "sshd, through which Muster reaches the machine",
        (Transport::Tcp, 6443) => "the API server",
        (Transport::Tcp, 2379..=2381) => "etcd",
        (Transport::Tcp, 10_248..=10_250) => "the kubelet",
        (Transport::Tcp, 10_256 | 10_257 | 10_259) => "the control plane and kube-proxy",
        (Transport::Udp, 8472) => "the network between the machines",
        (Transport::Tcp | Transport::Udp, number) if NODE_PORTS.contains(&number) => {
            "Kubernetes for ports that are published on every machine"
        }
        (Transport::Tcp | Transport::Udp, _) => return Ok(()),
    };
    let message = format!("port {number} of the machines is used by {owner}");
    Err(Error::invalid(&format!("{field}.published"), message).with_remedy("use another number"))
}

fn health(service: &ServiceSpec) -> Result<(), Error> {
    let Some(health) = service.health_check() else { return Ok(()) };
    match &health.probe {
        Probe::Http { path, .. } if !path.starts_with('/') => {
            Err(Error::invalid("health.probe.http.path", format!("`{path}` does not begin with `/`")))
        }
        Probe::Http { .. } | Probe::Command(_) | Probe::Tcp(_) => Ok(()),
    }
}

fn processes(service: &ServiceSpec) -> Result<(), Error> {
    if service.stop_signal.is_some() {
        // `lifecycle.stopSignal` is behind the feature gate `ContainerStopSignals`, which kubeadm leaves off.
        return Err(Error::unsupported("stopSignal", KUBERNETES)
            .with_remedy("set STOPSIGNAL in the image, or let the program end on its image's signal"));
    }
    let is_number = |part: &str| part.parse().is_ok_and(|id: u32| id <= MAX_ID);
    match service.user.as_deref() {
        Some(user) if !user.split(':').all(is_number) => {
            let what =
                format_args!("{KUBERNETES}, which knows users by numbers up to {MAX_ID} only and not as `{user}`,");
            Err(Error::unsupported("user", what).with_remedy("write `UID` or `UID:GID`, as in the image's /etc/passwd"))
        }
        Some(_) | None => Ok(()),
    }
}

/// Mounted files are root's. A group of the whole pod (`fsGroup`) would also change the modes.
fn owner(field: &str, uid: u32, gid: u32) -> Result<(), Error> {
    let (name, id) = if uid == 0 { ("gid", gid) } else { ("uid", uid) };
    if id == 0 {
        return Ok(());
    }
    Err(Error::unsupported(&format!("{field}.{name}"), KUBERNETES)
        .with_remedy("leave it out: the file is root's; let `mode` say who may read it"))
}

fn mount(field: &str, mount: &Mount) -> Result<(), Error> {
    if mount.target.contains(':') {
        let message = format!("`{}` has a colon, which {KUBERNETES} does not take in a path", mount.target);
        return Err(Error::unsupported(&format!("{field}.target"), KUBERNETES).with_remedy(message));
    }
    let source = mount.source.as_deref().unwrap_or_default();
    match mount.kind {
        MountKind::Volume => {
            let is_name = source.starts_with(|c: char| c.is_ascii_alphanumeric())
                && source.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c));
            if is_name {
                return Ok(());
            }
            Err(Error::invalid(&format!("{field}.source"), format!("`{source}` cannot be a volume's name"))
                .with_remedy("use letters, digits, `_`, `.` and `-`, the first a letter or digit"))
        }
        MountKind::Bind if source.split('/').any(|part| part == "..") => {
            Err(Error::invalid(&format!("{field}.source"), format!("`{source}` goes back by `..`")))
        }
        MountKind::Bind | MountKind::Tmpfs => Ok(()),
    }
}

fn constraint(field: &str, constraint: &Constraint) -> Result<(), Error> {
    let name = match &constraint.attribute {
        Attribute::Role | Attribute::Host => None,
        Attribute::Label(label) => Some(label),
    };
    if name.is_none_or(|name| labels::is_name(name)) && labels::is_value(&constraint.value) {
        return Ok(());
    }
    Err(Error::invalid(field, format!("`{constraint}` cannot be true of any node's label in {KUBERNETES}"))
        .with_remedy("labels have letters, digits, `-`, `_` and `.`, a letter or digit at both ends"))
}

#[cfg(test)]
mod tests;
