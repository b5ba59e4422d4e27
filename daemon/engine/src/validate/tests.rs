//! What is refused, and by which field.

use muster_protocol::model::cluster::{Infrastructure, Orchestrator, Pool};
use muster_protocol::model::service::{ConfigFile, Mount, SecretFile};

use super::*;

fn plain() -> ServiceSpec {
    serde_json::from_str(r#"{"name": "web", "image": "nginx:1"}"#).unwrap()
}

fn refused(spec: &ServiceSpec) -> String {
    let error = service(spec).unwrap_err();
    assert!(error.remedy.is_some(), "{error}");
    error.details["field"].clone()
}

#[test]
fn a_service_larger_than_its_record_is_refused_whatever_makes_it_large() {
    service(&plain()).unwrap();
    let long = "x".repeat(MAX_SERVICE_BYTES);
    let files = vec![ConfigFile::new("/a", long.as_str())];
    assert_eq!(refused(&ServiceSpec { files, ..plain() }), "spec");
    let env = [("A".to_owned(), long.clone())].into();
    assert_eq!(refused(&ServiceSpec { env, ..plain() }), "spec");
    let mounts = vec![Mount {
        kind: MountKind::Bind,
        source: Some(format!("/{long}")),
        target: "/b".to_owned(),
        read_only: false,
    }];
    assert_eq!(refused(&ServiceSpec { mounts, ..plain() }), "spec");
}

fn with(fields: serde_json::Value) -> ServiceSpec {
    let mut all = serde_json::json!({ "name": "web", "image": "nginx:1" });
    all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    serde_json::from_value(all).unwrap()
}

#[test]
fn a_limit_that_nothing_fits_into_is_refused_with_what_was_meant() {
    let error = service(&with(serde_json::json!({ "resources": { "memoryLimit": 512 } }))).unwrap_err();
    assert_eq!(error.details["field"], "resources.memoryLimit");
    assert_eq!(error.remedy.as_deref(), Some("did you mean `512Mi`?"));
}

#[test]
fn more_cannot_be_kept_than_may_be_used() {
    let of = |limit: &str, kept: &str, name: &str| {
        with(serde_json::json!({ "resources": { format!("{name}Limit"): limit, format!("{name}Reservation"): kept } }))
    };
    service(&of("64Mi", "64Mi", "memory")).unwrap();
    assert_eq!(refused(&of("64Mi", "65Mi", "memory")), "resources.memoryReservation");
    assert_eq!(refused(&of("100m", "101m", "cpu")), "resources.cpuReservation");
}

#[test]
fn an_image_has_a_digest_and_no_password() {
    let digest = format!("registry.example:5000/app@sha256:{}", "0a".repeat(32));
    for image in ["app", "registry.example:5000/team/app:1", digest.as_str()] {
        service(&with(serde_json::json!({ "image": image }))).unwrap();
    }
    let error = service(&with(serde_json::json!({ "image": "me:hunter2@registry.example/app:1" }))).unwrap_err();
    assert_eq!(error.details["field"], "image");
    assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
}

#[test]
fn the_port_through_which_machines_are_reached_is_nobody_elses() {
    for exposure in ["host", "ingress"] {
        let port = |protocol: &str| {
            with(serde_json::json!({
                "ports": [{ "port": 22, "protocol": protocol, "exposure": exposure, "published": 22 }],
            }))
        };
        assert_eq!(refused(&port("tcp")), "ports.published");
        service(&port("udp")).unwrap();
    }
}

#[test]
fn no_time_is_endless() {
    let with = |update: &str| -> ServiceSpec {
        serde_json::from_str(&format!(r#"{{"name": "web", "image": "nginx:1", "update": {update}}}"#)).unwrap()
    };
    service(&with(r#"{"deadlineMs": 86400000}"#)).unwrap();
    let endless = with(&format!(r#"{{"deadlineMs": {}}}"#, u64::MAX));
    assert_eq!(service(&endless).unwrap_err().details["field"], "update.deadlineMs");
    let slow = with(r#"{"delayMs": 86400001}"#);
    assert_eq!(service(&slow).unwrap_err().details["field"], "update.delayMs");
}

#[test]
fn secrets_count_for_themselves_and_together() {
    let secret = |name: &str, bytes| SecretFile::new(name.parse().unwrap(), Some(SecretBytes::new("x".repeat(bytes))));
    let with = |secrets| ServiceSpec { secrets, ..plain() };
    service(&with(vec![secret("a", MAX_SECRET_BYTES - 1)])).unwrap();
    assert_eq!(
        refused(&with(vec![secret("a", MAX_SECRET_BYTES / 2), secret("b", MAX_SECRET_BYTES / 2)])),
        "secrets.value"
    );
}

#[test]
fn clusters_and_accounts_have_their_limits() {
    let text = "x".repeat(MAX_SPEC_BYTES);
    let spec = r#"{"name": "demo", "orchestrator": "swarm", "infrastructure": "local", "controlPlanes": 1}"#;
    let mut large: ClusterSpec = serde_json::from_str(spec).unwrap();
    cluster(&large).unwrap();
    large.labels.insert("team".to_owned(), text.clone());
    assert_eq!(cluster(&large).unwrap_err().details["field"], "spec");

    let mut large = AccountSpec {
        name: "main".parse().unwrap(),
        infrastructure: Infrastructure::Local,
        endpoint: Some(text),
        credentials: BTreeMap::new(),
        defaults: BTreeMap::new(),
    };
    assert_eq!(account(&large).unwrap_err().details["field"], "spec");
    large.endpoint = None;
    account(&large).unwrap();
    large.credentials.insert("key".to_owned(), muster_protocol::SecretString::new("x".repeat(MAX_SECRET_BYTES)));
    assert_eq!(account(&large).unwrap_err().details["field"], "credentials");
}

#[test]
fn pools_have_names_of_their_own_that_tell_the_role_and_count_with_the_others() {
    let with = |pools: &[(&str, Role, u32)]| {
        let pools = pools.iter().map(|(name, role, count)| Pool::new(name.parse().unwrap(), *role, *count));
        let blank = ClusterSpec::new("demo".parse().unwrap(), Orchestrator::Sim, Infrastructure::Sim);
        cluster(&ClusterSpec { pools: pools.collect(), ..blank })
    };
    with(&[("gpu", Role::Worker, 2), ("control-plane-b", Role::ControlPlane, 2)]).unwrap();
    let long = "x".repeat(MAX_POOL_NAME + 1);
    for (pools, field) in [
        (vec![("gpu", Role::Worker, 1), ("gpu", Role::Worker, 1)], "pools.gpu".to_owned()),
        (vec![("worker", Role::Worker, 1)], "pools.worker".to_owned()),
        (vec![("gpu", Role::ControlPlane, 2)], "pools.gpu".to_owned()),
        (vec![("control-plane-b", Role::Worker, 2)], "pools.control-plane-b".to_owned()),
        (vec![("gpu", Role::Unknown(9), 2)], "pools.gpu".to_owned()),
        (vec![(long.as_str(), Role::Worker, 1)], format!("pools.{long}")),
        (vec![("control-plane-b", Role::ControlPlane, 1)], "controlPlanes".to_owned()),
        (vec![("gpu", Role::Worker, u32::MAX), ("cpu", Role::Worker, 1)], "workers".to_owned()),
    ] {
        assert_eq!(with(&pools).unwrap_err().details["field"], field, "{pools:?}");
    }
}
