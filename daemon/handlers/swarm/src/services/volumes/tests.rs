use muster_protocol::ServiceId;
use muster_protocol::model::service::{Mount, ServiceSpec};

use super::*;
use crate::fixtures::{cluster, plain};
use crate::scripted::{self, Heard};
use crate::services::translate::{self, References};

fn order(allow_empty_volume: bool) -> ServiceOrder {
    let mount =
        Mount { kind: MountKind::Volume, source: Some("data".into()), target: "/data".into(), read_only: false };
    let spec = ServiceSpec { mounts: vec![mount], allow_empty_volume, ..plain() };
    ServiceOrder {
        id: ServiceId::from_u128(3),
        generation: 1,
        spec,
        secrets_version: 0,
        digest: None,
        refresh: false,
        login: None,
    }
}

/// The service as the swarm has it, held at these volumes.
fn service(order: &ServiceOrder, volumes: &[&str]) -> Value {
    let volumes = volumes.iter().map(|&volume| volume.to_owned()).collect();
    let references = References { network: "net".to_owned(), volumes, ..Default::default() };
    json!({ "ID": "s1", "Version": { "Index": 7 }, "Spec": translate::service(&cluster(), order, &references) })
}

/// A manager whose swarm has this service, one copy of it on the node `n1`, and another node.
fn manager(request: &str, service: &Value, labels: &Value, state: &str) -> (u16, Value) {
    let node = |id: &str, labels: &Value| json!({ "ID": id, "Version": { "Index": 1 }, "Spec": { "Labels": labels } });
    match request {
        "GET /services" => (200, json!([service])),
        "GET /services/s1" => (200, service.clone()),
        "GET /tasks" => (200, json!([{ "ID": "t1", "ServiceID": "s1", "NodeID": "n1", "Status": { "State": state } }])),
        "GET /nodes" => (200, json!([node("n1", labels), node("n2", &json!({}))])),
        "GET /nodes/n1" => (200, node("n1", labels)),
        "POST /nodes/n1/update" | "POST /services/s1/update" => (200, json!({})),
        _ => (500, json!({ "message": "out of order" })),
    }
}

async fn engine(service: Value, labels: Value, state: &'static str) -> (Engine, Heard) {
    scripted::engine(move |request: &str, _: &Heard| manager(request, &service, &labels, state)).await
}

#[tokio::test]
async fn a_service_whose_copy_runs_is_held_where_its_volume_is_and_changed_in_nothing_else() {
    let present = service(&order(false), &[]);
    let (engine, asked) = engine(present.clone(), json!({ "disk": "ssd" }), "running").await;
    assert_eq!(hold_all(&cluster(), &engine).await.unwrap(), Held::NotYet, "that it is held is not seen yet");
    let labels = json!({ "disk": "ssd", "io.muster.volume.data": "yes" });
    assert_eq!(asked.body("POST /nodes/n1/update")["Labels"], labels);
    let mut expected = present["Spec"].clone();
    expected["TaskTemplate"]["Placement"] = json!({ "Constraints": ["node.labels.io.muster.volume.data==yes"] });
    assert_eq!(asked.body("POST /services/s1/update"), expected);
}

#[tokio::test]
async fn nothing_is_held_before_a_copy_runs_nor_twice_nor_against_the_wish() {
    let cases = [
        (service(&order(false), &[]), "preparing", Held::NotYet),
        (service(&order(false), &["data"]), "running", Held::All),
        (service(&order(true), &[]), "running", Held::All),
    ];
    for (present, state, expected) in cases {
        let (engine, asked) = engine(present, json!({}), state).await;
        assert_eq!(hold_all(&cluster(), &engine).await.unwrap(), expected, "{state}");
        assert!(!asked.has("POST /services/s1/update") && !asked.has("POST /nodes/n1/update"), "{state}");
    }
}

#[tokio::test]
async fn an_order_goes_where_its_volume_is_and_stays_held_when_the_node_is_gone() {
    let labelled = json!({ "io.muster.volume.data": "yes" });
    let holding = async |order: &ServiceOrder, present: Value, labels: Value, state| {
        let (engine, _) = engine(present.clone(), labels, state).await;
        let existing: Service = serde_json::from_value(present).unwrap();
        super::holding(&engine, order, Some(&existing)).await.unwrap()
    };
    let free = service(&order(false), &[]);
    assert_eq!(holding(&order(false), free.clone(), labelled.clone(), "shutdown").await, ["data"]);
    assert_eq!(holding(&order(false), free, json!({}), "shutdown").await, [""; 0], "no copy has run with it");
    let held = service(&order(false), &["data"]);
    assert_eq!(holding(&order(false), held.clone(), json!({}), "shutdown").await, ["data"], "its node is gone");
    assert_eq!(holding(&order(true), held, labelled, "running").await, [""; 0], "an empty volume is allowed");
}

#[test]
fn a_held_service_has_the_template_that_it_had() {
    let name =
        |service: &Value| service["Spec"]["TaskTemplate"]["ContainerSpec"]["Labels"]["io.muster.template"].clone();
    let (free, held) = (service(&order(false), &[]), service(&order(false), &["data"]));
    assert_ne!(free, held);
    assert_eq!(name(&free), name(&held), "a copy that is in its place is not replaced");
}
