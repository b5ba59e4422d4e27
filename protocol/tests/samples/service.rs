//! A service with every field filled. Never changed, only added to.

use muster_protocol::SecretBytes;
use muster_protocol::model::service::{
    ConfigFile, Endpoint, Exposure, FileMode, Health, HealthCheck, Mount, MountKind, Port, Probe, Resources,
    SecretFile, ServiceMode, ServiceSpec, Transport, UpdateOrder, UpdatePolicy,
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
            path: Some("/run/key".to_owned()),
            ..SecretFile::new(name("key"), Some(SecretBytes::new("s3cret")))
        }],
        files: vec![ConfigFile::new("/etc/a", "a=1\n")],
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
        allow_empty_volume: false,
        user: None,
        init: false,
        stop_signal: None,
        stop_grace_ms: ServiceSpec::STOP_GRACE_MS,
        health: Some(health(Probe::Command(vec!["true".to_owned()]))),
        constraints: ["role==worker", "host!=worker-2", "label.disk==ssd"].map(|text| text.parse().unwrap()).into(),
        update: UpdatePolicy { parallelism: 2, delay_ms: 1000, order: UpdateOrder::StopFirst, deadline_ms: 60_000 },
        labels: [("team".to_owned(), "blue".to_owned())].into(),
    }
}

/// The service with what came with protocol 3: fields for its processes and files, and no health check.
pub fn processes() -> ServiceSpec {
    let spec = service_spec();
    ServiceSpec {
        secrets: vec![SecretFile { mode: FileMode(0o400), uid: 1000, gid: 1001, ..spec.secrets[0].clone() }],
        files: vec![ConfigFile { mode: FileMode(0o640), uid: 1000, gid: 1001, ..spec.files[0].clone() }],
        allow_empty_volume: true,
        user: Some("1000:1001".to_owned()),
        init: true,
        stop_signal: Some("SIGUSR1".to_owned()),
        stop_grace_ms: 30_000,
        health: Some(Health::None),
        ..spec
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

fn health(probe: Probe) -> Health {
    Health::Check(HealthCheck { probe, interval_ms: 10_000, timeout_ms: 5_000, retries: 3, start_period_ms: 1 })
}

pub fn endpoint() -> Endpoint {
    Endpoint { address: "172.18.0.3".to_owned(), published: 8080, port: 80, protocol: Transport::Udp }
}
