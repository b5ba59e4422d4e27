use muster_engine::failure::Certainty;
use muster_protocol::model::service::{ConfigFile, SecretFile, ServiceSpec};
use muster_protocol::{Retry, SecretString, ServiceId};
use serde_json::{Value, json};

use super::super::NETWORK;
use super::*;
use crate::fixtures::{cluster, plain};
use crate::scripted::{self, Asked};

/// A service with a secret and a file.
fn order(value: Option<&str>) -> ServiceOrder {
    let secret = SecretFile { name: "password".parse().unwrap(), value: value.map(SecretString::new), path: None };
    let file = ConfigFile { path: "/etc/web".to_owned(), content: "colour = blue".to_owned() };
    let spec = ServiceSpec { secrets: vec![secret], files: vec![file], ..plain() };
    ServiceOrder { id: ServiceId::from_u128(3), generation: 1, spec, secrets_version: 2 }
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
        _ => (500, json!({ "message": "out of order" })),
    }
}

#[tokio::test]
async fn what_fails_after_a_secret_was_made_leaves_the_service_in_doubt() {
    let (engine, asked) = scripted::engine(|request: &str, _: &Asked| match request {
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
    let (engine, asked) = scripted::engine(|request: &str, _: &Asked| manager(request, &["s1"])).await;
    let name = plain().name;
    assert_eq!(look_up_service(&cluster(), &engine, &name).await.unwrap(), None);
    assert!(asked.has("DELETE /secrets/s1"));

    let (engine, _) = scripted::engine(|request: &str, _: &Asked| match request {
        "DELETE /secrets/s1" => (500, json!({ "message": "not now" })),
        _ => manager(request, &["s1"]),
    })
    .await;
    look_up_service(&cluster(), &engine, &name).await.unwrap_err();
}

#[tokio::test]
async fn another_version_of_a_secret_does_not_stand_in_for_one_whose_value_is_lost() {
    let earlier = format!("{}.password.1", ServiceId::from_u128(3).short());
    let (engine, asked) = scripted::engine(move |request: &str, _: &Asked| manager(request, &[earlier.as_str()])).await;
    let failure = deploy(&cluster(), &engine, &order(None)).await.unwrap_err();
    assert_eq!((failure.code, failure.retry), (ErrorCode::InvalidArgument, Retry::Never), "{failure}");
    assert!(failure.message.contains("password") && failure.remedy.is_some(), "{failure}");
    assert!(!asked.has("POST /services/create"));
}
