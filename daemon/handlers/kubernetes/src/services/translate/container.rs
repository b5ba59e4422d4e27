//! The one container of a service's pods.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Container, ContainerPort, EnvVar, ResourceRequirements, SecurityContext};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use muster_protocol::model::service::{Exposure, Port, Resources, ServiceSpec, Transport};

use super::{files, health};
use crate::registry;
use crate::services::findings::Findings;
use crate::services::host_ports::HostPorts;

/// The container. Its name is the service's.
pub(super) fn container(spec: &ServiceSpec, findings: &Findings) -> Container {
    let probes = spec.health_check().map(health::probes).unwrap_or_default();
    Container {
        name: spec.name.to_string(),
        image: Some(registry::pinned(&spec.image, findings.digest.as_deref())),
        command: list(spec.command.iter().map(|word| literal(word)).collect()),
        args: list(spec.args.iter().map(|word| literal(word)).collect()),
        env: list(spec.env.iter().map(|(name, value)| variable(name, value)).collect()),
        ports: list(ports(&spec.ports, &findings.host_ports)),
        resources: resources(&spec.resources),
        volume_mounts: list(files::mounts(spec)),
        security_context: spec.user.as_deref().map(security_context),
        startup_probe: probes.startup,
        liveness_probe: probes.liveness,
        // The last words of a container that ends are part of its cause.
        termination_message_policy: Some("FallbackToLogsOnError".to_owned()),
        ..Default::default()
    }
}

/// A user by number; [`mod@crate::services::validate`] refuses names before. Without a group it is root's, as Docker has it.
fn security_context(user: &str) -> SecurityContext {
    let (user, group) = user.split_once(':').unwrap_or((user, "0"));
    SecurityContext { run_as_user: user.parse().ok(), run_as_group: group.parse().ok(), ..Default::default() }
}

/// Kubernetes replaces `$(NAME)` in commands, arguments and environment, and reads `$$` as `$`. A service's text is
/// passed on byte for byte, so every `$` is doubled.
pub(super) fn literal(text: &str) -> String {
    text.replace('$', "$$")
}

fn variable(name: &str, value: &str) -> EnvVar {
    EnvVar { name: name.to_owned(), value: Some(literal(value)), value_from: None }
}

/// Every port once, as Kubernetes tells ports apart by number and transport. Those of the host with their number there.
fn ports(ports: &[Port], host_ports: &HostPorts) -> Vec<ContainerPort> {
    let mut unique: BTreeMap<(u16, Transport), Option<u16>> = BTreeMap::new();
    for port in ports {
        let on_host = match port.exposure {
            Exposure::Host => host_ports.of(port),
            Exposure::Cluster | Exposure::Ingress => None,
        };
        let known = unique.entry((port.port, port.protocol)).or_default();
        *known = known.or(on_host);
    }
    let port = |((port, transport), on_host): ((u16, Transport), Option<u16>)| ContainerPort {
        name: Some(port_name(port, transport)),
        container_port: port.into(),
        host_port: on_host.map(i32::from),
        protocol: Some(protocol(transport).to_owned()),
        ..Default::default()
    };
    unique.into_iter().map(port).collect()
}

/// At most the 15 characters that Kubernetes allows.
pub(super) fn port_name(port: u16, transport: Transport) -> String {
    format!("p{port}-{transport}")
}

/// Kubernetes' word for a transport.
pub(super) fn protocol(transport: Transport) -> &'static str {
    match transport {
        Transport::Tcp => "TCP",
        Transport::Udp => "UDP",
    }
}

/// Kubernetes keeps as much as the limit for a container that has a limit and says nothing of what is to be kept. Nobody
/// asked for that, so what is not asked for is written as 0.
fn resources(resources: &Resources) -> Option<ResourceRequirements> {
    let cpu = |amount: u64| Quantity(format!("{amount}m"));
    let memory = |amount: u64| Quantity(amount.to_string());
    let (mut limits, mut requests) = (BTreeMap::new(), BTreeMap::new());
    if let Some(limit) = resources.cpu_limit {
        limits.insert("cpu".to_owned(), cpu(limit.0));
    }
    if let Some(limit) = resources.memory_limit {
        limits.insert("memory".to_owned(), memory(limit.0));
    }
    if resources.cpu_limit.is_some() || resources.cpu_reservation.is_some() {
        requests.insert("cpu".to_owned(), cpu(resources.cpu_reservation.map_or(0, |kept| kept.0)));
    }
    if resources.memory_limit.is_some() || resources.memory_reservation.is_some() {
        requests.insert("memory".to_owned(), memory(resources.memory_reservation.map_or(0, |kept| kept.0)));
    }
    let none = limits.is_empty() && requests.is_empty();
    let filled = |amounts: BTreeMap<String, Quantity>| if amounts.is_empty() { None } else { Some(amounts) };
    (!none).then(|| ResourceRequirements { claims: None, limits: filled(limits), requests: filled(requests) })
}

/// An empty list is left out, so that nobody owns it.
pub(super) fn list<T>(items: Vec<T>) -> Option<Vec<T>> {
    if items.is_empty() { None } else { Some(items) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the kubelet makes of a text: third_party/forked/golang/expansion/expand.go, for names that are all known.
    fn expanded(text: &str) -> String {
        let (mut out, mut rest) = (String::new(), text);
        while let Some(at) = rest.find('$') {
            out.push_str(&rest[..at]);
            let after = &rest[at + 1..];
            if let Some(after) = after.strip_prefix('$') {
                out.push('$');
                rest = after;
            } else if let Some((_, after)) = after.strip_prefix('(').and_then(|name| name.split_once(')')) {
                out.push_str("EXPANDED");
                rest = after;
            } else {
                out.push('$');
                rest = after;
            }
        }
        out + rest
    }

    #[test]
    fn a_text_arrives_byte_for_byte() {
        for text in ["$(HOME)", "$$(HOME)", "a$b", "$", "$$", "$$$(X)", "${X}", "$(", "100 %", "$($(X))"] {
            assert_eq!(expanded(&literal(text)), text);
        }
        assert_eq!(expanded("$(HOME)"), "EXPANDED", "without our care it would not");
    }

    #[test]
    fn a_limit_alone_keeps_nothing() {
        let limited = Resources { memory_limit: Some("64Mi".parse().unwrap()), ..Default::default() };
        let seen = resources(&limited).unwrap();
        assert_eq!(seen.limits.unwrap()["memory"].0, "67108864");
        assert_eq!(seen.requests.unwrap()["memory"].0, "0");
        assert!(resources(&Resources::default()).is_none());
    }
}
