//! Every field of a service, and what becomes of it. That engines take it is shown by the tests with real ones.

use std::collections::BTreeMap;

use muster_protocol::ServiceId;
use muster_protocol::model::service::{
    ConfigFile, FileMode, Health, HealthCheck, Mount, MountKind, Port, Probe, SecretFile, UpdatePolicy,
};

use super::*;
use crate::fixtures::{cluster, plain};

fn translated(spec: ServiceSpec) -> SwarmService {
    translated_with(spec, &References { network: "net1".to_owned(), ..Default::default() })
}

fn translated_with(spec: ServiceSpec, references: &References) -> SwarmService {
    let order = ServiceOrder {
        id: ServiceId::from_u128(3),
        generation: 7,
        spec,
        secrets_version: 4,
        digest: None,
        refresh: false,
        login: None,
    };
    service(&cluster(), &order, references)
}

fn task(service: &SwarmService) -> &TaskSpec {
    service.task_template.as_ref().unwrap()
}

fn container(service: &SwarmService) -> &bollard::models::TaskSpecContainerSpec {
    task(service).container_spec.as_ref().unwrap()
}

fn texts(items: &[&str]) -> Option<Vec<String>> {
    Some(items.iter().map(|&item| item.to_owned()).collect())
}

#[test]
fn name_and_image_are_kept_and_empty_lists_are_left_out() {
    let service = translated(plain());
    assert_eq!(service.name.as_deref(), Some("web"));
    assert_eq!(container(&service).image.as_deref(), Some("nginx:1"));
    assert_eq!(
        (&container(&service).command, &container(&service).args, &container(&service).env),
        (&None, &None, &None)
    );
    assert_eq!((&container(&service).mounts, &container(&service).secrets), (&None, &None));
    assert_eq!(task(&service).resources, None);
    // Without one, a manager dies of a running copy that has one.
    assert_eq!(task(&service).placement, Some(TaskSpecPlacement::default()));
}

#[test]
fn command_arguments_and_environment_are_passed_on() {
    let service = translated(ServiceSpec {
        command: vec!["run".into()],
        args: vec!["-v".into(), "x y".into()],
        env: BTreeMap::from([("A".into(), "1=2".into()), ("B".into(), String::new())]),
        ..plain()
    });
    assert_eq!(container(&service).command, texts(&["run"]));
    assert_eq!(container(&service).args, texts(&["-v", "x y"]));
    assert_eq!(container(&service).env, texts(&["A=1=2", "B="]));
}

#[test]
fn the_engines_template_syntax_is_passed_on_as_text() {
    let mount = Mount {
        kind: MountKind::Bind,
        source: Some("/srv/{{.Node.Hostname}}".into()),
        target: "/data".into(),
        read_only: false,
    };
    let service = translated(ServiceSpec {
        env: BTreeMap::from([("A".into(), "{{.Names}} {{{ }} {".into())]),
        args: vec!["{{.Task.ID}}".into()],
        mounts: vec![mount],
        ..plain()
    });
    assert_eq!(container(&service).env, texts(&[r#"A={{"{{"}}.Names}} {{"{{"}}{ }} {"#]));
    let source = container(&service).mounts.as_ref().unwrap()[0].source.as_deref();
    assert_eq!(source, Some(r#"/srv/{{"{{"}}.Node.Hostname}}"#));
    assert_eq!(container(&service).args, texts(&["{{.Task.ID}}"]), "arguments are not expanded by the engine");
}

#[test]
fn secrets_become_files_at_their_paths() {
    let secret = |name: &str, path: Option<&str>| SecretFile {
        path: path.map(str::to_owned),
        ..SecretFile::new(name.parse().unwrap(), None)
    };
    let reference = |id: &str| Reference { id: id.to_owned(), name: format!("{id}-name") };
    let references = References {
        secrets: BTreeMap::from([("a".parse().unwrap(), reference("s1")), ("b".parse().unwrap(), reference("s2"))]),
        ..Default::default()
    };
    let spec = ServiceSpec { secrets: vec![secret("a", None), secret("b", Some("/etc/b"))], ..plain() };
    let service = translated_with(spec, &references);
    let secrets = container(&service).secrets.as_ref().unwrap();
    let seen: Vec<_> = secrets
        .iter()
        .map(|one| {
            let file = one.file.as_ref().unwrap();
            (one.secret_id.as_deref().unwrap(), one.secret_name.as_deref().unwrap(), file.name.as_deref().unwrap())
        })
        .collect();
    assert_eq!(seen, [("s1", "s1-name", "/run/secrets/a"), ("s2", "s2-name", "/etc/b")]);
    assert!(secrets.iter().all(|one| one.file.as_ref().unwrap().mode == Some(0o444)));
}

#[test]
fn configuration_files_stand_at_their_paths() {
    let reference = Reference { id: "c1".into(), name: "c1-name".into() };
    let references = References { files: BTreeMap::from([("/etc/x".into(), reference)]), ..Default::default() };
    let file = ConfigFile::new("/etc/x", "text");
    let service = translated_with(ServiceSpec { files: vec![file], ..plain() }, &references);
    let configs = container(&service).configs.as_ref().unwrap();
    assert_eq!(configs[0].config_id.as_deref(), Some("c1"));
    assert_eq!(configs[0].file.as_ref().unwrap().name.as_deref(), Some("/etc/x"));
}

#[test]
fn secrets_and_files_have_the_rights_that_were_asked_for() {
    let reference = || Reference { id: "x1".into(), name: "x1-name".into() };
    let references = References {
        secrets: BTreeMap::from([("key".parse().unwrap(), reference())]),
        files: BTreeMap::from([("/etc/x".into(), reference())]),
        ..Default::default()
    };
    let secret =
        SecretFile { mode: FileMode(0o400), uid: 999, gid: 998, ..SecretFile::new("key".parse().unwrap(), None) };
    let file = ConfigFile { mode: FileMode(0o640), gid: 998, ..ConfigFile::new("/etc/x", "text") };
    let service = translated_with(ServiceSpec { secrets: vec![secret], files: vec![file], ..plain() }, &references);
    let secret = container(&service).secrets.as_ref().unwrap()[0].file.clone().unwrap();
    assert_eq!((secret.mode, secret.uid.as_deref(), secret.gid.as_deref()), (Some(0o400), Some("999"), Some("998")));
    let file = container(&service).configs.as_ref().unwrap()[0].file.clone().unwrap();
    assert_eq!((file.mode, file.uid.as_deref(), file.gid.as_deref()), (Some(0o640), Some("0"), Some("998")));
}

#[test]
fn processes_run_and_end_as_asked() {
    let asked = translated(ServiceSpec {
        user: Some("999:998".into()),
        init: true,
        stop_signal: Some("SIGUSR1".into()),
        stop_grace_ms: 29_001,
        ..plain()
    });
    let asked = container(&asked);
    assert_eq!((asked.user.as_deref(), asked.init), (Some("999:998"), Some(true)));
    assert_eq!(asked.stop_signal.as_deref(), Some("SIGUSR1"));
    assert_eq!(asked.stop_grace_period, Some(30_000_000_000), "the engine drops what is left of a second");
    let left_out = translated(plain());
    let left_out = container(&left_out);
    assert_eq!((&left_out.user, left_out.init, &left_out.stop_signal), (&None, None, &None));
    assert_eq!(left_out.stop_grace_period, None, "10 s are the engine's default too");
}

#[test]
fn no_health_check_is_said_to_the_engine_and_a_check_that_is_left_out_is_the_images() {
    let none = translated(ServiceSpec { health: Some(Health::None), ..plain() });
    assert_eq!(container(&none).health_check.as_ref().unwrap().test, texts(&["NONE"]));
    assert!(!container(&none).labels.as_ref().unwrap().contains_key(marks::HEALTH_CHECK));
    assert_eq!(container(&translated(plain())).health_check, None);
}

#[test]
fn modes_count_copies_nodes_or_completions() {
    let replicated = translated(ServiceSpec { replicas: 3, ..plain() });
    assert_eq!(replicated.mode.unwrap().replicated.unwrap().replicas, Some(3));
    assert!(translated(ServiceSpec { mode: ServiceMode::Global, ..plain() }).mode.unwrap().global.is_some());
    let job = translated(ServiceSpec { mode: ServiceMode::Job, replicas: 2, ..plain() });
    let restarts = task(&job).restart_policy.as_ref().unwrap();
    assert_eq!(restarts.condition, Some(TaskSpecRestartPolicyConditionEnum::ON_FAILURE));
    assert_eq!(job.update_config, None, "swarm refuses an update policy for jobs");
    let mode = job.mode.unwrap().replicated_job.unwrap();
    assert_eq!((mode.max_concurrent, mode.total_completions), (Some(2), Some(2)));
}

#[test]
fn resources_keep_their_units() {
    let resources = Resources {
        cpu_limit: Some(CpuMillis(1500)),
        memory_limit: Some(Bytes(64 << 20)),
        cpu_reservation: Some(CpuMillis(250)),
        memory_reservation: Some(Bytes(32 << 20)),
    };
    let service = translated(ServiceSpec { resources, ..plain() });
    let resources = task(&service).resources.as_ref().unwrap();
    let limits = resources.limits.as_ref().unwrap();
    assert_eq!((limits.nano_cpus, limits.memory_bytes), (Some(1_500_000_000), Some(64 << 20)));
    let reservations = resources.reservations.as_ref().unwrap();
    assert_eq!((reservations.nano_cpus, reservations.memory_bytes), (Some(250_000_000), Some(32 << 20)));
}

fn port(exposure: Exposure, published: Option<u16>) -> Port {
    Port { port: 80, protocol: Transport::Udp, exposure, published }
}

#[test]
fn a_port_of_the_cluster_is_not_published() {
    let service = translated(ServiceSpec { ports: vec![port(Exposure::Cluster, None)], ..plain() });
    let endpoint = service.endpoint_spec.unwrap();
    assert_eq!((endpoint.mode, endpoint.ports), (Some(EndpointSpecModeEnum::DNSRR), None));
}

#[test]
fn a_port_of_the_host_is_published_where_the_copy_runs() {
    let ports = vec![port(Exposure::Host, Some(8080)), port(Exposure::Host, None)];
    let endpoint = translated(ServiceSpec { ports, ..plain() }).endpoint_spec.unwrap();
    assert_eq!(endpoint.mode, Some(EndpointSpecModeEnum::DNSRR), "needs no virtual address");
    let ports = endpoint.ports.unwrap();
    assert_eq!(ports[0].publish_mode, Some(EndpointPortConfigPublishModeEnum::HOST));
    assert_eq!((ports[0].target_port, ports[0].published_port), (Some(80), Some(8080)));
    assert_eq!(ports[0].protocol, Some(EndpointPortConfigProtocolEnum::UDP));
    assert_eq!(ports[1].published_port, None, "the engine chooses");
}

#[test]
fn a_port_of_the_ingress_mesh_has_a_virtual_address() {
    let endpoint =
        translated(ServiceSpec { ports: vec![port(Exposure::Ingress, None)], ..plain() }).endpoint_spec.unwrap();
    assert_eq!(endpoint.mode, Some(EndpointSpecModeEnum::VIP));
    assert_eq!(endpoint.ports.unwrap()[0].publish_mode, Some(EndpointPortConfigPublishModeEnum::INGRESS));
}

#[test]
fn mounts_keep_kind_source_target_and_mode() {
    let mount = |kind, source: Option<&str>, read_only| Mount {
        kind,
        source: source.map(str::to_owned),
        target: "/data".into(),
        read_only,
    };
    let mounts = vec![
        mount(MountKind::Volume, Some("v"), false),
        mount(MountKind::Bind, Some("/srv"), true),
        mount(MountKind::Tmpfs, None, false),
    ];
    let service = translated(ServiceSpec { mounts, ..plain() });
    let seen: Vec<_> = container(&service)
        .mounts
        .as_ref()
        .unwrap()
        .iter()
        .map(|one| (one.typ.unwrap().to_string(), one.source.as_deref(), one.target.as_deref(), one.read_only))
        .collect();
    assert_eq!(seen[0], ("volume".to_owned(), Some("v"), Some("/data"), Some(false)));
    assert_eq!(seen[1], ("bind".to_owned(), Some("/srv"), Some("/data"), Some(true)));
    assert_eq!(seen[2], ("tmpfs".to_owned(), None, Some("/data"), Some(false)));
}

#[test]
fn a_health_command_keeps_its_times() {
    let health = HealthCheck {
        probe: Probe::Command(vec!["true".into()]),
        interval_ms: 1_000,
        timeout_ms: 500,
        retries: 4,
        start_period_ms: 2_000,
    };
    let service = translated(ServiceSpec { health: Some(health.into()), ..plain() });
    let check = container(&service).health_check.as_ref().unwrap();
    assert_eq!(check.test, texts(&["CMD", "true"]));
    assert_eq!((check.interval, check.timeout), (Some(1_000_000_000), Some(500_000_000)));
    assert_eq!((check.retries, check.start_period), (Some(4), Some(2_000_000_000)));
}

#[test]
fn constraints_are_written_as_swarm_reads_them() {
    let constraints =
        ["role==control-plane", "role!=worker", "host==worker-1", "label.disk!=ssd"].map(|text| text.parse().unwrap());
    let service = translated(ServiceSpec { constraints: constraints.to_vec(), ..plain() });
    let expected =
        ["node.role==manager", "node.role!=worker", "node.labels.io.muster.machine==worker-1", "node.labels.disk!=ssd"];
    assert_eq!(task(&service).placement.as_ref().unwrap().constraints, texts(&expected));
}

#[test]
fn an_update_policy_is_rolled_out_as_asked_and_stops_at_a_failure() {
    let update = UpdatePolicy { parallelism: 0, delay_ms: 250, order: UpdateOrder::StartFirst, deadline_ms: 1 };
    let update = translated(ServiceSpec { update, ..plain() }).update_config.unwrap();
    assert_eq!((update.parallelism, update.delay), (Some(0), Some(250_000_000)));
    assert_eq!(update.order, Some(ServiceSpecUpdateConfigOrderEnum::START_FIRST));
    assert_eq!(update.failure_action, Some(ServiceSpecUpdateConfigFailureActionEnum::PAUSE));
}

#[test]
fn the_service_carries_the_users_labels_and_our_marks() {
    let service = translated(ServiceSpec { labels: BTreeMap::from([("team".into(), "red".into())]), ..plain() });
    let labels = service.labels.as_ref().unwrap();
    assert_eq!(labels["team"], "red");
    assert_eq!(labels[mark::GENERATION], "7");
    assert_eq!(labels[SECRETS_VERSION], "4");
    assert_eq!(labels[mark::KEY], "service/web");
    assert!(marks::are_ours(&cluster(), Some(labels)));
}

#[test]
fn a_new_generation_alone_leaves_running_copies_alone() {
    let of = |generation, replicas| {
        let spec = ServiceSpec { replicas, ..plain() };
        let order = ServiceOrder {
            id: ServiceId::from_u128(3),
            generation,
            spec,
            secrets_version: generation,
            digest: None,
            refresh: false,
            login: None,
        };
        service(&cluster(), &order, &References::default()).task_template
    };
    assert_eq!(of(1, 1), of(2, 5));
}

#[test]
fn whatever_replaces_the_tasks_gives_their_template_another_name() {
    let name = |spec| container(&translated(spec)).labels.as_ref().unwrap()[marks::TEMPLATE].clone();
    let mount = Mount { kind: MountKind::Volume, source: Some("v".into()), target: "/v".into(), read_only: false };
    let health = HealthCheck {
        probe: Probe::Command(vec!["true".into()]),
        interval_ms: 1,
        timeout_ms: 1,
        retries: 1,
        start_period_ms: 0,
    };
    let changes = [
        plain(),
        ServiceSpec { image: "nginx:2".into(), ..plain() },
        ServiceSpec { env: BTreeMap::from([("A".into(), "1".into())]), ..plain() },
        ServiceSpec { mounts: vec![mount.clone()], ..plain() },
        ServiceSpec { health: Some(health.into()), ..plain() },
        ServiceSpec { ports: vec![port(Exposure::Host, Some(8080))], ..plain() },
        ServiceSpec { ports: vec![port(Exposure::Host, Some(8081))], ..plain() },
        ServiceSpec { constraints: vec!["role==worker".parse().unwrap()], ..plain() },
        ServiceSpec { health: Some(Health::None), ..plain() },
        ServiceSpec { user: Some("1".into()), ..plain() },
        ServiceSpec { init: true, ..plain() },
        ServiceSpec { stop_signal: Some("SIGINT".into()), ..plain() },
        ServiceSpec { stop_grace_ms: 20_000, ..plain() },
    ];
    let names: std::collections::BTreeSet<String> = changes.iter().cloned().map(name).collect();
    assert_eq!(names.len(), changes.len());
    let with_volume = ServiceSpec { mounts: vec![mount], ..plain() };
    assert!((0..20).all(|_| name(with_volume.clone()) == name(with_volume.clone())), "the same at any time");
}

#[test]
fn every_service_is_on_the_clusters_network_under_its_name() {
    let service = translated(plain());
    let networks = task(&service).networks.as_ref().unwrap();
    assert_eq!(networks[0].target.as_deref(), Some("net1"));
    assert_eq!(networks[0].aliases, texts(&["web"]));
}
