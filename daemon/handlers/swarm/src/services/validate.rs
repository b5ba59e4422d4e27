//! Refuses what a swarm cannot honour, by the name of the field, before anything is changed.

use muster_protocol::Error;
use muster_protocol::model::service::{
    Constraint, Exposure, Mount, MountKind, Port, Probe, SecretFile, ServiceMode, ServiceSpec,
};

use crate::marks;

/// What the engine accepts as the data of one secret or config: less than 500 KiB.
const MAX_FILE_BYTES: usize = 500 * 1024 - 1;

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
    Error::invalid(field, format!("{SWARM} keeps at most {MAX_FILE_BYTES} bytes in one file"))
}

#[cfg(test)]
mod tests {
    use muster_protocol::model::service::{ConfigFile, HealthCheck};
    use muster_protocol::{ErrorCode, SecretString};

    use super::*;
    use crate::services::translate::tests::plain;

    #[track_caller]
    fn assert_refused(service: ServiceSpec, code: ErrorCode, field: &str) {
        let error = validate(&service).unwrap_err();
        assert_eq!((error.code, error.details["field"].as_str()), (code, field), "{error}");
    }

    fn health(probe: Probe) -> Option<HealthCheck> {
        Some(HealthCheck { probe, interval_ms: 1_000, timeout_ms: 1_000, retries: 1, start_period_ms: 0 })
    }

    fn published(exposure: Exposure, published: Option<u16>) -> Vec<Port> {
        vec![Port { port: 80, protocol: Default::default(), exposure, published }]
    }

    fn mounted(kind: MountKind, source: Option<&str>, target: &str) -> Vec<Mount> {
        vec![Mount { kind, source: source.map(str::to_owned), target: target.to_owned(), read_only: false }]
    }

    #[test]
    fn a_plain_service_is_accepted() {
        assert_eq!(validate(&plain()), Ok(()));
        assert_eq!(validate(&ServiceSpec { health: health(Probe::Command(vec!["true".into()])), ..plain() }), Ok(()));
    }

    #[test]
    fn probes_that_swarm_does_not_have_are_refused_by_name() {
        let http = Probe::Http { port: 80, path: "/".into() };
        assert_refused(ServiceSpec { health: health(http), ..plain() }, ErrorCode::Unsupported, "health.probe.http");
        assert_refused(
            ServiceSpec { health: health(Probe::Tcp(80)), ..plain() },
            ErrorCode::Unsupported,
            "health.probe.tcp",
        );
    }

    #[test]
    fn a_job_has_no_health() {
        let job =
            ServiceSpec { mode: ServiceMode::Job, health: health(Probe::Command(vec!["true".into()])), ..plain() };
        assert_refused(job, ErrorCode::Unsupported, "health");
    }

    #[test]
    fn a_global_service_has_no_number_of_copies() {
        let global = ServiceSpec { mode: ServiceMode::Global, replicas: 2, ..plain() };
        assert_refused(global, ErrorCode::InvalidArgument, "replicas");
    }

    #[test]
    fn a_port_is_published_only_to_the_outside() {
        let ports = published(Exposure::Cluster, Some(8080));
        assert_refused(ServiceSpec { ports, ..plain() }, ErrorCode::InvalidArgument, "ports[0].published");
        assert!(validate(&ServiceSpec { ports: published(Exposure::Host, None), ..plain() }).is_ok());
    }

    #[test]
    fn mounts_need_what_their_kind_needs() {
        for (kind, source) in [
            (MountKind::Volume, None),
            (MountKind::Volume, Some("../x")),
            (MountKind::Bind, Some("relative")),
            (MountKind::Bind, None),
            (MountKind::Tmpfs, Some("x")),
        ] {
            let mounts = mounted(kind, source, "/data");
            assert_refused(ServiceSpec { mounts, ..plain() }, ErrorCode::InvalidArgument, "mounts[0].source");
        }
        let mounts = mounted(MountKind::Tmpfs, None, "data");
        assert_refused(ServiceSpec { mounts, ..plain() }, ErrorCode::InvalidArgument, "mounts[0].target");
    }

    #[test]
    fn our_own_labels_cannot_be_given() {
        let labels = [("io.muster.cluster".to_owned(), "x".to_owned())].into();
        assert_refused(ServiceSpec { labels, ..plain() }, ErrorCode::InvalidArgument, "labels");
    }

    #[test]
    fn a_constraint_that_swarm_cannot_read_is_refused() {
        let constraints = vec!["label.disk==ä".parse().unwrap()];
        assert_refused(ServiceSpec { constraints, ..plain() }, ErrorCode::InvalidArgument, "constraints[0]");
    }

    #[test]
    fn files_that_swarm_cannot_keep_are_refused() {
        let file = |path: &str, content: &str| ConfigFile { path: path.into(), content: content.into() };
        let with = |files| ServiceSpec { files, ..plain() };
        assert_refused(with(vec![file("etc/x", "x")]), ErrorCode::InvalidArgument, "files[0].path");
        assert_refused(with(vec![file("/x", "")]), ErrorCode::Unsupported, "files[0].content");
        let long = "x".repeat(MAX_FILE_BYTES + 1);
        assert_refused(with(vec![file("/x", &long)]), ErrorCode::InvalidArgument, "files[0].content");
        assert_refused(with(vec![file("/x", "a"), file("/x", "b")]), ErrorCode::InvalidArgument, "files");
    }

    #[test]
    fn an_empty_secret_is_refused() {
        let secret = SecretFile { name: "a".parse().unwrap(), value: Some(SecretString::new("")), path: None };
        assert_refused(ServiceSpec { secrets: vec![secret], ..plain() }, ErrorCode::Unsupported, "secrets[0].value");
    }
}
