use muster_engine::failure::Certainty;
use muster_protocol::model::service::{ConfigFile, SecretFile, ServiceSpec};
use muster_protocol::{ErrorCode, Retry, SecretBytes, ServiceId};
use serde_json::{Value, json};

use super::*;
use crate::fixtures::{cluster, plain};
use crate::registry::Unasked;
use crate::scripted::{self, status};

const NAMESPACE: &str = "GET /api/v1/namespaces/muster";
const DEPLOYMENTS: &str = "GET /apis/apps/v1/namespaces/muster/deployments";
const DEPLOYMENT: &str = "GET /apis/apps/v1/namespaces/muster/deployments/web";
const APPLY_DEPLOYMENT: &str = "PATCH /apis/apps/v1/namespaces/muster/deployments/web";
const JOBS: &str = "GET /apis/batch/v1/namespaces/muster/jobs";

/// A service with a secret and a file.
fn order(value: Option<&str>) -> ServiceOrder {
    let secret = SecretFile::new("password".parse().unwrap(), value.map(SecretBytes::new));
    let file = ConfigFile::new("/etc/web", "colour = blue");
    let spec = ServiceSpec { secrets: vec![secret], files: vec![file], ..plain() };
    ServiceOrder {
        id: ServiceId::from_u128(3),
        generation: 1,
        spec,
        secrets_version: 2,
        digest: None,
        refresh: false,
        login: None,
    }
}

fn marked(name: &str, generation: u64) -> Value {
    let mut labels = serde_json::to_value(marks::of_service(&cluster(), &plain().name)).unwrap();
    labels["io.muster.generation"] = json!(generation.to_string());
    labels["io.muster.secrets-version"] = json!("2");
    json!({ "name": name, "uid": format!("{name}-uid"), "labels": labels })
}

fn our_namespace() -> Value {
    json!({ "metadata": { "name": "muster", "labels": { "app.kubernetes.io/managed-by": "muster" } } })
}

#[tokio::test]
async fn a_service_comes_after_its_files_secrets_and_name() {
    let (client, asked) = scripted::client(|_| None);
    let present = deploy(&cluster(), &client, &Unasked, &order(Some("first"))).await.unwrap();
    assert_eq!(present, Present { id: "web-uid".into(), facts: Facts::Service { generation: 1 } });
    let kinds = |change: &String| change.rsplit('/').nth(1).unwrap().to_owned();
    let changes: Vec<String> = asked.changes().iter().map(kinds).collect();
    assert_eq!(changes, ["namespaces", "configmaps", "secrets", "services", "deployments"]);
}

#[tokio::test]
async fn a_namespace_that_others_made_is_refused() {
    let (client, asked) =
        scripted::client(|request| (request == NAMESPACE).then(|| (200, json!({ "metadata": { "name": "muster" } }))));
    let failure = deploy(&cluster(), &client, &Unasked, &order(Some("first"))).await.unwrap_err();
    assert_eq!((failure.code, failure.certainty), (ErrorCode::Conflict, Certainty::NotApplied), "{failure}");
    assert!(failure.remedy.is_some() && asked.changes().is_empty());
}

#[tokio::test]
async fn what_others_made_under_the_name_is_refused_before_anything_is_made() {
    for path in [DEPLOYMENT, "GET /api/v1/namespaces/muster/services/web"] {
        let (client, asked) = scripted::client(move |request| match request {
            NAMESPACE => Some((200, our_namespace())),
            request if request == path => Some((200, json!({ "metadata": { "name": "web" } }))),
            _ => None,
        });
        let failure = deploy(&cluster(), &client, &Unasked, &order(Some("first"))).await.unwrap_err();
        assert_eq!((failure.code, failure.certainty), (ErrorCode::Conflict, Certainty::NotApplied), "{failure}");
        assert_eq!(failure.retry, Retry::Never);
        assert_eq!(asked.changes(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn what_fails_after_a_file_was_made_leaves_the_service_in_doubt() {
    let (client, asked) =
        scripted::client(|request| (request == APPLY_DEPLOYMENT).then(|| (422, status(422, "spec: Invalid value"))));
    let failure = deploy(&cluster(), &client, &Unasked, &order(Some("first"))).await.unwrap_err();
    assert!(asked.changes().len() > 2);
    assert_eq!((failure.certainty, failure.retry), (Certainty::MaybeApplied, Retry::Never), "{failure}");
}

#[tokio::test]
async fn a_job_that_was_submitted_is_not_run_again() {
    let spec = ServiceSpec { mode: ServiceMode::Job, ..plain() };
    let job = ServiceOrder { spec, ..order(None) };
    let jobs =
        |generation: u64| move || json!({ "metadata": {}, "items": [{ "metadata": marked("web-1", generation) }] });
    let same = jobs(1);
    let (client, asked) = scripted::client(move |request| match request {
        NAMESPACE => Some((200, our_namespace())),
        JOBS => Some((200, same())),
        _ => None,
    });
    assert_eq!(deploy(&cluster(), &client, &Unasked, &job).await.unwrap().id, "web-1-uid");
    assert_eq!(asked.changes(), Vec::<String>::new());

    let later = ServiceOrder { generation: 2, ..job };
    assert_eq!(deploy(&cluster(), &client, &Unasked, &later).await.unwrap().id, "web-2-uid");
    assert!(asked.has("DELETE /apis/batch/v1/namespaces/muster/jobs/web-1"), "the earlier run makes room");
}

#[tokio::test]
async fn a_service_of_another_mode_replaces_the_one_before() {
    let spec = ServiceSpec { mode: ServiceMode::Global, ..plain() };
    let (client, asked) = scripted::client(|request| match request {
        NAMESPACE => Some((200, our_namespace())),
        DEPLOYMENTS => Some((200, json!({ "metadata": {}, "items": [{ "metadata": marked("web", 1) }] }))),
        _ => None,
    });
    deploy(&cluster(), &client, &Unasked, &ServiceOrder { spec, generation: 2, ..order(None) }).await.unwrap();
    assert!(asked.has("DELETE /apis/apps/v1/namespaces/muster/deployments/web"));
    assert!(asked.has("PATCH /apis/apps/v1/namespaces/muster/daemonsets/web"));
}

#[tokio::test]
async fn a_secret_whose_value_is_lost_is_told_and_one_that_is_there_is_used() {
    let (client, asked) = scripted::client(|_| None);
    let failure = deploy(&cluster(), &client, &Unasked, &order(None)).await.unwrap_err();
    assert_eq!((failure.code, failure.retry), (ErrorCode::InvalidArgument, Retry::Never), "{failure}");
    assert!(failure.message.contains("password") && !asked.has(APPLY_DEPLOYMENT));

    let secret = format!("GET /api/v1/namespaces/muster/secrets/web.{}.secrets.2", ServiceId::from_u128(3).short());
    let (client, asked) = scripted::client(move |request| {
        (request == secret).then(|| (200, json!({ "metadata": marked("s", 1), "data": { "password": "Zmlyc3Q=" } })))
    });
    deploy(&cluster(), &client, &Unasked, &order(None)).await.unwrap();
    assert!(asked.has(APPLY_DEPLOYMENT));
}

#[tokio::test]
async fn a_service_that_did_not_come_to_be_is_absent_only_when_its_files_are_gone_too() {
    let files = || json!({ "metadata": {}, "items": [{ "apiVersion": "v1", "kind": "ConfigMap", "metadata": marked("f", 1) }] });
    const FILES: &str = "GET /api/v1/namespaces/muster/configmaps";
    let (client, asked) = scripted::client(move |request| (request == FILES).then(|| (200, files())));
    assert_eq!(look_up_service(&cluster(), &client, &plain().name).await.unwrap(), None);
    assert!(asked.has("DELETE /api/v1/namespaces/muster/configmaps/f"));

    let (client, _) = scripted::client(move |request| match request {
        FILES => Some((200, files())),
        "DELETE /api/v1/namespaces/muster/configmaps/f" => Some((500, status(500, "not now"))),
        _ => None,
    });
    look_up_service(&cluster(), &client, &plain().name).await.unwrap_err();
}

/// A service with the volume `data`.
fn with_volume() -> ServiceSpec {
    let mount = json!({ "kind": "volume", "source": "data", "target": "/data", "readOnly": false });
    ServiceSpec { mounts: vec![serde_json::from_value(mount).unwrap()], ..plain() }
}

#[tokio::test]
async fn before_a_service_with_a_new_volume_comes_every_node_may_get_it() {
    let (client, asked) = scripted::client(|request| {
        let node = |name: &str| json!({ "metadata": { "name": name } });
        (request == "GET /api/v1/nodes").then(|| (200, json!({ "metadata": {}, "items": [node("one"), node("two")] })))
    });
    let order = ServiceOrder { spec: with_volume(), ..order(None) };
    deploy(&cluster(), &client, &Unasked, &order).await.unwrap();
    let changes = asked.changes();
    let place = |change: &str| changes.iter().position(|one| one == change).unwrap();
    assert!(place("PATCH /api/v1/nodes/one") < place(APPLY_DEPLOYMENT));
    assert!(place("PATCH /api/v1/nodes/two") < place(APPLY_DEPLOYMENT));
}

#[tokio::test]
async fn a_service_of_an_earlier_release_is_held_where_its_copies_run_once_they_are_replaced() {
    // As that release has made it: nothing is required of its nodes, and nothing noted.
    let spec = ServiceSpec { replicas: 3, ..with_volume() };
    let old = translate::objects(&cluster(), &ServiceOrder { spec: spec.clone(), ..order(None) }, &Findings::default());
    let Workload::Deployment(old) = old.workload else { panic!() };
    let template = old.spec.as_ref().unwrap().template.clone();
    let mut pod = json!({ "metadata": template.metadata, "spec": template.spec, "status": {
        "containerStatuses": [{ "name": "web", "image": "", "imageID": "", "ready": true, "restartCount": 0, "state": { "running": {} } }],
    } });
    pod["metadata"]["name"] = json!("web-1");
    pod["spec"]["nodeName"] = json!("two");
    let found = json!({ "metadata": {}, "items": [old] });
    let pods = json!({ "metadata": {}, "items": [pod] });
    let answer = move |request: &str| match request {
        NAMESPACE => Some((200, our_namespace())),
        DEPLOYMENTS => Some((200, found.clone())),
        "GET /api/v1/namespaces/muster/pods" => Some((200, pods.clone())),
        "GET /api/v1/nodes" => {
            let node = |name: &str| json!({ "metadata": { "name": name } });
            Some((200, json!({ "metadata": {}, "items": [node("one"), node("two")] })))
        }
        _ => None,
    };
    let labelled =
        |asked: &scripted::Heard| ["one", "two"].map(|node| asked.has(&format!("PATCH /api/v1/nodes/{node}")));

    let (client, asked) = scripted::client(answer.clone());
    let fewer = ServiceOrder { spec: ServiceSpec { replicas: 2, ..spec.clone() }, ..order(None) };
    deploy(&cluster(), &client, &Unasked, &fewer).await.unwrap();
    assert_eq!(labelled(&asked), [false, false], "scaling replaces no copy");

    let (client, asked) = scripted::client(answer);
    let changed = ServiceOrder { spec: ServiceSpec { args: vec!["new".to_owned()], ..spec }, ..order(None) };
    deploy(&cluster(), &client, &Unasked, &changed).await.unwrap();
    assert_eq!(labelled(&asked), [false, true]);
}

#[tokio::test]
async fn a_name_gets_an_address_with_its_first_port_by_being_made_anew() {
    const SERVICE: &str = "GET /api/v1/namespaces/muster/services/web";
    let headless = || json!({ "metadata": marked("web", 1), "spec": { "clusterIP": "None" } });
    let (client, asked) = scripted::client(move |request| (request == SERVICE).then(|| (200, headless())));
    let port = muster_protocol::model::service::Port {
        port: 80,
        protocol: Default::default(),
        exposure: Default::default(),
        published: None,
    };
    let removal = "DELETE /api/v1/namespaces/muster/services/web";
    deploy(&cluster(), &client, &Unasked, &ServiceOrder { spec: plain(), ..order(None) }).await.unwrap();
    assert!(!asked.has(removal), "nothing changes");
    let spec = ServiceSpec { ports: vec![port], ..plain() };
    deploy(&cluster(), &client, &Unasked, &ServiceOrder { spec, ..order(None) }).await.unwrap();
    assert!(asked.has(removal));
}

#[tokio::test]
async fn secrets_of_an_earlier_version_stay_for_pods_that_run_and_not_for_such_that_end() {
    let secret = |name: &str| json!({ "apiVersion": "v1", "kind": "Secret", "metadata": marked(name, 1) });
    let pod = |name: &str, secret: &str, ends: Option<&str>| {
        let mut metadata = marked(name, 1);
        metadata["deletionTimestamp"] = json!(ends);
        let volume = json!({ "name": "secrets", "secret": { "secretName": secret } });
        json!({ "metadata": metadata, "spec": { "containers": [], "volumes": [volume] } })
    };
    let pods = json!({ "metadata": {}, "items": [pod("runs", "used", None), pod("ends", "left", Some("2026-11-29T18:00:00Z"))] });
    let secrets = json!({ "metadata": {}, "items": [secret("used"), secret("left")] });
    let (client, asked) = scripted::client(move |request| match request {
        NAMESPACE => Some((200, our_namespace())),
        DEPLOYMENTS => Some((200, json!({ "metadata": {}, "items": [{ "metadata": marked("web", 1) }] }))),
        "GET /api/v1/namespaces/muster/pods" => Some((200, pods.clone())),
        "GET /api/v1/namespaces/muster/secrets" => Some((200, secrets.clone())),
        _ => None,
    });
    deploy(&cluster(), &client, &Unasked, &ServiceOrder { generation: 2, ..order(Some("second")) }).await.unwrap();
    assert!(asked.has("DELETE /api/v1/namespaces/muster/secrets/left"));
    assert!(!asked.has("DELETE /api/v1/namespaces/muster/secrets/used"));
}
