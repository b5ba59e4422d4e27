use std::collections::HashMap;
use std::sync::Arc;

use muster_protocol::model::host::Role;
use serde_json::{Value, json};

use super::*;
use crate::fixtures::cluster;
use crate::marks::Labels;
use crate::scripted::{self, Heard, Scripted, member};

const OLD: &str = "registry:5000/web@sha256:01";
const NEW: &str = "registry:5000/web@sha256:02";

#[test]
fn an_image_is_named_by_its_digest_and_without_its_tag() {
    assert_eq!(by_digest("registry:5000/web:1@sha256:01").as_deref(), Some(OLD));
    assert_eq!(by_digest("registry:5000/web@sha256:01").as_deref(), Some(OLD));
    assert_eq!(by_digest("nginx:1@sha256:03").as_deref(), Some("nginx@sha256:03"));
    assert_eq!(by_digest("nginx:1"), None);
}

/// A config that notes an image.
fn note_of(image: &str, id: &str, labels: Labels) -> Value {
    let labels: Labels = labels.into_iter().chain([(NOTED_IMAGE.to_owned(), image.to_owned())]).collect();
    json!({ "ID": id, "Spec": { "Name": id, "Labels": labels } })
}

fn spec(image: &str) -> Value {
    json!({ "TaskTemplate": { "ContainerSpec": { "Image": image } } })
}

/// What one round of a swarm of `nodes` machines, of which two can be asked, does: how it ended, and what the manager
/// and the worker heard. `worker` is the status with which the worker answers the removal of an image.
async fn round(services: Value, worker: u16, nodes: usize) -> (Cleaned, Heard, Heard) {
    let context = Arc::new(cluster());
    let ours = marks::of_cluster(&context);
    let configs = json!([
        note_of(OLD, "old", ours.clone()),
        note_of(NEW, "new", ours.clone()),
        note_of("registry:5000/foreign@sha256:09", "foreign", Labels::new()),
    ]);
    let swarm = json!({ "Spec": { "Labels": ours } });
    let (manager, by_manager) = scripted::engine(move |request: &str, _: &Heard| match request {
        "GET /swarm" => (200, swarm.clone()),
        "GET /configs" => (200, configs.clone()),
        "GET /services" => (200, services.clone()),
        "GET /nodes" => (200, json!(vec![json!({}); nodes])),
        "GET /containers/json" => (200, json!([])),
        "DELETE /configs/old" | "DELETE /configs/new" => (204, Value::Null),
        request if request.starts_with("DELETE /images/") => (404, json!({ "message": "no such image" })),
        _ => (400, json!({ "message": "not expected" })),
    })
    .await;
    let copy = |id: &str, service: &str| json!({ "Id": id, "Labels": { SERVICE_ID: service } });
    let ended = json!([copy("of-the-present", "s1"), copy("of-one-that-is-gone", "s0"), { "Id": "foreign" }]);
    let (engine, by_worker) = scripted::engine(move |request: &str, _: &Heard| match (request, worker) {
        ("GET /containers/json", _) => (200, ended.clone()),
        ("DELETE /containers/of-one-that-is-gone", _) => (204, Value::Null),
        (_, 200) => (200, json!([{ "Untagged": OLD }])),
        (_, status) => (status, json!({ "message": "conflict: a container has it" })),
    })
    .await;
    let connector = Scripted(HashMap::from([("m".to_owned(), manager), ("w".to_owned(), engine)]));
    let managers = Managers::new(Arc::clone(&context), Arc::new(connector));
    let members = [member("control-plane-1", Role::ControlPlane, "m"), member("worker-1", Role::Worker, "w")];
    let cleaned = clean(&context, &managers, &members, Duration::ZERO, &mut BTreeMap::new()).await.unwrap();
    (cleaned, by_manager, by_worker)
}

fn new_alone() -> Value {
    json!([{ "ID": "s1", "Spec": spec(&format!("{}@sha256:02", "registry:5000/web:2")) }])
}

#[tokio::test]
async fn an_image_that_no_service_needs_goes_from_every_machine_and_then_its_note() {
    let (cleaned, by_manager, by_worker) = round(new_alone(), 200, 2).await;
    assert_eq!(cleaned, Cleaned::All);
    for heard in [&by_manager, &by_worker] {
        assert!(heard.has(&format!("DELETE /images/{OLD}")));
        assert!(!heard.has(&format!("DELETE /images/{NEW}")), "a service runs it");
    }
    assert!(by_worker.has("DELETE /containers/of-one-that-is-gone"), "it would hold its image for ever");
    for kept in ["of-the-present", "foreign"] {
        assert!(!by_worker.has(&format!("DELETE /containers/{kept}")));
    }
    assert!(by_manager.has("DELETE /configs/old"));
    assert!(!by_manager.has("DELETE /configs/new") && !by_manager.has("DELETE /configs/foreign"));
}

#[tokio::test]
async fn the_image_to_which_a_service_may_return_stays() {
    let both = json!([{ "ID": "s1", "Spec": spec("registry:5000/web:2@sha256:02"), "PreviousSpec": spec("registry:5000/web:1@sha256:01") }]);
    let (cleaned, _, by_worker) = round(both, 200, 2).await;
    assert_eq!((cleaned, by_worker.count()), (Cleaned::All, 0));
}

#[tokio::test]
async fn what_a_container_has_or_a_machine_that_cannot_be_asked_may_have_stays_noted() {
    for (worker, nodes) in [(409, 2), (200, 3), (500, 2)] {
        let (cleaned, by_manager, _) = round(new_alone(), worker, nodes).await;
        assert_eq!(cleaned, Cleaned::NotYet, "{worker} {nodes}");
        assert!(!by_manager.has("DELETE /configs/old"));
    }
}
