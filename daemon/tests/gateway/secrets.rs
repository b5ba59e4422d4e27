//! Values of secrets are kept as long as anything may return to them, and no longer.
//!
//! Covers: createOrchestratorService, updateOrchestratorService, deleteOrchestratorService, cancelOperation.

use muster_client::Client;
use muster_engine::desired::ServiceVersion;
use muster_protocol::model::operation::OperationPhase;
use muster_protocol::model::service::{SecretFile, ServiceSpec};
use muster_protocol::request::ServiceSource;
use muster_protocol::{Name, OperationId, SecretBytes, ServiceId};
use musterd::journal::vault::SecretValues;

use crate::support::{TestDaemon, name, service, succeed, until};

/// An image that never becomes well in the simulated world.
const BROKEN: &str = "sim/broken:1";

fn with_password(image: &str, value: Option<&str>) -> ServiceSpec {
    let value = value.map(SecretBytes::new);
    let secrets = vec![SecretFile::new(name("password"), value)];
    ServiceSpec { image: image.to_owned(), secrets, ..service("web") }
}

async fn create(client: &Client, cluster: &Name, spec: ServiceSpec) -> OperationId {
    client.service_create(cluster, ServiceSource::Spec(Box::new(spec)), None).await.unwrap().id
}

/// The service's id and what is asked for now.
fn wanted(daemon: &TestDaemon, cluster: &Name) -> (ServiceId, ServiceVersion) {
    let state = daemon.daemon.board().cluster(cluster).unwrap().state;
    let service = &state.services[&name("web")];
    (service.id, service.version.clone())
}

async fn values(daemon: &TestDaemon, (service, version): &(ServiceId, ServiceVersion)) -> SecretValues {
    let context = daemon.daemon.context();
    context.provisioner.shared.vault.secrets(*service, version.secrets_version).await.unwrap()
}

#[tokio::test]
async fn a_cancelled_change_returns_to_the_secrets_that_were_there_before_it() {
    let daemon = TestDaemon::start().await;
    let client = daemon.with_cluster("demo").await;
    let demo = name("demo");
    // Never well, so that there is no last good version to keep the values for.
    create(&client, &demo, with_password(BROKEN, Some("first"))).await;
    let first = wanted(&daemon, &demo);

    let update = client.service_update(&demo, with_password(BROKEN, Some("second")), None, None).await.unwrap();
    let second = wanted(&daemon, &demo);
    assert_eq!(values(&daemon, &second).await[&name("password")].expose(), b"second");
    let cancelled = client.operation_cancel(update.id).await.unwrap();
    assert_eq!(cancelled.phase, OperationPhase::Cancelled);
    assert_eq!(wanted(&daemon, &demo), first);
    assert_eq!(values(&daemon, &first).await[&name("password")].expose(), b"first");
    assert!(values(&daemon, &second).await.is_empty(), "nothing can return to it any more");

    let kept = client.service_update(&demo, with_password("nginx:1", None), None, None).await.unwrap();
    succeed(&client, kept).await;
    assert_eq!(values(&daemon, &wanted(&daemon, &demo)).await[&name("password")].expose(), b"first");
}

#[tokio::test]
async fn secrets_go_with_their_service() {
    let daemon = TestDaemon::start().await;
    let client = daemon.with_cluster("demo").await;
    let demo = name("demo");
    let created = create(&client, &demo, with_password("nginx:1", Some("first"))).await;
    until("the service runs", async || client.operation_info(created).await.unwrap().phase.is_ended()).await;
    let first = wanted(&daemon, &demo);
    succeed(&client, client.service_update(&demo, with_password("nginx:2", Some("second")), None, None).await.unwrap())
        .await;
    let second = wanted(&daemon, &demo);
    assert!(values(&daemon, &first).await.is_empty(), "the second is the last good one now");
    succeed(&client, client.service_delete(&demo, &name("web"), None).await.unwrap()).await;
    assert!(values(&daemon, &second).await.is_empty());
}

#[tokio::test]
async fn the_secrets_of_a_cluster_and_of_its_services_go_with_the_cluster() {
    let daemon = TestDaemon::start().await;
    let client = daemon.with_cluster("demo").await;
    let demo = name("demo");
    let created = create(&client, &demo, with_password("nginx:1", Some("first"))).await;
    until("the service runs", async || client.operation_info(created).await.unwrap().phase.is_ended()).await;
    let service = wanted(&daemon, &demo);
    assert!(!values(&daemon, &service).await.is_empty());
    let vault = &daemon.daemon.context().provisioner.shared.vault;
    let cluster = client.cluster_info(&demo).await.unwrap().summary.id;
    assert!(vault.material(cluster).await.unwrap().is_some(), "its keys and certificates");

    succeed(&client, client.cluster_delete(&demo, None).await.unwrap()).await;
    assert!(values(&daemon, &service).await.is_empty());
    assert!(vault.material(cluster).await.unwrap().is_none());
}
