//! Numbers for ports of the host that an order leaves open. Kubernetes chooses none, so we do: the number that the
//! service has already, else the first free one of a range, beginning at a place that its name gives.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::PodSpec;
use muster_protocol::Name;
use muster_protocol::model::service::{Exposure, Port, ServiceSpec, Transport};

use crate::digest::digest;

/// Below the numbers of NodePorts and of outgoing connections.
const FIRST: u16 = 20_000;
const COUNT: u16 = 10_000;

/// The numbers on the host, by port and transport in the container.
#[derive(Clone, Default, Debug, PartialEq, Eq)]
pub(crate) struct HostPorts(BTreeMap<(u16, Transport), u16>);

impl HostPorts {
    /// The number of a port of the host.
    pub(crate) fn of(&self, port: &Port) -> Option<u16> {
        port.published.or_else(|| self.0.get(&(port.port, port.protocol)).copied())
    }

    /// The numbers that a pod has on its host.
    pub(crate) fn in_pod(pod: &PodSpec) -> Self {
        let ports = pod.containers.iter().flat_map(|container| container.ports.iter().flatten());
        let number = |number: Option<i32>| u16::try_from(number?).ok().filter(|number| *number > 0);
        let ports = ports.filter_map(|port| {
            let transport = match port.protocol.as_deref() {
                Some("UDP") => Transport::Udp,
                Some(_) | None => Transport::Tcp,
            };
            Some(((number(Some(port.container_port))?, transport), number(port.host_port)?))
        });
        Self(ports.collect())
    }

    /// Every number with its transport.
    pub(crate) fn numbers(&self) -> impl Iterator<Item = (Transport, u16)> + '_ {
        self.0.iter().map(|((_, transport), number)| (*transport, *number))
    }

    /// The numbers for this service: those that it has, where it has some, and else ones that no other service has.
    pub(crate) fn choose(spec: &ServiceSpec, present: &Self, taken: &BTreeSet<(Transport, u16)>) -> Self {
        let mut taken = taken.clone();
        taken.extend(spec.ports.iter().filter_map(|port| Some((port.protocol, port.published?))));
        let mut chosen = Self::default();
        for port in spec.ports.iter().filter(|port| is_open(port)) {
            let key = (port.port, port.protocol);
            let kept = present.0.get(&key).copied().filter(|number| is_ours(*number));
            let number = kept.or_else(|| free(&spec.name, port, &taken));
            if let Some(number) = number {
                taken.insert((port.protocol, number));
                chosen.0.insert(key, number);
            }
        }
        chosen
    }
}

/// Whether a service has a port whose number we choose.
pub(crate) fn leaves_open(spec: &ServiceSpec) -> bool {
    spec.ports.iter().any(is_open)
}

fn is_open(port: &Port) -> bool {
    port.exposure == Exposure::Host && port.published.is_none()
}

fn is_ours(number: u16) -> bool {
    (FIRST..FIRST + COUNT).contains(&number)
}

fn free(service: &Name, port: &Port, taken: &BTreeSet<(Transport, u16)>) -> Option<u16> {
    let name = digest([service.as_str().as_bytes(), &port.port.to_be_bytes()]);
    let start = u16::from_str_radix(&name[..4], 16).unwrap_or(0) % COUNT;
    (0..COUNT).map(|step| FIRST + (start + step) % COUNT).find(|number| !taken.contains(&(port.protocol, *number)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::plain;

    fn open(port: u16) -> Port {
        Port { port, protocol: Transport::Tcp, exposure: Exposure::Host, published: None }
    }

    #[test]
    fn a_number_is_the_same_every_time_and_nobody_elses() {
        let spec = ServiceSpec { ports: vec![open(80)], ..plain() };
        let number = |taken: &[u16], present: &HostPorts| {
            let taken = taken.iter().map(|number| (Transport::Tcp, *number)).collect();
            HostPorts::choose(&spec, present, &taken).of(&open(80)).unwrap()
        };
        let first = number(&[], &HostPorts::default());
        assert!(is_ours(first));
        assert_eq!(number(&[], &HostPorts::default()), first);
        let second = number(&[first], &HostPorts::default());
        assert_ne!(second, first);
        let present = HostPorts(BTreeMap::from([((80, Transport::Tcp), second)]));
        assert_eq!(number(&[], &present), second, "a service keeps its number");
    }

    #[test]
    fn a_number_that_was_asked_for_stays() {
        let port = Port { published: Some(8080), ..open(80) };
        let spec = ServiceSpec { ports: vec![port.clone()], ..plain() };
        assert_eq!(HostPorts::choose(&spec, &HostPorts::default(), &BTreeSet::new()).of(&port), Some(8080));
        assert!(!leaves_open(&spec));
    }
}
