//! A service with every field filled. Never changed, only added to.

use muster_protocol::SecretString;
use muster_protocol::model::service::{
    ConfigFile, Endpoint, Exposure, HealthCheck, Mount, MountKind, Port, Probe, Resources, SecretFile, ServiceMode,
    ServiceSpec, Transport, UpdateOrder, UpdatePolicy,
};
use muster_protocol::quantity::{Bytes, CpuMillis};

use super::model::name;

pub fn service_spec() -> ServiceSpec {
    let port = |protocol, exposure| Port { port: 80, protocol, exposure, published: Some(8080) };
    let mount = |kind| Mount { kind, source: Some("data".to_owned()), target: "/data".to_owned(), read_only: true };
    ServiceSpec {
        name: name("web"),
        image: "nginx:1".to_owned(),
        command: vec!["nginx".to_owned()],
        args: vec!["-g".to_owned(), "daemon off;".to_owned()],
        env: [("A".to_owned(), "b".to_owned())].into(),
        secrets: vec![SecretFile {
            name: name("key"),
            value: Some(SecretString::new("s3cret")),
            path: Some("/run/key".to_owned()),
        }],
        files: vec![ConfigFile { path: "/etc/a".to_owned(), content: "a=1\n".to_owned() }],
        mode: ServiceMode::Replicated,
        replicas: 2,
        resources: Resources {
            cpu_limit: Some(CpuMillis(500)),
            memory_limit: Some(Bytes(512 << 20)),
            cpu_reservation: Some(CpuMillis(100)),
            memory_reservation: Some(Bytes(64 << 20)),
        },
        ports: vec![
            port(Transport::Tcp, Exposure::Cluster),
            port(Transport::Udp, Exposure::Host),
            port(Transport::Tcp, Exposure::Ingress),
        ],
        mounts: [MountKind::Volume, MountKind::Bind, MountKind::Tmpfs].map(mount).into(),
        health: Some(health(Probe::Command(vec!["true".to_owned()]))),
        constraints: ["role==worker", "host!=worker-2", "label.disk==ssd"].map(|text| text.parse().unwrap()).into(),
        update: UpdatePolicy { parallelism: 2, delay_ms: 1000, order: UpdateOrder::StopFirst, deadline_ms: 60_000 },
        labels: [("team".to_owned(), "blue".to_owned())].into(),
    }
}

/// The same service with the other values of its enums.
pub fn variations() -> Vec<ServiceSpec> {
    let probes = [Probe::Http { port: 80, path: "/".to_owned() }, Probe::Tcp(80)];
    let modes = [ServiceMode::Global, ServiceMode::Job];
    let spec = service_spec();
    modes
        .into_iter()
        .zip(probes)
        .map(|(mode, probe)| ServiceSpec {
            mode,
            health: Some(health(probe)),
            update: UpdatePolicy { order: UpdateOrder::StartFirst, ..spec.update.clone() },
            ..spec.clone()
        })
        .collect()
}

fn health(probe: Probe) -> HealthCheck {
    HealthCheck { probe, interval_ms: 10_000, timeout_ms: 5_000, retries: 3, start_period_ms: 1 }
}

pub fn endpoint() -> Endpoint {
    Endpoint { address: "172.18.0.3".to_owned(), published: 8080, port: 80, protocol: Transport::Udp }
}
