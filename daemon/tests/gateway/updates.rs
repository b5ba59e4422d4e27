//! Updates of one service by several clients: none undoes, unseen, what another has done.
//!
//! Covers: updateOrchestratorService.

use muster_protocol::ErrorCode;
use muster_protocol::model::service::{SecretFile, ServiceSpec};
use muster_protocol::request::ServiceSource;

use crate::support::{TestDaemon, name, service, succeed};

#[tokio::test]
async fn of_two_updates_made_of_the_same_generation_one_is_refused_and_undoes_nothing() {
    let daemon = TestDaemon::start().await;
    let client = daemon.with_cluster("demo").await;
    let (demo, web) = (name("demo"), name("web"));
    let source = ServiceSource::Spec(Box::new(service("web")));
    succeed(&client, client.service_create(&demo, source, None).await.unwrap()).await;
    let read = client.service_info(&demo, &web).await.unwrap();
    let key = |key: &str| Some(key.to_owned());

    let first = ServiceSpec { image: "nginx:1.29".to_owned(), ..read.spec.clone() };
    let update = client.service_update(&demo, first.clone(), Some(read.generation), key("first")).await.unwrap();
    succeed(&client, update.clone()).await;
    // Who asks again has read again, and finds the change made already.
    let again = client.service_update(&demo, first, Some(read.generation + 1), key("first")).await.unwrap();
    assert_eq!(again.id, update.id);

    // Its secret is not there any more either, but that it is of another generation is the reason for that.
    let mut second = read.spec;
    second.replicas = 3;
    second.secrets.push(SecretFile::new(name("gone"), None));
    let refused = client.service_update(&demo, second, Some(read.generation), key("second")).await.unwrap_err();
    assert_eq!(refused.code(), ErrorCode::Conflict);
    let now = client.service_info(&demo, &web).await.unwrap();
    assert_eq!((now.spec.image.as_str(), now.spec.replicas, now.generation), ("nginx:1.29", 2, read.generation + 1));
    assert_eq!(refused.to_error().details["generation"], now.generation.to_string());
}
