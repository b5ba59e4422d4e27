use muster_protocol::ErrorCode;
use muster_protocol::model::service::{ConfigFile, FileMode, SecretFile, ServiceMode, UpdateOrder, UpdatePolicy};

use super::*;
use crate::fixtures::plain;

#[track_caller]
fn assert_refused(service: ServiceSpec, code: ErrorCode, field: &str) {
    let error = validate(&service).unwrap_err();
    assert_eq!((error.code, error.details["field"].as_str()), (code, field), "{error}");
    assert!(error.remedy.is_some() || code == ErrorCode::InvalidArgument, "{error}");
}

fn port(exposure: Exposure, published: Option<u16>) -> Port {
    Port { port: 80, protocol: Transport::Tcp, exposure, published }
}

#[test]
fn a_plain_service_is_accepted() {
    assert_eq!(validate(&plain()), Ok(()));
}

#[test]
fn a_number_for_every_machine_is_one_that_kubernetes_gives() {
    let with = |number| ServiceSpec { ports: vec![port(Exposure::Ingress, number)], ..plain() };
    for number in [None, Some(30_000), Some(32_767)] {
        assert_eq!(validate(&with(number)), Ok(()));
    }
    for number in [8080, 29_999, 32_768] {
        assert_refused(with(Some(number)), ErrorCode::Unsupported, "ports[0].published");
    }
}

#[test]
fn a_number_of_the_host_that_the_cluster_needs_is_refused() {
    let with = |number| ServiceSpec { ports: vec![port(Exposure::Host, Some(number))], ..plain() };
    assert_eq!(validate(&with(8080)), Ok(()));
    for number in [22, 6443, 2379, 2380, 10_250, 10_256, 31_000] {
        assert_refused(with(number), ErrorCode::InvalidArgument, "ports[0].published");
    }
}

#[test]
fn one_port_is_published_once_in_each_way() {
    let twice = vec![port(Exposure::Host, Some(8080)), port(Exposure::Host, Some(8081))];
    assert_refused(ServiceSpec { ports: twice, ..plain() }, ErrorCode::Unsupported, "ports[1]");
    let both = vec![port(Exposure::Host, Some(8080)), port(Exposure::Ingress, None), port(Exposure::Cluster, None)];
    assert_eq!(validate(&ServiceSpec { ports: both, ..plain() }), Ok(()));
}

#[test]
fn a_change_that_can_never_work_is_refused() {
    let update = UpdatePolicy { order: UpdateOrder::StartFirst, ..Default::default() };
    let global = ServiceSpec { mode: ServiceMode::Global, update, ..plain() };
    assert_eq!(validate(&global), Ok(()));
    let service = ServiceSpec { ports: vec![port(Exposure::Host, Some(8090))], ..global };
    assert_refused(service, ErrorCode::InvalidArgument, "update.order");
}

#[test]
fn a_constraint_on_a_label_that_cannot_be_is_refused() {
    let constraints = vec!["label.disk==ssd".parse().unwrap(), "label.disk==a b".parse().unwrap()];
    assert_refused(ServiceSpec { constraints, ..plain() }, ErrorCode::InvalidArgument, "constraints[1]");
}

#[test]
fn a_volume_has_a_plain_name() {
    for source in [None, Some("../x"), Some("a/b"), Some(".hidden")] {
        let source = source.map(str::to_owned);
        let mount = Mount { kind: MountKind::Volume, source, target: "/data".into(), read_only: false };
        let service = ServiceSpec { mounts: vec![mount], ..plain() };
        assert_refused(service, ErrorCode::InvalidArgument, "mounts[0].source");
    }
}

#[test]
fn a_variable_with_a_name_that_kubernetes_does_not_take_is_refused() {
    let env = [("ä".to_owned(), String::new())].into();
    assert_refused(ServiceSpec { env, ..plain() }, ErrorCode::InvalidArgument, "env");
}

#[test]
fn a_label_with_a_name_that_kubernetes_does_not_take_is_refused_and_any_value_is_kept() {
    let labels = [("team of".to_owned(), "red".to_owned())].into();
    assert_refused(ServiceSpec { labels, ..plain() }, ErrorCode::InvalidArgument, "labels");
    let labels = [("team".to_owned(), "red and blue".to_owned())].into();
    assert_eq!(validate(&ServiceSpec { labels, ..plain() }), Ok(()));
}

#[test]
fn users_are_numbers() {
    for user in ["0", "1000", "1000:1001", "2147483647"] {
        assert_eq!(validate(&ServiceSpec { user: Some(user.into()), ..plain() }), Ok(()), "{user}");
    }
    for user in ["postgres", "1000:staff", "2147483648"] {
        let service = ServiceSpec { user: Some(user.into()), ..plain() };
        assert_refused(service, ErrorCode::Unsupported, "user");
    }
}

#[test]
fn a_stop_signal_and_owners_of_files_are_refused_by_name() {
    let service = ServiceSpec { stop_signal: Some("SIGQUIT".into()), ..plain() };
    assert_refused(service, ErrorCode::Unsupported, "stopSignal");
    let secret = SecretFile { uid: 1000, ..SecretFile::new("key".parse().unwrap(), None) };
    assert_refused(ServiceSpec { secrets: vec![secret], ..plain() }, ErrorCode::Unsupported, "secrets[0].uid");
    let file = ConfigFile { gid: 1000, mode: FileMode(0o640), ..ConfigFile::new("/etc/x", "text") };
    assert_refused(ServiceSpec { files: vec![file.clone()], ..plain() }, ErrorCode::Unsupported, "files[0].gid");
    assert_eq!(validate(&ServiceSpec { files: vec![ConfigFile { gid: 0, ..file }], ..plain() }), Ok(()));
}
