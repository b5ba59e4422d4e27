//! Refuses what a swarm cannot honour, by the name of the field, before anything is changed.

use muster_protocol::Error;
use muster_protocol::model::service::{
    Constraint, Exposure, Mount, MountKind, Port, Probe, SecretFile, ServiceMode, ServiceSpec,
};

use crate::marks;

/// What the engine accepts as the data of one secret or config.
const MAX_FILE_BYTES: usize = 500 * 1024;

const SWARM: &str = "Docker Swarm";

/// Refuses a service that a swarm cannot run as it is asked for.
pub(crate) fn validate(service: &ServiceSpec) -> Result<(), Error> {
    if service.image.trim().is_empty() {
        return Err(Error::invalid("image", "an image must be named"));
    }
    if service.mode == ServiceMode::Global && service.replicas != 1 {
        return Err(Error::invalid("replicas", "a global service has one copy on each machine; leave `replicas` out"));
    }
    if let Some(name) = service.env.keys().find(|name| name.is_empty() || name.contains('=')) {
        return Err(Error::invalid("env", format!("`{name}` cannot be the name of a variable")));
    }
    if let Some(label) = service.labels.keys().find(|label| label.starts_with(marks::PREFIX)) {
        return Err(Error::invalid(
            "labels",
            format!("`{label}`: labels that begin with `{}` are Muster's", marks::PREFIX),
        ));
    }
    probe(service)?;
    in_each("ports", &service.ports, port)?;
    in_each("mounts", &service.mounts, mount)?;
    in_each("constraints", &service.constraints, constraint)?;
    in_each("secrets", &service.secrets, secret)?;
    files(service)
}

fn in_each<T>(list: &str, items: &[T], check: impl Fn(&str, &T) -> Result<(), Error>) -> Result<(), Error> {
    items.iter().enumerate().try_for_each(|(place, item)| check(&format!("{list}[{place}]"), item))
}

fn probe(service: &ServiceSpec) -> Result<(), Error> {
    let Some(health) = &service.health else { return Ok(()) };
    let with_command =
        "use a command that is in the image, for example `probe: {command: [wget, -qO-, \"http://localhost/\"]}`";
    match &health.probe {
        Probe::Http { .. } => Err(Error::unsupported("health.probe.http", SWARM).with_remedy(with_command)),
        Probe::Tcp(_) => Err(Error::unsupported("health.probe.tcp", SWARM).with_remedy(with_command)),
        Probe::Command(command) if command.is_empty() => {
            Err(Error::invalid("health.probe.command", "the command is empty"))
        }
        Probe::Command(_) if service.mode == ServiceMode::Job => {
            Err(Error::unsupported("health", format_args!("a job on {SWARM}")))
        }
        Probe::Command(_) => Ok(()),
    }?;
    // The engine takes no durations below a millisecond but for zero, which means its own default.
    if health.interval_ms == 0 || health.timeout_ms == 0 || health.retries == 0 {
        return Err(Error::invalid("health", "interval, timeout and retries must be at least 1"));
    }
    Ok(())
}

fn port(field: &str, port: &Port) -> Result<(), Error> {
    if port.port == 0 {
        return Err(Error::invalid(&format!("{field}.port"), "a port is a number from 1 to 65535"));
    }
    if port.published == Some(0) {
        return Err(Error::invalid(&format!("{field}.published"), "leave it out to have a port chosen"));
    }
    if port.exposure == Exposure::Cluster && port.published.is_some() {
        return Err(Error::invalid(
            &format!("{field}.published"),
            "a port that only the cluster reaches is not published; set `exposure` to `host` or `ingress`",
        ));
    }
    Ok(())
}

fn mount(field: &str, mount: &Mount) -> Result<(), Error> {
    let source = format!("{field}.source");
    if !mount.target.starts_with('/') {
        return Err(Error::invalid(&format!("{field}.target"), "it must be an absolute path"));
    }
    match (mount.kind, &mount.source) {
        (MountKind::Volume, None) => Err(Error::invalid(&source, "a volume needs a name")),
        (MountKind::Bind, Some(path)) if path.starts_with('/') => Ok(()),
        (MountKind::Bind, _) => Err(Error::invalid(&source, "a bind mount needs an absolute path on the machine")),
        (MountKind::Tmpfs, Some(_)) => Err(Error::invalid(&source, "a tmpfs has no source")),
        (MountKind::Tmpfs, None) => Ok(()),
        (MountKind::Volume, Some(name)) => {
            let is_name = name.len() > 1
                && name.starts_with(|c: char| c.is_ascii_alphanumeric())
                && name.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c));
            if is_name { Ok(()) } else { Err(Error::invalid(&source, format!("`{name}` cannot be a volume's name"))) }
        }
    }
}

fn constraint(field: &str, constraint: &Constraint) -> Result<(), Error> {
    // What swarm's own parser takes; anything else it refuses only after networks and secrets were made.
    let is_plain = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || ":-_. *()?+[]\\^$|/".contains(c));
    if is_plain(&constraint.to_string().replace("==", "").replace("!=", "")) {
        return Ok(());
    }
    Err(Error::invalid(field, format!("`{constraint}` has characters that {SWARM} does not take in a constraint")))
}

fn secret(field: &str, secret: &SecretFile) -> Result<(), Error> {
    if !secret.target().starts_with('/') {
        return Err(Error::invalid(&format!("{field}.path"), "it must be an absolute path"));
    }
    match &secret.value {
        Some(value) if value.expose().is_empty() => {
            Err(Error::unsupported(&format!("{field}.value"), format_args!("{SWARM} with an empty secret")))
        }
        Some(value) if value.expose().len() > MAX_FILE_BYTES => Err(too_long(&format!("{field}.value"))),
        Some(_) | None => Ok(()),
    }
}

fn files(service: &ServiceSpec) -> Result<(), Error> {
    let mut taken: Vec<String> = service.secrets.iter().map(SecretFile::target).collect();
    for (place, file) in service.files.iter().enumerate() {
        let field = |part: &str| format!("files[{place}].{part}");
        if !file.path.starts_with('/') {
            return Err(Error::invalid(&field("path"), "it must be an absolute path"));
        }
        if file.content.len() > MAX_FILE_BYTES {
            return Err(too_long(&field("content")));
        }
        if file.content.is_empty() {
            return Err(Error::unsupported(&field("content"), format_args!("{SWARM} with an empty file")));
        }
        taken.push(file.path.clone());
    }
    taken.sort();
    match taken.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(Error::invalid("files", format!("`{}` is given twice among files and secrets", pair[0]))),
        None => Ok(()),
    }
}

fn too_long(field: &str) -> Error {
    Error::invalid(field, format!("{SWARM} keeps at most {} KiB in one file", MAX_FILE_BYTES / 1024))
}
