//! Where a service is reached from outside: ports of the host at the machines that run a copy, published ports at every
//! machine.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use k8s_openapi::api::core::v1::Service;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use muster_protocol::Name;
use muster_protocol::model::service::{Endpoint, Transport};

use super::nodes::MachineNode;
use super::pods::SeenPod;
use super::services::Workload;
use crate::marks;

pub(super) fn of(
    workload: &Workload<'_>,
    pods: &[SeenPod<'_>],
    services: &[Arc<Service>],
    name: &Name,
    machines: &BTreeMap<&str, MachineNode<'_>>,
) -> Vec<Endpoint> {
    let mut endpoints = BTreeSet::new();
    for pod in pods.iter().filter(|pod| workload.is_current(pod) && pod.is_ready()) {
        let ports = pod.pod.spec.iter().flat_map(|spec| &spec.containers).flat_map(|one| one.ports.iter().flatten());
        for port in ports {
            let Some(address) = pod.machine_address() else { continue };
            endpoints.extend(endpoint(address, port.host_port, Some(port.container_port), port.protocol.as_deref()));
        }
    }
    let own = services.iter().filter(|service| marks::service(&service.metadata).as_ref() == Some(name));
    for port in own.filter_map(|service| service.spec.as_ref()).flat_map(|spec| spec.ports.iter().flatten()) {
        let inside = match &port.target_port {
            Some(IntOrString::Int(number)) => Some(*number),
            Some(IntOrString::String(_)) | None => Some(port.port),
        };
        for machine in machines.values().filter(|machine| machine.is_up()) {
            let Some(address) = &machine.address else { continue };
            endpoints.extend(endpoint(address, port.node_port, inside, port.protocol.as_deref()));
        }
    }
    endpoints.into_iter().collect()
}

fn endpoint(address: &str, published: Option<i32>, port: Option<i32>, protocol: Option<&str>) -> Option<Endpoint> {
    let number = |number: Option<i32>| u16::try_from(number?).ok().filter(|number| *number > 0);
    let protocol = match protocol {
        Some("UDP") => Transport::Udp,
        Some("TCP") | None => Transport::Tcp,
        Some(_) => return None,
    };
    Some(Endpoint { address: address.to_owned(), published: number(published)?, port: number(port)?, protocol })
}
