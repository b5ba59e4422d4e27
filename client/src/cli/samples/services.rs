//! Services, their containers and output, and the catalog they come from.

use muster_protocol::model::catalog::{BrokenTemplate, CatalogListing, ParameterInfo, ParameterKind, TemplateInfo};
use muster_protocol::model::container::{ContainerInfo, ContainerPhase};
use muster_protocol::model::service::{
    Endpoint, Exposure, FileMode, Health, HealthCheck, LogLine, LogSource, Mount, MountKind, Port, Probe, SecretFile,
    ServiceInfo, ServiceMode, ServicePhase, ServiceSpec, Transport,
};
use muster_protocol::{ClusterId, ServiceId};

use super::{before, name};

pub fn service() -> ServiceInfo {
    let endpoint =
        |address: &str| Endpoint { address: address.to_owned(), published: 30080, port: 80, protocol: Transport::Tcp };
    ServiceInfo {
        id: ServiceId::from_u128(3),
        cluster_id: ClusterId::from_u128(1),
        cluster: name("demo"),
        spec: ServiceSpec {
            name: name("web"),
            image: "nginx:1.26".to_owned(),
            command: Vec::new(),
            args: vec!["-g".to_owned(), "daemon off;".to_owned()],
            env: [("A".to_owned(), "1".to_owned())].into(),
            secrets: vec![SecretFile {
                mode: FileMode(0o400),
                uid: 101,
                gid: 101,
                ..SecretFile::new(name("token"), None)
            }],
            files: Vec::new(),
            mode: ServiceMode::Replicated,
            replicas: 3,
            resources: Default::default(),
            ports: vec![Port {
                port: 80,
                protocol: Transport::Tcp,
                exposure: Exposure::Ingress,
                published: Some(30080),
            }],
            mounts: vec![Mount {
                kind: MountKind::Volume,
                source: Some("content".to_owned()),
                target: "/srv".to_owned(),
                read_only: true,
            }],
            allow_empty_volume: false,
            user: Some("101:101".to_owned()),
            init: false,
            stop_signal: Some("SIGQUIT".to_owned()),
            stop_grace_ms: 30_000,
            health: Some(Health::Check(HealthCheck {
                probe: Probe::Command(vec!["curl".to_owned(), "-f".to_owned(), "localhost".to_owned()]),
                interval_ms: 10_000,
                timeout_ms: 1_500,
                retries: 3,
                start_period_ms: 60_000,
            })),
            constraints: vec!["role==worker".parse().unwrap()],
            update: Default::default(),
            labels: Default::default(),
        },
        template: Some("nginx@1".to_owned()),
        generation: 1,
        phase: ServicePhase::Running,
        ready: 3,
        wanted: 3,
        digest: Some("sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef".to_owned()),
        image_health: None,
        endpoints: vec![endpoint("172.18.0.2"), endpoint("172.18.0.3")],
        created_at: before(600),
        updated_at: before(600),
        cause: None,
    }
}

pub fn container() -> ContainerInfo {
    ContainerInfo {
        id: "x7k2v9".to_owned(),
        name: "web.1".to_owned(),
        cluster_id: ClusterId::from_u128(1),
        cluster: name("demo"),
        service_id: ServiceId::from_u128(3),
        service: name("web"),
        machine: Some(name("worker-1")),
        phase: ContainerPhase::Running,
        healthy: Some(true),
        address: Some("10.0.1.4".to_owned()),
        image: "nginx:1.26".to_owned(),
        since: Some(before(599)),
        exit_code: None,
        message: None,
    }
}

pub fn template() -> TemplateInfo {
    let parameter = |name: &str, kind| ParameterInfo {
        name: name.to_owned(),
        kind,
        description: format!("the {name}"),
        default: None,
        minimum: None,
        maximum: None,
        one_of: Vec::new(),
        required: false,
    };
    let mut replicas = parameter("replicas", ParameterKind::Integer);
    replicas.default = Some("1".to_owned());
    (replicas.minimum, replicas.maximum) = (Some(1), Some(9));
    let mut memory = parameter("memory", ParameterKind::Bytes);
    memory.default = Some("256Mi".to_owned());
    memory.minimum = Some(64 << 20);
    let mut title = parameter("title", ParameterKind::String);
    title.required = true;
    TemplateInfo {
        name: name("wordpress"),
        version: "1".to_owned(),
        title: "a WordPress site".to_owned(),
        description: "WordPress\nwith its database".to_owned(),
        origin: "built-in".to_owned(),
        parameters: vec![replicas, memory, title, parameter("password", ParameterKind::Secret)],
        services: [(String::new(), "wordpress:6".to_owned()), ("db".to_owned(), "mariadb:11".to_owned())].into(),
    }
}

pub fn catalog() -> CatalogListing {
    let broken = BrokenTemplate { file: "mine.yaml".to_owned(), message: "line 3: there is no key `imag`".to_owned() };
    CatalogListing { templates: vec![template()], broken: vec![broken] }
}

pub fn log_line() -> LogLine {
    LogLine {
        container: "x7k2v9".to_owned(),
        name: "web.1".to_owned(),
        source: LogSource::Stdout,
        at: Some(before(60)),
        text: "GET / 200".to_owned(),
    }
}
