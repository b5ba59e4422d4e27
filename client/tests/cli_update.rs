//! `muster service update` against a scripted server: what it reads, what it asks for, what it does if it is too late.

#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, reason = "test code, though not always in a test function")]

mod command;
mod support;

use command::{at, err, run};
use muster_client::protocol::model::operation::OperationPhase;
use muster_client::protocol::model::service::SecretFile;
use muster_client::protocol::{Error, ErrorCode, Request, Response, ServerFrame};
use support::{Server, name, service};

#[tokio::test]
async fn an_update_by_name_changes_only_what_is_given() {
    let server = Server::new();
    let line = "service update web --cluster demo --image nginx:2";
    let output = run(&server, line, |mut peer| async move {
        let (id, request) = peer.request().await;
        assert_eq!(request, Request::ServiceInfo { cluster: name("demo"), service: name("web") });
        let before = service();
        let mut expected = before.spec.clone();
        peer.answer(id, Response::Service(Box::new(before))).await;
        let (id, request) = peer.request().await;
        let Request::ServiceUpdate { cluster, spec, expected_generation, .. } = request else { panic!("{request:?}") };
        expected.image = "nginx:2".to_owned();
        assert_eq!((cluster, *spec, expected_generation), (name("demo"), expected, Some(service().generation)));
        peer.answer(id, Response::Operation(at(OperationPhase::Running, 0))).await;
    })
    .await;
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
}

fn of_another_generation() -> Error {
    Error::new(ErrorCode::Conflict, "it was changed").with_remedy("read it again").with_detail("generation", 2)
}

#[tokio::test]
async fn an_update_by_name_is_made_anew_of_what_somebody_else_has_changed_in_between() {
    let server = Server::new();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    std::fs::write(&path, "s3cret").unwrap();
    let line = format!("service update web --cluster demo --image nginx:2 --secret-file token={}", path.display());
    let output = run(&server, &line, |mut peer| async move {
        for (generation, replicas) in [(1, 2), (2, 7)] {
            let (id, request) = peer.request().await;
            assert_eq!(request, Request::ServiceInfo { cluster: name("demo"), service: name("web") });
            let mut read = service();
            (read.generation, read.spec.replicas) = (generation, replicas);
            read.spec.secrets = vec![SecretFile::new(name("token"), None)];
            peer.answer(id, Response::Service(Box::new(read))).await;
            let (id, request) = peer.request().await;
            let Request::ServiceUpdate { spec, expected_generation, .. } = request else { panic!("{request:?}") };
            assert_eq!(
                (spec.image.as_str(), spec.replicas, expected_generation),
                ("nginx:2", replicas, Some(generation))
            );
            assert_eq!(spec.secrets[0].value.as_ref().unwrap().expose(), b"s3cret");
            if generation == 1 {
                peer.send(ServerFrame::answer(id, Err(of_another_generation()))).await;
            } else {
                peer.answer(id, Response::Operation(at(OperationPhase::Running, 0))).await;
            }
        }
    })
    .await;
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
}

#[tokio::test]
async fn an_update_by_name_gives_up_after_a_few_conflicts_and_says_so() {
    let server = Server::new();
    let line = "service update web --cluster demo --image nginx:2";
    let output = run(&server, line, |mut peer| async move {
        for _ in 0..5 {
            let (id, _) = peer.request().await;
            peer.answer(id, Response::Service(Box::new(service()))).await;
            let (id, _) = peer.request().await;
            peer.send(ServerFrame::answer(id, Err(of_another_generation()))).await;
        }
    })
    .await;
    assert_eq!(output.status.code(), Some(4), "{}", err(&output));
    assert!(err(&output).contains("read it again"), "{}", err(&output));
}

#[tokio::test]
async fn an_update_from_a_file_says_all_of_the_service_and_expects_nothing() {
    let server = Server::new();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("web.yaml");
    std::fs::write(&path, "name: web\nimage: nginx:2\n").unwrap();
    let line = format!("service update --cluster demo -f {}", path.display());
    let output = run(&server, &line, |mut peer| async move {
        let (id, request) = peer.request().await;
        let Request::ServiceUpdate { expected_generation, .. } = request else { panic!("{request:?}") };
        assert_eq!(expected_generation, None);
        peer.answer(id, Response::Operation(at(OperationPhase::Running, 0))).await;
    })
    .await;
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
}
