//! Refuses what a swarm cannot honour, by the name of the field, before anything is changed. What no orchestrator
//! could honour, or is too large to be kept, is refused by [`muster_engine::validate`] already.

use muster_engine::validate;
use muster_protocol::Error;
use muster_protocol::model::service::{
    ConfigFile, Constraint, Mount, MountKind, Port, Probe, SecretFile, ServiceMode, ServiceSpec, Transport,
};

const SWARM: &str = "Docker Swarm";
/// The network of a cluster's services is a /24, of which its gateway, every machine and every service need an address too.
const MAX_REPLICAS: u32 = 240;

/// Refuses a service that a swarm cannot run as it is asked for.
pub(crate) fn validate(service: &ServiceSpec) -> Result<(), Error> {
    health(service)?;
    replicas(service)?;
    validate::host_order(service)?;
    in_each("ports", &service.ports, port)?;
    in_each("mounts", &service.mounts, mount)?;
    in_each("constraints", &service.constraints, constraint)?;
    in_each("secrets", &service.secrets, secret)?;
    in_each("files", &service.files, file)
}

fn in_each<T>(list: &str, items: &[T], check: impl Fn(&str, &T) -> Result<(), Error>) -> Result<(), Error> {
    items.iter().enumerate().try_for_each(|(place, item)| check(&format!("{list}[{place}]"), item))
}

fn health(service: &ServiceSpec) -> Result<(), Error> {
    let Some(health) = service.health_check() else { return Ok(()) };
    if service.mode == ServiceMode::Job {
        return Err(Error::unsupported("health", format_args!("a job on {SWARM}")));
    }
    let refused = |field: &str| {
        Err(Error::unsupported(field, SWARM)
            .with_remedy("use a command that is in the image, for example `wget -qO- http://localhost/`"))
    };
    match &health.probe {
        Probe::Http { .. } => refused("health.probe.http"),
        Probe::Tcp(_) => refused("health.probe.tcp"),
        Probe::Command(_) => Ok(()),
    }
}

/// More copies than there are addresses would wait for ever, without a word.
fn replicas(service: &ServiceSpec) -> Result<(), Error> {
    if service.mode == ServiceMode::Global || service.replicas <= MAX_REPLICAS {
        return Ok(());
    }
    let message = format!("{} copies have no room in the network of {SWARM}, which is a /24", service.replicas);
    Err(Error::invalid("replicas", message)
        .with_remedy(format!("ask for at most {MAX_REPLICAS}, and spread the rest over other clusters")))
}

/// Numbers of the machines that the swarm itself needs.
fn port(field: &str, port: &Port) -> Result<(), Error> {
    let owner = match (port.protocol, port.published) {
        (Transport::Tcp, Some(2376)) => "the Docker Engine, through which Muster reaches it",
        (Transport::Tcp, Some(2377)) => "the swarm's managers",
        (Transport::Tcp | Transport::Udp, Some(7946)) => "the swarm's machines among each other",
        (Transport::Udp, Some(4789)) => "the network between the swarm's machines",
        (Transport::Tcp | Transport::Udp, Some(_) | None) => return Ok(()),
    };
    let message = format!("port {} of the machines is used by {owner}", port.published.unwrap_or_default());
    Err(Error::invalid(&format!("{field}.published"), message).with_remedy("use another number"))
}

fn mount(field: &str, mount: &Mount) -> Result<(), Error> {
    let MountKind::Volume = mount.kind else { return Ok(()) };
    let name = mount.source.as_deref().unwrap_or_default();
    let is_name = name.len() > 1
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c));
    if is_name {
        return Ok(());
    }
    Err(Error::invalid(&format!("{field}.source"), format!("`{name}` cannot be a volume's name in {SWARM}"))
        .with_remedy("use two or more letters, digits, `_`, `.` and `-`, the first a letter or digit"))
}

fn constraint(field: &str, constraint: &Constraint) -> Result<(), Error> {
    // What swarm's own parser takes; anything else it refuses only after networks and secrets were made.
    let is_plain = |c: char| c.is_ascii_alphanumeric() || ":-_. *()?+[]\\^$|/".contains(c);
    if constraint.to_string().replacen("==", "", 1).replacen("!=", "", 1).chars().all(is_plain) {
        return Ok(());
    }
    Err(Error::invalid(field, format!("`{constraint}` has characters that {SWARM} does not take in a constraint")))
}

fn secret(field: &str, secret: &SecretFile) -> Result<(), Error> {
    if secret.value.as_ref().is_some_and(|value| value.expose().is_empty()) {
        return Err(Error::unsupported(&format!("{field}.value"), format_args!("{SWARM} with an empty secret")));
    }
    Ok(())
}

fn file(field: &str, file: &ConfigFile) -> Result<(), Error> {
    if file.content.bytes().is_empty() {
        return Err(Error::unsupported(&format!("{field}.content"), format_args!("{SWARM} with an empty file")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use muster_protocol::model::service::{Exposure, Health, HealthCheck, UpdateOrder};
    use muster_protocol::{ErrorCode, SecretBytes};

    use super::*;
    use crate::fixtures::plain;

    #[track_caller]
    fn assert_refused(service: ServiceSpec, code: ErrorCode, field: &str) {
        let error = validate(&service).unwrap_err();
        assert_eq!((error.code, error.details["field"].as_str()), (code, field), "{error}");
    }

    fn health(probe: Probe) -> Option<Health> {
        Some(HealthCheck { probe, interval_ms: 1_000, timeout_ms: 1_000, retries: 1, start_period_ms: 0 }.into())
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
        let tcp = Probe::Tcp(80);
        assert_refused(ServiceSpec { health: health(tcp), ..plain() }, ErrorCode::Unsupported, "health.probe.tcp");
    }

    #[test]
    fn copies_on_every_machine_with_a_port_of_it_cannot_start_first() {
        let port = Port { port: 80, protocol: Transport::Tcp, exposure: Exposure::Host, published: Some(8090) };
        let mut service = ServiceSpec { mode: ServiceMode::Global, ports: vec![port], ..plain() };
        assert_eq!(validate(&service), Ok(()));
        service.update.order = UpdateOrder::StartFirst;
        assert_refused(service.clone(), ErrorCode::InvalidArgument, "update.order");
        service.mode = ServiceMode::Replicated;
        assert_eq!(validate(&service), Ok(()), "another machine may have room");
    }

    #[test]
    fn more_copies_than_the_network_has_addresses_are_refused() {
        assert_eq!(validate(&ServiceSpec { replicas: 240, ..plain() }), Ok(()));
        assert_refused(ServiceSpec { replicas: 265, ..plain() }, ErrorCode::InvalidArgument, "replicas");
    }

    #[test]
    fn a_job_has_no_health() {
        let check = health(Probe::Command(vec!["true".into()]));
        let job = ServiceSpec { mode: ServiceMode::Job, health: check, ..plain() };
        assert_refused(job, ErrorCode::Unsupported, "health");
    }

    #[test]
    fn a_volume_that_the_engine_cannot_name_is_refused() {
        for source in [None, Some("v"), Some("../x"), Some("ä-ö")] {
            let source = source.map(str::to_owned);
            let mount = Mount { kind: MountKind::Volume, source, target: "/data".into(), read_only: false };
            let service = ServiceSpec { mounts: vec![mount], ..plain() };
            assert_refused(service, ErrorCode::InvalidArgument, "mounts[0].source");
        }
    }

    #[test]
    fn a_number_that_the_swarm_needs_itself_is_refused() {
        let with = |protocol: Transport, published: u16| {
            let port = Port { port: 80, protocol, exposure: Exposure::Host, published: Some(published) };
            ServiceSpec { ports: vec![port], ..plain() }
        };
        for number in [2376, 2377, 7946] {
            assert_refused(with(Transport::Tcp, number), ErrorCode::InvalidArgument, "ports[0].published");
        }
        assert_refused(with(Transport::Udp, 4789), ErrorCode::InvalidArgument, "ports[0].published");
        assert_eq!(validate(&with(Transport::Tcp, 4789)), Ok(()));
    }

    #[test]
    fn a_constraint_that_swarm_cannot_read_is_refused() {
        let constraints = vec!["label.disk==ssd".parse().unwrap(), "label.disk==ä".parse().unwrap()];
        assert_refused(ServiceSpec { constraints, ..plain() }, ErrorCode::InvalidArgument, "constraints[1]");
    }

    #[test]
    fn an_empty_file_is_refused() {
        let files = vec![ConfigFile::new("/x", "")];
        assert_refused(ServiceSpec { files, ..plain() }, ErrorCode::Unsupported, "files[0].content");
    }

    #[test]
    fn a_secret_that_swarm_cannot_keep_is_refused() {
        let empty = SecretFile::new("a".parse().unwrap(), Some(SecretBytes::new("")));
        assert_refused(ServiceSpec { secrets: vec![empty], ..plain() }, ErrorCode::Unsupported, "secrets[0].value");
    }
}
