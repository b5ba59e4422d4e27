//! Whole services as golden files: `golden/NAME.yaml`. Run with UPDATE_GOLDEN=1 after a wanted change, and read the
//! difference.

use std::collections::BTreeMap;
use std::path::Path;

use k8s_openapi::ByteString;
use muster_engine::handler::ServiceOrder;
use muster_engine::login::RegistryLogin;
use muster_protocol::model::service::{
    ConfigFile, Exposure, FileMode, Health, HealthCheck, Mount, MountKind, Port, Probe, Resources, SecretFile,
    ServiceMode, ServiceSpec, Transport, UpdateOrder, UpdatePolicy,
};
use muster_protocol::quantity::{Bytes, CpuMillis};
use muster_protocol::{SecretBytes, SecretString, ServiceId};
use serde::Serialize;

use super::*;
use crate::fixtures::{cluster, plain};
use crate::marks::{self, TEMPLATE};

fn order(spec: ServiceSpec) -> ServiceOrder {
    ServiceOrder {
        id: ServiceId::from_u128(3),
        generation: 7,
        spec,
        secrets_version: 4,
        digest: None,
        refresh: false,
        login: None,
    }
}

fn translated(spec: ServiceSpec) -> Objects {
    objects(&cluster(), &order(spec), &Findings::default())
}

/// The objects as one YAML text, in the order in which they are submitted.
fn yaml(objects: &Objects) -> String {
    let mut documents = Vec::new();
    let mut add = |document: Option<String>| documents.extend(document);
    add(objects.files.as_ref().map(document));
    add(objects.secrets.as_ref().map(|secrets| document(&secrets.object)));
    add(Some(document(&objects.inside)));
    add(objects.outside.as_ref().map(document));
    add(Some(match &objects.workload {
        Workload::Deployment(one) => document(one),
        Workload::DaemonSet(one) => document(one),
        Workload::Job(one) => document(one),
    }));
    documents.join("---\n")
}

fn document(object: &impl Serialize) -> String {
    let value = serde_json::to_value(object).unwrap();
    let mut text = serde_saphyr::to_string(&value).unwrap();
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

#[track_caller]
fn assert_golden(name: &str, spec: ServiceSpec) {
    let seen = yaml(&translated(spec));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("src/services/translate/golden/{name}.yaml"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &seen).unwrap();
    }
    let wanted = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(wanted == seen, "{name} is not as in {}:\n{seen}", path.display());
}

fn port(number: u16, exposure: Exposure, published: Option<u16>) -> Port {
    Port { port: number, protocol: Transport::Tcp, exposure, published }
}

fn mount(kind: MountKind, source: Option<&str>, target: &str, read_only: bool) -> Mount {
    Mount { kind, source: source.map(str::to_owned), target: target.to_owned(), read_only }
}

fn full() -> ServiceSpec {
    ServiceSpec {
        command: vec!["run".into()],
        args: vec!["--home=$(HOME)".into()],
        env: [("A".to_owned(), "1=2".to_owned()), ("B".to_owned(), "$(A)$".to_owned())].into(),
        secrets: vec![
            SecretFile::new("password".parse().unwrap(), Some(SecretBytes::new("first"))),
            SecretFile {
                path: Some("/etc/web/key".into()),
                ..SecretFile::new("key".parse().unwrap(), Some(SecretBytes::new("second\n")))
            },
        ],
        files: vec![ConfigFile::new("/etc/web/conf", "colour = blue\n")],
        replicas: 3,
        resources: Resources {
            cpu_limit: Some(CpuMillis(1500)),
            memory_limit: Some(Bytes(64 << 20)),
            cpu_reservation: Some(CpuMillis(250)),
            memory_reservation: None,
        },
        ports: vec![
            port(80, Exposure::Cluster, None),
            port(80, Exposure::Host, Some(8080)),
            port(443, Exposure::Ingress, Some(30_443)),
            Port { protocol: Transport::Udp, ..port(53, Exposure::Ingress, None) },
        ],
        mounts: vec![
            mount(MountKind::Volume, Some("data"), "/data", false),
            mount(MountKind::Bind, Some("/srv"), "/srv", true),
            mount(MountKind::Tmpfs, None, "/scratch", false),
        ],
        health: Some(Health::Check(HealthCheck {
            probe: Probe::Http { port: 80, path: "/well".into() },
            interval_ms: 2_000,
            timeout_ms: 1_000,
            retries: 3,
            start_period_ms: 10_000,
        })),
        constraints: ["role==worker", "host!=worker-2", "label.disk==ssd"].map(|text| text.parse().unwrap()).to_vec(),
        update: UpdatePolicy { parallelism: 2, delay_ms: 1_500, order: UpdateOrder::StartFirst, deadline_ms: 60_000 },
        labels: [("team".to_owned(), "red".to_owned()), ("note".to_owned(), "red and blue".to_owned())].into(),
        ..plain()
    }
}

#[test]
fn a_plain_service_is_a_deployment_and_a_name() {
    assert_golden("plain", plain());
}

#[test]
fn every_field_has_its_place() {
    assert_golden("full", full());
}

#[test]
fn how_processes_run_and_end_has_its_place() {
    let spec = full();
    let secrets = spec.secrets.into_iter().map(|secret| SecretFile { mode: FileMode(0o400), ..secret });
    let files = spec.files.into_iter().map(|file| ConfigFile { mode: FileMode(0o755), ..file });
    let spec = ServiceSpec {
        secrets: secrets.collect(),
        files: files.collect(),
        user: Some("1000:1001".into()),
        init: true,
        stop_grace_ms: 29_001,
        health: Some(Health::None),
        ..plain()
    };
    assert_golden("processes", spec);
}

#[test]
fn a_global_service_is_a_daemon_set() {
    let ports = vec![port(9100, Exposure::Host, Some(9100))];
    assert_golden("global", ServiceSpec { mode: ServiceMode::Global, ports, ..plain() });
}

#[test]
fn a_job_is_an_indexed_job_of_its_generation() {
    assert_golden("job", ServiceSpec { mode: ServiceMode::Job, replicas: 2, ..plain() });
}

#[test]
fn what_was_found_out_is_in_the_pods() {
    let spec = ServiceSpec { mounts: vec![mount(MountKind::Volume, Some("data"), "/data", false)], ..plain() };
    let findings = Findings {
        digest: Some(format!("sha256:{}", "0".repeat(64))),
        held: ["data".to_owned()].into(),
        placed: Some(["data".to_owned()].into()),
        ..Findings::default()
    };
    let Workload::Deployment(one) = objects(&cluster(), &order(spec), &findings).workload else { panic!() };
    assert_eq!(marks::annotation(&one.metadata, "io.muster.placed-volumes").unwrap(), "data");
    let template = one.spec.unwrap().template;
    assert_eq!(template.metadata.unwrap().annotations.unwrap()["io.muster.image"], "nginx:1");
    let pod = serde_json::to_value(template.spec.unwrap()).unwrap();
    assert_eq!(pod["containers"][0]["image"], format!("nginx:1@sha256:{}", "0".repeat(64)));
    let required = &pod["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"];
    let expression = &required["nodeSelectorTerms"][0]["matchExpressions"][0];
    assert_eq!(expression, &serde_json::json!({ "key": "io.muster.volume/data", "operator": "Exists" }));
}

fn template(spec: ServiceSpec) -> String {
    let metadata = match translated(spec).workload {
        Workload::Deployment(one) => one.spec.unwrap().template.metadata,
        Workload::DaemonSet(one) => one.spec.unwrap().template.metadata,
        Workload::Job(one) => one.spec.unwrap().template.metadata,
    };
    metadata.unwrap().labels.unwrap()[TEMPLATE].clone()
}

#[test]
fn whatever_replaces_the_copies_gives_their_template_another_name() {
    let health = full().health;
    let changes = [
        plain(),
        ServiceSpec { image: "nginx:2".into(), ..plain() },
        ServiceSpec { env: [("A".to_owned(), "1".to_owned())].into(), ..plain() },
        ServiceSpec { mounts: vec![mount(MountKind::Tmpfs, None, "/x", false)], ..plain() },
        ServiceSpec { health, ..plain() },
        ServiceSpec { ports: vec![port(80, Exposure::Host, Some(8080))], ..plain() },
        ServiceSpec { ports: vec![port(80, Exposure::Host, Some(8081))], ..plain() },
        ServiceSpec { constraints: vec!["role==worker".parse().unwrap()], ..plain() },
        ServiceSpec { files: full().files, ..plain() },
        ServiceSpec { secrets: full().secrets, ..plain() },
        ServiceSpec { user: Some("1".into()), ..plain() },
        ServiceSpec { init: true, ..plain() },
        ServiceSpec { stop_grace_ms: 20_000, ..plain() },
    ];
    let names: std::collections::BTreeSet<String> = changes.iter().cloned().map(template).collect();
    assert_eq!(names.len(), changes.len());
}

#[test]
fn what_leaves_the_copies_alone_keeps_their_template() {
    let same = [
        ServiceSpec { replicas: 5, ..plain() },
        ServiceSpec { labels: full().labels, ..plain() },
        ServiceSpec { update: full().update, ..plain() },
    ];
    for spec in same {
        assert_eq!(template(spec), template(plain()));
    }
    let later = ServiceOrder { generation: 8, secrets_version: 5, ..order(plain()) };
    let Workload::Deployment(later) = objects(&cluster(), &later, &Findings::default()).workload else { panic!() };
    let labels = later.spec.unwrap().template.metadata.unwrap().labels.unwrap();
    assert_eq!(labels[TEMPLATE], template(plain()), "a new generation alone changes no copy");
}

#[test]
fn a_new_version_of_the_secrets_and_other_content_of_a_file_replace_the_copies() {
    let secrets = |version| {
        let order = ServiceOrder { secrets_version: version, ..order(full()) };
        objects(&cluster(), &order, &Findings::default()).secrets.unwrap().object.metadata.name.unwrap()
    };
    assert_ne!(secrets(4), secrets(5));
    let file = |content: &str| {
        let files = vec![ConfigFile::new("/etc/x", content)];
        translated(ServiceSpec { files, ..plain() }).files.unwrap().metadata.name.unwrap()
    };
    assert_ne!(file("a"), file("b"));
    assert_eq!(file("a"), file("a"));
}

#[test]
fn a_file_that_is_no_text_is_kept_apart_and_still_stands_at_its_place() {
    let bytes = [0, 255, b'\n'];
    let files = vec![ConfigFile::new("/etc/text", "a"), ConfigFile::new("/etc/bytes", bytes)];
    let map = translated(ServiceSpec { files, ..plain() }).files.unwrap();
    assert_eq!(map.data.unwrap(), BTreeMap::from([("file-0".to_owned(), "a".to_owned())]));
    assert_eq!(map.binary_data.unwrap(), BTreeMap::from([("file-1".to_owned(), ByteString(bytes.to_vec()))]));
}

#[test]
fn a_secret_whose_value_is_left_out_is_named() {
    let secrets = vec![SecretFile::new("password".parse().unwrap(), None)];
    let plan = translated(ServiceSpec { secrets, ..plain() }).secrets.unwrap();
    assert_eq!(plan.missing, ["password".parse().unwrap()]);
    assert!(!format!("{plan:?}").contains("data"), "the plan shows no values");
}

#[test]
fn everything_carries_our_marks() {
    let objects = translated(full());
    let name = &plain().name;
    let Workload::Deployment(deployment) = &objects.workload else { panic!() };
    let all = [
        &deployment.metadata,
        &objects.inside.metadata,
        &objects.outside.as_ref().unwrap().metadata,
        &objects.files.as_ref().unwrap().metadata,
        &objects.secrets.as_ref().unwrap().object.metadata,
    ];
    for metadata in all {
        assert!(marks::are_of(&cluster(), name, metadata), "{metadata:?}");
    }
    assert_eq!(marks::generation(&deployment.metadata), 7);
}

#[test]
fn names_fit_into_kubernetes_limits() {
    let name = "x".repeat(40).parse().unwrap();
    let objects = translated(ServiceSpec { name, ports: vec![port(80, Exposure::Ingress, None)], ..full() });
    assert!(objects.outside.unwrap().metadata.name.unwrap().len() <= 63);
    assert!(objects.secrets.unwrap().object.metadata.name.unwrap().len() <= 253);
}

#[test]
fn the_login_of_an_image_is_a_secret_of_the_service_that_its_pods_name() {
    let made = |password: &str| {
        let login = RegistryLogin {
            registry: "docker.io".to_owned(),
            user: "ci".to_owned(),
            password: SecretString::new(password),
        };
        objects(&cluster(), &ServiceOrder { login: Some(login), ..order(plain()) }, &Findings::default())
    };
    let first = made("guess me");
    let secret = &first.login.as_ref().unwrap().object;
    assert_eq!(secret.type_.as_deref(), Some("kubernetes.io/dockerconfigjson"));
    let file: serde_json::Value =
        serde_json::from_slice(&secret.data.as_ref().unwrap()[".dockerconfigjson"].0).unwrap();
    let expected = serde_json::json!({ "https://index.docker.io/v1/": { "username": "ci", "password": "guess me" } });
    assert_eq!(file["auths"], expected);
    let pod = |objects: &Objects| match &objects.workload {
        Workload::Deployment(one) => one.spec.as_ref().unwrap().template.clone(),
        other @ (Workload::DaemonSet(_) | Workload::Job(_)) => panic!("{other:?}"),
    };
    let named = pod(&first).spec.unwrap().image_pull_secrets.unwrap();
    assert_eq!(Some(&named[0].name), secret.metadata.name.as_ref());
    assert_eq!(pod(&made("another")), pod(&first), "another password replaces no copy");
    assert!(!format!("{first:?}").contains("103, 117, 101, 115, 115"), "no debug text has the password's bytes");
    let without = objects(&cluster(), &order(plain()), &Findings::default());
    assert!(without.login.is_none() && pod(&without).spec.unwrap().image_pull_secrets.is_none());
}
