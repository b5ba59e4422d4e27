use muster_engine::failure::Certainty;
use muster_protocol::model::service::{ConfigFile, SecretFile, ServiceSpec};
use muster_protocol::{Retry, SecretBytes, ServiceId};
use serde_json::{Value, json};

use super::super::NETWORK;
use super::*;
use crate::fixtures::{cluster, plain};
use crate::marks::NOTED_IMAGE;
use crate::scripted::{self, Heard};

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

/// What a manager answers whose swarm has the cluster's network, these secrets of the service `web`, and no service.
fn manager(request: &str, secrets: &[&str]) -> (u16, Value) {
    let labels = marks::of(&cluster(), &"service/web".parse().unwrap());
    let secret = |name: &&str| json!({ "ID": name, "Spec": { "Name": name, "Labels": labels } });
    match request {
        "GET /networks" => (200, json!([{ "Name": NETWORK, "Id": "net", "Labels": marks::of_cluster(&cluster()) }])),
        "GET /secrets" => (200, secrets.iter().map(secret).collect()),
        "GET /services" | "GET /configs" => (200, json!([])),
        "POST /secrets/create" => (201, json!({ "ID": "s1" })),
        request if request.starts_with("DELETE /secrets/") => (204, Value::Null),
        request if request.starts_with("GET /distribution/") => (500, json!({ "message": "no such host" })),
        _ => (500, json!({ "message": "out of order" })),
    }
}

#[tokio::test]
async fn what_fails_after_a_secret_was_made_leaves_the_service_in_doubt() {
    let (engine, asked) = scripted::engine(|request: &str, _: &Heard| match request {
        "POST /configs/create" => (400, json!({ "message": "refused" })),
        _ => manager(request, &[]),
    })
    .await;
    let failure = deploy(&cluster(), &engine, &order(Some("first"))).await.unwrap_err();
    assert!(asked.has("POST /secrets/create"));
    assert_eq!((failure.certainty, failure.retry), (Certainty::MaybeApplied, Retry::Never), "{failure}");
}

#[tokio::test]
async fn a_service_that_did_not_come_to_be_is_absent_only_when_its_secrets_are_gone_too() {
    let (engine, asked) = scripted::engine(|request: &str, _: &Heard| manager(request, &["s1"])).await;
    let name = plain().name;
    assert_eq!(look_up_service(&cluster(), &engine, &name).await.unwrap(), None);
    assert!(asked.has("DELETE /secrets/s1"));

    let (engine, _) = scripted::engine(|request: &str, _: &Heard| match request {
        "DELETE /secrets/s1" => (500, json!({ "message": "not now" })),
        _ => manager(request, &["s1"]),
    })
    .await;
    look_up_service(&cluster(), &engine, &name).await.unwrap_err();
}

#[tokio::test]
async fn another_version_of_a_secret_does_not_stand_in_for_one_whose_value_is_lost() {
    let earlier = format!("{}.password.1", ServiceId::from_u128(3).short());
    let (engine, asked) = scripted::engine(move |request: &str, _: &Heard| manager(request, &[earlier.as_str()])).await;
    let failure = deploy(&cluster(), &engine, &order(None)).await.unwrap_err();
    assert_eq!((failure.code, failure.retry), (ErrorCode::InvalidArgument, Retry::Never), "{failure}");
    assert!(failure.message.contains("password") && failure.remedy.is_some(), "{failure}");
    assert!(!asked.has("POST /services/create"));
}

const DIGEST: &str = "sha256:0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a";

/// A manager that makes and changes services, whose swarm has this one, and whose registry has the image.
fn with_registry(request: &str, service: Option<&Value>) -> (u16, Value) {
    match request {
        "GET /services" => (200, service.into_iter().cloned().collect()),
        "GET /distribution/nginx:1/json" => (
            200,
            json!({
                "Descriptor": { "digest": DIGEST },
                "Platforms": [
                    { "architecture": "arm64", "os": "linux" },
                    { "architecture": "arm", "os": "linux", "variant": "v7" },
                    { "architecture": "unknown", "os": "unknown" },
                ],
            }),
        ),
        "POST /configs/create" => (201, json!({ "ID": "c1" })),
        "POST /services/create" => (201, json!({ "ID": "s1" })),
        "POST /services/s1/update" => (200, json!({})),
        "GET /services/s1" => (200, json!({})),
        _ => manager(request, &[]),
    }
}

fn plain_order(generation: u64, replicas: u32) -> ServiceOrder {
    let spec = ServiceSpec { replicas, ..plain() };
    ServiceOrder {
        id: ServiceId::from_u128(3),
        generation,
        spec,
        secrets_version: 0,
        digest: None,
        refresh: false,
        login: None,
    }
}

/// The service as the swarm has it after this order.
fn submitted(order: &ServiceOrder, digest: Option<&str>) -> Value {
    let digest = digest.map(str::to_owned);
    let references = References { network: "net".to_owned(), digest, ..Default::default() };
    json!({ "ID": "s1", "Version": { "Index": 7 }, "Spec": translate::service(&cluster(), order, &references) })
}

fn image_in(body: &Value) -> &str {
    body["TaskTemplate"]["ContainerSpec"]["Image"].as_str().unwrap()
}

#[tokio::test]
async fn a_tag_is_resolved_once_a_submission_and_the_digest_submitted() {
    let (engine, asked) = scripted::engine(|request: &str, _: &Heard| with_registry(request, None)).await;
    deploy(&cluster(), &engine, &plain_order(1, 1)).await.unwrap();
    assert_eq!(image_in(&asked.body("POST /services/create")), format!("nginx:1@{DIGEST}"));
    let placement = &asked.body("POST /services/create")["TaskTemplate"]["Placement"];
    let expected = json!([{ "Architecture": "arm64", "OS": "linux" }, { "OS": "linux" }]);
    assert_eq!(placement["Platforms"], expected, "copies go where the image runs");
    let noted = &asked.body("POST /configs/create")["Labels"][NOTED_IMAGE];
    assert_eq!(*noted, format!("nginx@{DIGEST}"), "so that it goes when no service needs it any more");
}

#[tokio::test]
async fn what_ran_with_a_digest_runs_with_it_again_and_no_registry_is_asked() {
    let (engine, asked) = scripted::engine(|request: &str, _: &Heard| with_registry(request, None)).await;
    let other = DIGEST.replace('0', "1");
    let again = ServiceOrder { digest: Some(other.clone()), ..plain_order(2, 1) };
    deploy(&cluster(), &engine, &again).await.unwrap();
    assert!(!asked.has("GET /distribution/nginx:1/json"));
    assert_eq!(image_in(&asked.body("POST /services/create")), format!("nginx:1@{other}"));
}

#[tokio::test]
async fn copies_of_another_number_go_where_the_image_runs_too() {
    let (engine, asked) = scripted::engine(|request: &str, _: &Heard| with_registry(request, None)).await;
    deploy(&cluster(), &engine, &plain_order(1, 1)).await.unwrap();
    let first = asked.body("POST /services/create").clone();
    let present = json!({ "ID": "s1", "Version": { "Index": 7 }, "Spec": first.clone() });
    let (engine, asked) =
        scripted::engine(move |request: &str, _: &Heard| with_registry(request, Some(&present))).await;
    let order = ServiceOrder { digest: Some(DIGEST.to_owned()), ..plain_order(2, 3) };
    deploy(&cluster(), &engine, &order).await.unwrap();
    assert!(!asked.has("GET /distribution/nginx:1/json"));
    assert_eq!(asked.body("POST /services/s1/update")["TaskTemplate"], first["TaskTemplate"]);
}

#[tokio::test]
async fn without_an_answer_of_the_registry_the_tag_itself_is_submitted() {
    let answer = |request: &str, _: &Heard| match request {
        "GET /distribution/nginx:1/json" => (500, json!({ "message": "dial tcp: no such host" })),
        _ => with_registry(request, None),
    };
    let (engine, asked) = scripted::engine(answer).await;
    deploy(&cluster(), &engine, &plain_order(1, 1)).await.unwrap();
    let created = asked.body("POST /services/create");
    assert_eq!(image_in(&created), "nginx:1");
    let why = created["Labels"][UNANSWERED_IMAGE].as_str().unwrap();
    assert!(why.contains("no such host"), "{why}");
}

#[tokio::test]
async fn the_refusal_of_a_registry_stays_with_the_service_while_its_copies_do() {
    let refused = |request: &str, service: Option<&Value>| match request {
        "GET /distribution/nginx:1/json" => (404, json!({ "message": "manifest unknown" })),
        _ => with_registry(request, service),
    };
    let (engine, asked) = scripted::engine(move |request: &str, _: &Heard| refused(request, None)).await;
    deploy(&cluster(), &engine, &plain_order(1, 1)).await.unwrap();
    let created = asked.body("POST /services/create").clone();
    assert_eq!(created["Labels"][REFUSED_IMAGE], "manifest unknown");
    assert_eq!(image_in(&created), "nginx:1");
    // Another number of copies alone.
    let present = json!({ "ID": "s1", "Version": { "Index": 7 }, "Spec": created });
    let (engine, asked) = scripted::engine(move |request: &str, _: &Heard| refused(request, Some(&present))).await;
    deploy(&cluster(), &engine, &plain_order(2, 3)).await.unwrap();
    assert_eq!(asked.body("POST /services/s1/update")["Labels"][REFUSED_IMAGE], "manifest unknown");
    assert!(!asked.has("GET /distribution/nginx:1/json"));
}

#[tokio::test]
async fn a_registry_that_wants_a_login_has_refused_the_image_whatever_the_engine_calls_it() {
    let said = "Head \"http://nginx/v2/1\": no basic auth credentials";
    let answer = move |request: &str, _: &Heard| match request {
        "GET /distribution/nginx:1/json" => (500, json!({ "message": said })),
        _ => with_registry(request, None),
    };
    let (engine, asked) = scripted::engine(answer).await;
    deploy(&cluster(), &engine, &plain_order(1, 1)).await.unwrap();
    let refusal = asked.body("POST /services/create")["Labels"][REFUSED_IMAGE].clone();
    let refusal = refusal.as_str().unwrap();
    assert!(refusal.starts_with(said) && refusal.contains("no login is configured for docker.io"), "{refusal}");
}

#[tokio::test]
async fn another_number_of_copies_alone_does_not_ask_again_what_a_tag_means() {
    let present = submitted(&plain_order(1, 1), None);
    let (engine, asked) =
        scripted::engine(move |request: &str, _: &Heard| with_registry(request, Some(&present))).await;
    deploy(&cluster(), &engine, &plain_order(2, 3)).await.unwrap();
    assert_eq!(image_in(&asked.body("POST /services/s1/update")), "nginx:1", "the copies that run would be replaced");
    assert!(!asked.has("GET /distribution/nginx:1/json"));
}

#[tokio::test]
async fn a_refresh_asks_anew_although_every_copy_could_stay() {
    let present = submitted(&plain_order(1, 1), None);
    let (engine, asked) =
        scripted::engine(move |request: &str, _: &Heard| with_registry(request, Some(&present))).await;
    deploy(&cluster(), &engine, &ServiceOrder { refresh: true, ..plain_order(2, 1) }).await.unwrap();
    assert_eq!(image_in(&asked.body("POST /services/s1/update")), format!("nginx:1@{DIGEST}"));
}

#[tokio::test]
async fn a_refresh_without_an_answer_of_the_registry_fails_and_changes_nothing() {
    for (status, said) in [(500, "dial tcp: no such host"), (404, "manifest unknown")] {
        let present = submitted(&plain_order(1, 1), Some(DIGEST));
        let answer = move |request: &str, _: &Heard| match request {
            "GET /distribution/nginx:1/json" => (status, json!({ "message": said })),
            _ => with_registry(request, Some(&present)),
        };
        let (engine, asked) = scripted::engine(answer).await;
        let refresh = ServiceOrder { refresh: true, ..plain_order(2, 1) };
        let failed = deploy(&cluster(), &engine, &refresh).await.unwrap_err();
        assert!(failed.message.contains("nginx:1") && failed.message.contains(said), "{failed}");
        assert_eq!(failed.retry, Retry::Never);
        assert!(!asked.has("POST /services/s1/update"));
    }
}

#[tokio::test]
async fn a_service_that_was_forgotten_is_changed_to_the_one_of_its_name_and_generation() {
    let labelled = |id: u128| {
        let mut labels = marks::of(&cluster(), &"service/web".parse().unwrap());
        for (name, value) in [(mark::GENERATION, "1"), (SECRETS_VERSION, "0")] {
            labels.insert(name.to_owned(), value.to_owned());
        }
        labels.insert(SERVICE.to_owned(), ServiceId::from_u128(id).to_string());
        json!([{ "ID": "w", "Version": { "Index": 4 }, "Spec": { "Name": "web", "Labels": labels } }])
    };
    let order = || ServiceOrder {
        id: ServiceId::from_u128(3),
        generation: 1,
        spec: plain(),
        secrets_version: 0,
        digest: None,
        refresh: false,
        login: None,
    };
    for (id, is_changed) in [(3, false), (4, true)] {
        let there = labelled(id);
        let (engine, asked) = scripted::engine(move |request: &str, _: &Heard| match request {
            "GET /services" => (200, there.clone()),
            "POST /services/w/update" => (200, json!({})),
            _ => manager(request, &[]),
        })
        .await;
        assert_eq!(deploy(&cluster(), &engine, &order()).await.unwrap().id, "w");
        assert_eq!(asked.has("POST /services/w/update"), is_changed, "{id}");
    }
}
