//! What is asked for, and in the middle of what.

use std::collections::BTreeMap;

use muster_protocol::model::cluster::{ClusterSpec, Infrastructure, MachineShape, Orchestrator};
use muster_protocol::model::service::{SecretFile, ServiceSpec};
use muster_protocol::request::ServiceSource;
use muster_protocol::{Name, Request, SecretString};

/// A story with a part that is disturbed.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Its name, for the report.
    pub name: String,
    /// What is asked for before, undisturbed; each waits for the one before it.
    pub before: Vec<Request>,
    /// The change under proof.
    pub change: Request,
    /// The story without the deletion, if the cluster's deletion is asked for while the change is half done.
    pub undeleted: Option<Box<Scenario>>,
    /// Machines that must be there at the end; none if nothing may be there.
    pub machines: Option<u32>,
    /// Services that must be well at the end.
    pub services: Vec<Name>,
}

/// Every change that there is, and every change with a deletion in its middle.
pub fn all() -> Vec<Scenario> {
    let changes = changes();
    let deletions = changes.iter().filter(|scenario| scenario.machines.is_some()).map(|scenario| Scenario {
        name: format!("delete in the middle of {}", scenario.name),
        undeleted: Some(Box::new(scenario.clone())),
        machines: None,
        services: Vec::new(),
        ..scenario.clone()
    });
    let deletions: Vec<Scenario> = deletions.collect();
    changes.into_iter().chain(deletions).collect()
}

fn changes() -> Vec<Scenario> {
    let small = || create(1, 1);
    let with_service = || vec![small(), create_service(1)];
    let scenario =
        |name: &str, before: Vec<Request>, change: Request, machines: Option<u32>, services: &[&str]| Scenario {
            name: name.to_owned(),
            before,
            change,
            undeleted: None,
            machines,
            services: services.iter().map(|text| name_of(text)).collect(),
        };
    vec![
        scenario("create 1+2", vec![], create(1, 2), Some(3), &[]),
        scenario("create 3+1", vec![], create(3, 1), Some(4), &[]),
        scenario("scale workers up", vec![small()], scale(None, Some(3)), Some(4), &[]),
        scenario("scale workers down", vec![create(1, 3)], scale(None, Some(1)), Some(2), &[]),
        scenario("scale control planes up", vec![small()], scale(Some(3), None), Some(4), &[]),
        scenario("scale control planes down", vec![create(3, 1)], scale(Some(1), None), Some(2), &[]),
        scenario("service create", vec![small()], create_service(1), Some(2), &["web"]),
        scenario("service update", with_service(), update_service(3), Some(2), &["web"]),
        scenario("service scale", with_service(), scale_service(4), Some(2), &["web"]),
        scenario("service delete", with_service(), delete_service(), Some(2), &[]),
        scenario("delete", with_service(), delete(), None, &[]),
    ]
}

/// The one cluster of every scenario.
pub fn cluster() -> Name {
    name_of("proof")
}

/// The one service.
pub fn service() -> Name {
    name_of("web")
}

/// The deletion of the cluster.
pub fn delete() -> Request {
    Request::ClusterDelete { cluster: cluster(), idempotency_key: Some("delete".to_owned()) }
}

/// Another try of everything that failed.
pub fn retry() -> Request {
    Request::ClusterRetry { cluster: cluster(), idempotency_key: Some("retry".to_owned()) }
}

fn name_of(text: &str) -> Name {
    text.parse().unwrap_or_else(|error| panic!("`{text}` is a name: {error}"))
}

fn create(control_planes: u32, workers: u32) -> Request {
    let spec = ClusterSpec {
        name: cluster(),
        orchestrator: Orchestrator::Sim,
        infrastructure: Infrastructure::Sim,
        account: None,
        version: None,
        control_planes,
        workers,
        machine: MachineShape::default(),
        labels: BTreeMap::new(),
    };
    Request::ClusterCreate { spec, idempotency_key: Some("create".to_owned()) }
}

fn scale(control_planes: Option<u32>, workers: Option<u32>) -> Request {
    Request::ClusterScale { cluster: cluster(), control_planes, workers, idempotency_key: Some("scale".to_owned()) }
}

fn service_spec(replicas: u32) -> ServiceSpec {
    let secret = SecretFile { name: name_of("password"), value: Some(SecretString::new("hidden")), path: None };
    ServiceSpec {
        name: service(),
        image: "sim/web:1".to_owned(),
        command: vec![],
        args: vec![],
        env: BTreeMap::new(),
        secrets: vec![secret],
        files: vec![],
        mode: Default::default(),
        replicas,
        resources: Default::default(),
        ports: vec![],
        mounts: vec![],
        health: None,
        constraints: vec![],
        update: Default::default(),
        labels: BTreeMap::new(),
    }
}

fn create_service(replicas: u32) -> Request {
    let source = ServiceSource::Spec(Box::new(service_spec(replicas)));
    Request::ServiceCreate { cluster: cluster(), source, idempotency_key: Some("service-create".to_owned()) }
}

fn update_service(replicas: u32) -> Request {
    let mut spec = service_spec(replicas);
    spec.image = "sim/web:2".to_owned();
    spec.secrets[0].value = Some(SecretString::new("changed"));
    Request::ServiceUpdate {
        cluster: cluster(),
        spec: Box::new(spec),
        expected_generation: None,
        idempotency_key: Some("service-update".to_owned()),
    }
}

fn scale_service(replicas: u32) -> Request {
    let idempotency_key = Some("service-scale".to_owned());
    Request::ServiceScale { cluster: cluster(), service: service(), replicas, idempotency_key }
}

fn delete_service() -> Request {
    let idempotency_key = Some("service-delete".to_owned());
    Request::ServiceDelete { cluster: cluster(), service: service(), idempotency_key }
}
