//! How a service is reached.
//!
//! Inside the cluster always under its name: by one address that Kubernetes spreads over the copies, or, if the service
//! names no port, by the copies' own addresses. What is published outside changes nothing inside.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec as KubernetesServiceSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use muster_engine::context::ClusterContext;
use muster_engine::handler::ServiceOrder;
use muster_protocol::model::service::{Exposure, Port};

use super::container::{list, port_name, protocol};
use crate::marks;

/// The address of a service that has none of its own.
const HEADLESS: &str = "None";

/// The service's name inside the cluster, with every port that it listens on.
pub(super) fn inside(cluster: &ClusterContext, order: &ServiceOrder) -> Service {
    let mut seen = BTreeSet::new();
    let ports = order.spec.ports.iter().filter(|port| seen.insert((port.port, port.protocol)));
    let ports: Vec<ServicePort> = ports.map(|port| service_port(port, None)).collect();
    let spec = KubernetesServiceSpec {
        selector: Some(marks::of_service(cluster, &order.spec.name)),
        cluster_ip: ports.is_empty().then(|| HEADLESS.to_owned()),
        type_: Some("ClusterIP".to_owned()),
        ports: list(ports),
        ..Default::default()
    };
    Service { metadata: marks::metadata(cluster, order, order.spec.name.as_str()), spec: Some(spec), status: None }
}

/// The ports that are published on every machine. An object of its own, because an object of this kind publishes all its
/// ports.
pub(super) fn outside(cluster: &ClusterContext, order: &ServiceOrder) -> Option<Service> {
    let published = order.spec.ports.iter().filter(|port| port.exposure == Exposure::Ingress);
    let ports: Vec<ServicePort> = published.map(|port| service_port(port, port.published)).collect();
    if ports.is_empty() {
        return None;
    }
    let spec = KubernetesServiceSpec {
        selector: Some(marks::of_service(cluster, &order.spec.name)),
        type_: Some("NodePort".to_owned()),
        ports: Some(ports),
        ..Default::default()
    };
    Some(Service { metadata: marks::metadata(cluster, order, &ingress_name(order)), spec: Some(spec), status: None })
}

/// Within the 63 characters that Kubernetes allows: 40 + 9 + 12.
fn ingress_name(order: &ServiceOrder) -> String {
    format!("{}-ingress-{}", order.spec.name, order.id.short())
}

fn service_port(port: &Port, published: Option<u16>) -> ServicePort {
    ServicePort {
        name: Some(port_name(port.port, port.protocol)),
        port: port.port.into(),
        target_port: Some(IntOrString::Int(port.port.into())),
        node_port: published.map(i32::from),
        protocol: Some(protocol(port.protocol).to_owned()),
        ..Default::default()
    }
}
