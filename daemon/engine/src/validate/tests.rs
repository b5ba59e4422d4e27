//! What is refused, and by which field.

use muster_protocol::model::cluster::Infrastructure;
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
    let files = vec![ConfigFile { path: "/a".to_owned(), content: long.clone() }];
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
    let secret = |name: &str, bytes| SecretFile {
        name: name.parse().unwrap(),
        value: Some(SecretString::new("x".repeat(bytes))),
        path: None,
    };
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
    large.credentials.insert("key".to_owned(), SecretString::new("x".repeat(MAX_SECRET_BYTES)));
    assert_eq!(account(&large).unwrap_err().details["field"], "credentials");
}
