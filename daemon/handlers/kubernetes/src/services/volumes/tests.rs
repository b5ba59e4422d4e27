//! Where volumes are, from what is seen of a cluster of three machines.

use std::sync::Arc;

use muster_engine::handler::ServiceOrder;
use muster_protocol::ServiceId;
use muster_protocol::model::service::Mount;
use serde_json::{Value, json};

use super::*;
use crate::fixtures::{cluster, plain};
use crate::services::findings::Findings;
use crate::services::translate::{Workload, objects};

const MACHINES: [&str; 3] = ["one", "two", "three"];
const LABEL: &str = "io.muster.volume/data";

fn with_volume() -> ServiceSpec {
    let mount = Mount {
        kind: MountKind::Volume,
        source: Some("data".to_owned()),
        target: "/data".to_owned(),
        read_only: false,
    };
    ServiceSpec { mounts: vec![mount], ..plain() }
}

/// The cluster with the service as it is submitted, `placed` as noted on it, the label's values on the machines, and pods: a
/// machine, or none, and whether it has run.
fn seen(placed: &str, labels: [Option<&str>; 3], pods: &[(Option<&str>, bool)]) -> ClusterObjects {
    let order = ServiceOrder {
        id: ServiceId::from_u128(3),
        generation: 1,
        spec: with_volume(),
        secrets_version: 0,
        digest: None,
        refresh: false,
        login: None,
    };
    let findings = Findings {
        held: to_hold(&order.spec),
        placed: Some(placed.split(',').filter(|volume| !volume.is_empty()).map(str::to_owned).collect()),
        ..Findings::default()
    };
    let Workload::Deployment(deployment) = objects(&cluster(), &order, &findings).workload else { panic!() };
    let template = deployment.spec.as_ref().unwrap().template.clone();
    let pod = |(place, (machine, has_run)): (usize, &(Option<&str>, bool))| {
        let (metadata, spec) = (template.metadata.clone().unwrap(), template.spec.clone());
        let mut pod = Pod { metadata, spec, ..Pod::default() };
        pod.metadata.name = Some(format!("web-{place}"));
        pod.spec.as_mut().unwrap().node_name = machine.map(str::to_owned);
        let state = if *has_run { json!({ "running": {} }) } else { json!({ "waiting": {} }) };
        let status = json!({ "containerStatuses": [{
            "name": "web", "image": "", "imageID": "", "ready": true, "restartCount": 0, "state": state,
        }] });
        pod.status = Some(serde_json::from_value(status).unwrap());
        Arc::new(pod)
    };
    ClusterObjects {
        nodes: MACHINES.iter().zip(labels).map(|(name, value)| node(name, value)).collect(),
        pods: pods.iter().enumerate().map(pod).collect(),
        deployments: vec![Arc::new(*deployment)],
        ..ClusterObjects::default()
    }
}

fn node(name: &str, value: Option<&str>) -> Arc<Node> {
    let labels: Value = value.map_or_else(|| json!({}), |value| json!({ LABEL: value }));
    Arc::new(serde_json::from_value(json!({ "metadata": { "name": name, "labels": labels } })).unwrap())
}

/// What the machines' labels become.
fn after(seen: &ClusterObjects, due: &Due) -> [Option<String>; 3] {
    MACHINES.map(|name| {
        let node = seen.nodes.iter().find(|node| node.metadata.name.as_deref() == Some(name)).unwrap();
        let mut value = value(node, LABEL).map(str::to_owned);
        for changes in [&due.homes, &due.open] {
            if let Some(changed) = changes.0.get(name).and_then(|labels| labels.get(LABEL)) {
                value = changed.map(str::to_owned);
            }
        }
        value
    })
}

#[track_caller]
fn assert_due(seen: &ClusterObjects, wanted: [Option<&str>; 3], noted: Option<&str>) {
    let due = Due::of(seen);
    assert_eq!(after(seen, &due), wanted.map(|value| value.map(str::to_owned)), "{due:?}");
    let note = due.notes.first().map(|(_, _, placed)| note(placed));
    assert_eq!(note.as_deref(), noted, "{due:?}");
}

const OPEN: Option<&str> = Some("open");
const YES: Option<&str> = Some("yes");

#[test]
fn a_volume_that_is_nowhere_may_be_anywhere() {
    assert_due(&seen("", [None; 3], &[(None, false)]), [OPEN; 3], None);
    // A machine that joins meanwhile is one of them.
    assert_due(&seen("", [OPEN, OPEN, None], &[(Some("one"), false)]), [OPEN; 3], None);
}

#[test]
fn a_volume_is_where_the_first_copies_have_run() {
    assert_due(&seen("", [OPEN; 3], &[(Some("two"), true)]), [None, YES, None], Some("data"));
    let two = [(Some("two"), true), (Some("three"), false)];
    assert_due(&seen("", [OPEN; 3], &two), [None, YES, YES], Some("data"));
}

#[test]
fn copies_of_the_first_submission_go_where_there_is_room() {
    let second_is_not_placed = [(Some("two"), true), (None, false)];
    assert_due(&seen("", [OPEN; 3], &second_is_not_placed), [OPEN; 3], None);
}

#[test]
fn what_is_as_it_should_be_is_left_alone() {
    let seen = seen("data", [None, YES, None], &[(Some("two"), true)]);
    assert!(Due::of(&seen).is_nothing());
}

#[test]
fn a_service_waits_for_machines_that_are_gone() {
    assert!(Due::of(&seen("data", [None; 3], &[(None, false)])).is_nothing(), "no machine becomes open");
}

#[test]
fn another_service_with_the_volume_goes_where_it_is() {
    assert_due(&seen("", [None, YES, None], &[(None, false)]), [None, YES, None], Some("data"));
}

#[test]
fn without_a_service_no_machine_is_open_and_a_volume_stays_where_it_is() {
    let mut seen = seen("", [OPEN, YES, OPEN], &[]);
    seen.deployments.clear();
    assert_due(&seen, [None, YES, None], None);
}

#[test]
fn only_a_service_that_minds_where_its_volume_is_is_held() {
    assert_eq!(to_hold(&with_volume()), ["data".to_owned()].into());
    assert!(to_hold(&ServiceSpec { allow_empty_volume: true, ..with_volume() }).is_empty());
    assert!(to_hold(&ServiceSpec { mode: ServiceMode::Global, ..with_volume() }).is_empty());
}

#[test]
fn a_label_of_a_volume_is_one_that_kubernetes_takes() {
    assert_eq!(label("data"), LABEL);
    for odd in ["data.", &"x".repeat(64)] {
        assert!(crate::labels::is_name(&label(odd)), "{odd}");
        assert_ne!(label(odd), label("data"));
    }
}
