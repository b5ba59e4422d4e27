//! What operators may do on the machines themselves.
//!
//! Covers: createOrchestrator, planOrchestrator, createOrchestratorService, updateOrchestratorService.

use std::fs;

use muster_client::Client;
use muster_protocol::model::plan::PlanChange;
use muster_protocol::model::service::{Mount, MountKind, ServiceSpec};
use muster_protocol::request::ServiceSource;
use muster_protocol::{ErrorCode, Principal};

use crate::support::{TestDaemon, name, service, spec, succeed};

fn binding(path: &str) -> ServiceSpec {
    let mount =
        Mount { kind: MountKind::Bind, source: Some(path.to_owned()), target: "/data".to_owned(), read_only: true };
    ServiceSpec { mounts: vec![mount], ..service("web") }
}

/// A daemon with a cluster, its administrator, and an operator.
async fn world() -> (TestDaemon, Client, Client) {
    let daemon = TestDaemon::with(|config| {
        config.access.trusted.insert(rustix::process::geteuid().as_raw().to_string());
        config.access.operator.users.insert("user:otto".to_owned());
        config.policy.bind.push("/srv".to_owned());
    })
    .await;
    let admin = daemon.with_cluster("demo").await;
    let operator = admin.on_behalf_of(Principal::user("otto"));
    (daemon, admin, operator)
}

#[tokio::test]
async fn an_operator_binds_no_path_of_a_machine_that_nobody_has_allowed() {
    let (daemon, admin, operator) = world().await;
    let cluster = name("demo");
    let spelt_out = |spec: ServiceSpec| ServiceSource::Spec(Box::new(spec));
    let denied = operator.service_create(&cluster, spelt_out(binding("/")), None).await.unwrap_err();
    assert_eq!(denied.code(), ErrorCode::PermissionDenied);
    assert!(admin.service_info(&cluster, &name("web")).await.is_err(), "nothing is made");
    succeed(&admin, operator.service_create(&cluster, spelt_out(binding("/srv/www")), None).await.unwrap()).await;

    let denied = operator.service_update(&cluster, binding("/etc"), None, None).await.unwrap_err();
    assert_eq!(denied.code(), ErrorCode::PermissionDenied);
    succeed(&admin, admin.service_update(&cluster, binding("/etc"), None, None).await.unwrap()).await;
    let with_label = ServiceSpec { labels: [("a".to_owned(), "b".to_owned())].into(), ..binding("/etc") };
    succeed(&admin, operator.service_update(&cluster, with_label, None, None).await.unwrap()).await;

    let templates = daemon.folder.path().join("templates");
    fs::create_dir_all(&templates).unwrap();
    let template = |grants: &str| {
        format!(
            "name: host-clock\nversion: '1'\ntitle: Clock\ndescription: Reads the time zone of the machine.\n{grants}services:\n  main:\n    image: app:1\n    mounts: [{{kind: bind, source: /etc/localtime, target: /clock, readOnly: true}}]\n"
        )
    };
    let create = || ServiceSource::Template { template: name("host-clock"), name: None, values: [].into() };
    fs::write(templates.join("host-clock.yaml"), template("")).unwrap();
    let denied = operator.service_create(&cluster, create(), None).await.unwrap_err();
    assert_eq!(denied.code(), ErrorCode::PermissionDenied);
    fs::write(templates.join("host-clock.yaml"), template("grants: {bind: [/etc/localtime]}\n")).unwrap();
    succeed(&admin, operator.service_create(&cluster, create(), None).await.unwrap()).await;
}

#[tokio::test]
async fn an_operator_chooses_no_machine_image_that_nobody_has_allowed() {
    let (_daemon, admin, operator) = world().await;
    let mut chosen = spec("other");
    chosen.machine.image = Some("evil:1".to_owned());
    let denied = operator.cluster_create(chosen.clone(), None).await.unwrap_err();
    assert_eq!(denied.code(), ErrorCode::PermissionDenied);
    let denied = operator.cluster_plan(PlanChange::Create(chosen.clone())).await.unwrap_err();
    assert_eq!(denied.code(), ErrorCode::PermissionDenied);
    succeed(&admin, admin.cluster_create(chosen, None).await.unwrap()).await;
}
