//! What is asked for in the scenarios. Idempotency keys are fixed, so the same request is the same change.

use std::collections::BTreeMap;

use muster_protocol::model::account::AccountSpec;
use muster_protocol::model::cluster::{ClusterSpec, Infrastructure, Orchestrator};
use muster_protocol::model::service::{SecretFile, ServiceSpec};
use muster_protocol::request::ServiceSource;
use muster_protocol::{Name, OperationId, Request, SecretBytes, SecretString};

/// The version of a cluster that names one.
const VERSION: &str = "1.35.4";
/// What it is upgraded to.
pub const NEXT_VERSION: &str = "1.36.1";

/// The one cluster of every scenario.
pub fn cluster() -> Name {
    name_of("proof")
}

/// The one service.
pub fn service() -> Name {
    name_of("web")
}

/// The one account.
pub fn account() -> Name {
    name_of("cloud")
}

/// The name of its one credential.
pub const KEY: &str = "key";
/// The value of that at first.
pub const OLD_KEY: &str = "old";
/// And after it was replaced.
pub const NEW_KEY: &str = "new";

/// An infrastructure whose accounts have credentials. What answers there is the simulated one all the same.
const WITH_KEYS: Infrastructure = Infrastructure::ClouditVm;

/// The deletion of the cluster.
pub fn delete() -> Request {
    delete_as("delete")
}

/// The deletion of what the story has left.
pub fn clean_up() -> Request {
    delete_as("clean-up")
}

fn delete_as(key: &str) -> Request {
    Request::ClusterDelete { cluster: cluster(), idempotency_key: Some(key.to_owned()) }
}

/// Another version of the orchestrator.
pub fn upgrade_to(version: &str) -> Request {
    Request::ClusterUpgrade {
        cluster: cluster(),
        version: Some(version.to_owned()),
        idempotency_key: Some("upgrade".to_owned()),
    }
}

/// New certificates.
pub fn renew() -> Request {
    Request::ClusterRenew { cluster: cluster(), idempotency_key: Some("renew".to_owned()) }
}

/// Another try of everything that failed.
pub fn retry() -> Request {
    retry_as("retry")
}

/// The same, when somebody has mended why.
pub fn help() -> Request {
    retry_as("help")
}

fn retry_as(key: &str) -> Request {
    Request::ClusterRetry { cluster: cluster(), idempotency_key: Some(key.to_owned()) }
}

/// The end of an operation.
pub fn cancel(id: OperationId) -> Request {
    Request::OperationCancel { id }
}

/// The account with this key, whether it is new or takes the place of another.
pub fn add_account(key: &str) -> Request {
    let credentials = BTreeMap::from([(KEY.to_owned(), SecretString::new(key))]);
    let (endpoint, defaults) = (None, BTreeMap::new());
    let spec = AccountSpec { name: account(), infrastructure: WITH_KEYS, endpoint, credentials, defaults };
    Request::AccountAdd { spec }
}

/// The account's removal.
pub fn remove_account() -> Request {
    Request::AccountRemove { account: account() }
}

fn name_of(text: &str) -> Name {
    text.parse().unwrap_or_else(|error| panic!("`{text}` is a name: {error}"))
}

/// A cluster of so many machines.
pub fn create(control_planes: u32, workers: u32) -> Request {
    create_on(Infrastructure::Sim, None, control_planes, workers)
}

/// The same with [`VERSION`].
pub fn create_at(control_planes: u32, workers: u32) -> Request {
    let mut request = create(control_planes, workers);
    if let Request::ClusterCreate { spec, .. } = &mut request {
        spec.version = Some(VERSION.to_owned());
    }
    request
}

/// A cluster that uses the account.
pub fn create_with_account(control_planes: u32, workers: u32) -> Request {
    create_on(WITH_KEYS, Some(account()), control_planes, workers)
}

fn create_on(infrastructure: Infrastructure, account: Option<Name>, control_planes: u32, workers: u32) -> Request {
    let blank = ClusterSpec::new(cluster(), Orchestrator::Sim, infrastructure);
    let spec = ClusterSpec { account, control_planes, workers, ..blank };
    Request::ClusterCreate { spec, idempotency_key: Some("create".to_owned()) }
}

/// Other numbers of machines.
pub fn scale(control_planes: Option<u32>, workers: Option<u32>) -> Request {
    Request::ClusterScale { cluster: cluster(), control_planes, workers, idempotency_key: Some("scale".to_owned()) }
}

/// The service at first.
pub fn service_spec(replicas: u32) -> ServiceSpec {
    let secret = SecretFile::new(name_of("password"), Some(SecretBytes::new("hidden")));
    ServiceSpec { secrets: vec![secret], replicas, ..ServiceSpec::new(service(), "sim/web:1") }
}

/// The service with another image and another secret.
pub fn updated_service_spec(replicas: u32) -> ServiceSpec {
    let mut spec = service_spec(replicas);
    spec.image = "sim/web:2".to_owned();
    spec.secrets[0].value = Some(SecretBytes::new("changed"));
    spec
}

/// The service's creation.
pub fn create_service(replicas: u32) -> Request {
    let source = ServiceSource::Spec(Box::new(service_spec(replicas)));
    Request::ServiceCreate { cluster: cluster(), source, idempotency_key: Some("service-create".to_owned()) }
}

/// Its update.
pub fn update_service(replicas: u32) -> Request {
    Request::ServiceUpdate {
        cluster: cluster(),
        spec: Box::new(updated_service_spec(replicas)),
        expected_generation: None,
        idempotency_key: Some("service-update".to_owned()),
    }
}

/// Another number of its copies.
pub fn scale_service(replicas: u32) -> Request {
    let idempotency_key = Some("service-scale".to_owned());
    Request::ServiceScale { cluster: cluster(), service: service(), replicas, idempotency_key }
}

/// Its deletion.
pub fn delete_service() -> Request {
    let idempotency_key = Some("service-delete".to_owned());
    Request::ServiceDelete { cluster: cluster(), service: service(), idempotency_key }
}
