//! Every operation at least once, as a user would go through them.
//!
//! Covers: createOrchestrator, deleteOrchestrator, getOrchestratorInfo, listOrchestrators, planOrchestrator,
//! scaleOrchestrator, retryOrchestrator, createOrchestratorService, deleteOrchestratorService,
//! getContainerServiceInfo, getOrchestratorsServiceInfo, updateOrchestratorService, scaleOrchestratorService,
//! refreshOrchestratorService, cancelOperation, addAccount, checkAccount, listAccounts, removeAccount, listCatalogTemplates,
//! getCatalogTemplateData, doctor, whoami.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures::TryStreamExt;
use muster_client::EventQuery;
use muster_engine::sim::{Call, CallKind, Fault, every};
use muster_protocol::model::account::{AccountSpec, Finding};
use muster_protocol::model::cluster::{ClusterPhase, ClusterSpec, Infrastructure, Orchestrator, Pool};
use muster_protocol::model::event::EventKind;
use muster_protocol::model::host::Role;
use muster_protocol::model::operation::{OperationInfo, OperationKind, OperationPhase};
use muster_protocol::model::plan::{PlanChange, StepStatus};
use muster_protocol::model::service::LogLine;
use muster_protocol::page::PageRequest;
use muster_protocol::request::ServiceSource;
use muster_protocol::{ErrorCode, OperationId};
use muster_store::Batch;
use musterd::config::LoginConfig;
use musterd::journal::records::StoredInstance;

use crate::support::{TestDaemon, name, service, spec, succeed, until};

#[tokio::test]
async fn a_cluster_is_planned_created_scaled_retried_and_deleted() {
    let daemon = TestDaemon::start().await;
    let client = daemon.client().await;
    let demo = name("demo");

    let planned = client.cluster_plan(PlanChange::Create(spec("demo"))).await.unwrap();
    assert!(planned.steps.iter().any(|step| step.name == "create machine/worker-2"), "{planned:?}");
    assert!(client.cluster_list(PageRequest::default()).await.unwrap().items.is_empty(), "a plan changes nothing");

    let created = succeed(&client, client.cluster_create(spec("demo"), None).await.unwrap()).await;
    assert_eq!(created.steps_done, created.steps_total);
    let again = client.cluster_create(spec("demo"), None).await.unwrap_err();
    assert_eq!(again.code(), ErrorCode::AlreadyExists);
    let info = client.cluster_info(&demo).await.unwrap();
    assert_eq!(info.summary.phase, ClusterPhase::Ready);
    assert_eq!((info.summary.control_planes.ready, info.summary.workers.ready), (1, 2));

    let change = PlanChange::Scale { cluster: demo.clone(), control_planes: None, workers: Some(3) };
    let planned = client.cluster_plan(change).await.unwrap();
    assert!(planned.steps.iter().any(|step| step.name == "create machine/worker-3"), "{planned:?}");
    succeed(&client, client.cluster_scale(&demo, None, Some(3), None).await.unwrap()).await;
    assert_eq!(client.host_list(Some(&demo), PageRequest::default()).await.unwrap().items.len(), 4);
    let nothing = client.cluster_scale(&demo, None, None, None).await.unwrap_err();
    assert_eq!(nothing.code(), ErrorCode::InvalidArgument);
    succeed(&client, client.cluster_retry(&demo, None).await.unwrap()).await;
    assert!(client.cluster_plan(PlanChange::Current { cluster: demo.clone() }).await.unwrap().steps.is_empty());

    let planned = client.cluster_plan(PlanChange::Delete { cluster: demo.clone() }).await.unwrap();
    assert!(planned.steps.iter().any(|step| step.name == "remove machine/worker-3"), "{planned:?}");
    succeed(&client, client.cluster_delete(&demo, None).await.unwrap()).await;
    assert_eq!(client.cluster_info(&demo).await.unwrap_err().code(), ErrorCode::NotFound);
    assert!(daemon.world.resources(daemon.daemon.instance(), info.summary.id).is_empty());
    let operations: Vec<_> = client.operations(None).try_collect().await.unwrap();
    assert_eq!(operations.len(), 4, "its history stays");
}

#[tokio::test]
async fn a_plan_refuses_what_a_create_refuses() {
    let daemon = TestDaemon::start().await;
    let client = daemon.client().await;
    let swarm = ClusterSpec {
        orchestrator: Orchestrator::Swarm,
        infrastructure: Infrastructure::Local,
        version: Some("27".to_owned()),
        ..spec("demo")
    };
    let planned = client.cluster_plan(PlanChange::Create(swarm.clone())).await.unwrap_err();
    let created = client.cluster_create(swarm, None).await.unwrap_err();
    for error in [planned.to_error(), created.to_error()] {
        assert_eq!((error.code, error.details["field"].as_str()), (ErrorCode::Unsupported, "version"));
        assert!(error.remedy.is_some());
    }
}

#[tokio::test]
async fn a_name_is_free_as_soon_as_the_deletion_has_ended() {
    let daemon = TestDaemon::start().await;
    let client = daemon.client().await;
    for _ in 0..10 {
        succeed(&client, client.cluster_create(spec("demo"), None).await.unwrap()).await;
        succeed(&client, client.cluster_delete(&name("demo"), None).await.unwrap()).await;
        assert!(client.cluster_list(PageRequest::default()).await.unwrap().items.is_empty());
    }
}

#[tokio::test]
async fn the_operations_of_a_cluster_are_those_of_the_last_one_of_its_name() {
    let daemon = TestDaemon::start().await;
    let client = daemon.client().await;
    let demo = name("demo");
    let kinds = async || {
        let operations: Vec<OperationInfo> = client.operations(Some(&demo)).try_collect().await.unwrap();
        operations.into_iter().map(|operation| operation.kind).collect::<Vec<_>>()
    };
    assert!(kinds().await.is_empty(), "nothing had the name yet");
    succeed(&client, client.cluster_create(spec("demo"), None).await.unwrap()).await;
    succeed(&client, client.cluster_delete(&demo, None).await.unwrap()).await;
    let of_the_first = [OperationKind::ClusterDelete, OperationKind::ClusterCreate];
    assert_eq!(kinds().await, of_the_first, "that of a cluster that is gone is still told");
    succeed(&client, client.cluster_create(spec("demo"), None).await.unwrap()).await;
    assert_eq!(kinds().await, [OperationKind::ClusterCreate], "the earlier cluster was another one");
    let all: Vec<OperationInfo> = client.operations(None).try_collect().await.unwrap();
    assert_eq!(all.len(), 3);
}

#[tokio::test]
async fn services_come_from_specs_and_templates_and_are_changed_and_removed() {
    let daemon = TestDaemon::start().await;
    let client = daemon.with_cluster("demo").await;
    let demo = name("demo");

    let source = ServiceSource::Spec(Box::new(service("web")));
    succeed(&client, client.service_create(&demo, source, None).await.unwrap()).await;
    let template = ServiceSource::Template { template: name("hello"), name: Some(name("hi")), values: BTreeMap::new() };
    succeed(&client, client.service_create(&demo, template, None).await.unwrap()).await;

    let web = client.service_info(&demo, &name("web")).await.unwrap();
    assert_eq!((web.ready, web.wanted), (2, 2));
    assert!(client.service_info(&demo, &name("hi")).await.unwrap().template.unwrap().starts_with("hello@"));
    let services: Vec<_> = client.services(None).try_collect().await.unwrap();
    assert_eq!(services.iter().map(|service| service.spec.name.as_str()).collect::<Vec<_>>(), ["hi", "web"]);

    let mut changed = service("web");
    changed.image = "nginx:1.29".to_owned();
    succeed(&client, client.service_update(&demo, changed, None, None).await.unwrap()).await;
    succeed(&client, client.service_scale(&demo, &name("web"), 3, None).await.unwrap()).await;
    let web = client.service_info(&demo, &name("web")).await.unwrap();
    assert_eq!((web.ready, web.spec.image.as_str()), (3, "nginx:1.29"));
    succeed(&client, client.service_refresh(&demo, &name("web"), None).await.unwrap()).await;
    let refreshed = client.service_info(&demo, &name("web")).await.unwrap();
    assert_eq!((refreshed.ready, refreshed.generation), (3, web.generation + 1));

    let containers: Vec<_> = client.containers(Some(&demo), Some(&name("web"))).try_collect().await.unwrap();
    assert_eq!(containers.len(), 3);
    let one = &containers[0];
    assert_eq!(client.container_info(&one.id).await.unwrap().name, one.name);
    assert_eq!(client.container_info("no-such-id").await.unwrap_err().code(), ErrorCode::NotFound);
    let logs = async |tail| {
        let lines: Vec<LogLine> = client.service_logs(&demo, &name("web"), false, tail).try_collect().await.unwrap();
        lines.into_iter().map(|line| line.text).collect::<Vec<_>>()
    };
    let last = ["web.1", "web.2", "web.3"].map(|copy| format!("{copy} is running with image nginx:1.29"));
    assert_eq!(logs(Some(1)).await, last, "the last of each container");
    assert_eq!(logs(Some(0)).await, [""; 0]);
    assert_eq!(logs(Some(5)).await.len(), 6, "no more than there are");
    assert_eq!(logs(Some(5)).await, logs(None).await);

    succeed(&client, client.service_delete(&demo, &name("web"), None).await.unwrap()).await;
    assert_eq!(client.service_info(&demo, &name("web")).await.unwrap_err().code(), ErrorCode::NotFound);
    let gone = client.service_delete(&demo, &name("web"), None).await.unwrap_err();
    assert_eq!(gone.code(), ErrorCode::NotFound);
}

#[tokio::test]
async fn lists_come_in_pages_over_all_clusters_in_order() {
    let daemon = TestDaemon::start().await;
    let client = daemon.client().await;
    for cluster in ["c", "a", "b"] {
        succeed(&client, client.cluster_create(spec(cluster), None).await.unwrap()).await;
    }
    let mut hosts = Vec::new();
    let mut page = PageRequest { limit: Some(2), after: None };
    loop {
        let part = client.host_list(None, page.clone()).await.unwrap();
        assert!(part.items.len() <= 2);
        hosts.extend(part.items.into_iter().map(|host| format!("{}/{}", host.cluster, host.name)));
        match part.next {
            Some(next) => page.after = Some(next),
            None => break,
        }
    }
    let of = |cluster| ["control-plane-1", "worker-1", "worker-2"].map(|host| format!("{cluster}/{host}"));
    assert_eq!(hosts, [of("a"), of("b"), of("c")].concat());
    let first = client.cluster_list(PageRequest { limit: Some(2), after: None }).await.unwrap();
    assert_eq!(first.items.len(), 2);
    let rest = client.cluster_list(PageRequest { limit: None, after: first.next }).await.unwrap();
    assert_eq!(rest.items.iter().map(|cluster| cluster.name.as_str()).collect::<Vec<_>>(), ["c"]);
    assert_eq!(
        client.cluster_list(PageRequest { limit: None, after: Some("x".into()) }).await.unwrap_err().code(),
        ErrorCode::InvalidArgument
    );
    let host = &client.host_list(None, PageRequest::default()).await.unwrap().items[0];
    assert_eq!(client.host_info(host.id).await.unwrap().name, host.name);
}

#[tokio::test]
async fn an_operation_can_be_cancelled_and_one_that_has_ended_stays_as_it_ended() {
    let daemon = TestDaemon::start().await;
    let client = daemon.with_cluster("demo").await;
    daemon.world.inject(|_| Some(muster_engine::sim::Fault::Slow(std::time::Duration::from_secs(600))));
    let scale = client.cluster_scale(&name("demo"), None, Some(5), None).await.unwrap();
    assert_eq!(client.operation_info(scale.id).await.unwrap().phase, OperationPhase::Running);
    let cancelled = client.operation_cancel(scale.id).await.unwrap();
    assert_eq!(cancelled.phase, OperationPhase::Cancelled);
    assert_eq!(client.operation_cancel(scale.id).await.unwrap().phase, OperationPhase::Cancelled);
    assert_eq!(client.cluster_info(&name("demo")).await.unwrap().spec.workers, 2);
    let unknown = client.operation_info(OperationId::generate()).await.unwrap_err();
    assert_eq!(unknown.code(), ErrorCode::NotFound);
    daemon.world.clear_faults();
}

#[tokio::test]
async fn accounts_are_checked_listed_and_not_removed_while_they_are_used() {
    let daemon = TestDaemon::start().await;
    let client = daemon.client().await;
    let account = AccountSpec {
        name: name("trial"),
        infrastructure: Infrastructure::Sim,
        endpoint: None,
        credentials: BTreeMap::new(),
        defaults: BTreeMap::new(),
    };
    client.account_add(account.clone()).await.unwrap();
    assert_eq!(client.account_check(&name("trial")).await.unwrap().account, Some(name("trial")));
    assert_eq!(client.account_check(&name("sim")).await.unwrap().account, None);
    assert_eq!(client.account_check(&name("nothing")).await.unwrap_err().code(), ErrorCode::NotFound);
    let elsewhere = AccountSpec { name: name("far"), infrastructure: Infrastructure::ClouditVm, ..account.clone() };
    assert_eq!(client.account_add(elsewhere).await.unwrap_err().code(), ErrorCode::Unsupported);

    let mut used = spec("demo");
    used.account = Some(name("trial"));
    succeed(&client, client.cluster_create(used, None).await.unwrap()).await;
    assert_eq!(client.account_list().await.unwrap()[0].clusters, 1);
    assert_eq!(client.account_remove(&name("trial")).await.unwrap_err().code(), ErrorCode::Conflict);
    let of_another_kind = AccountSpec { infrastructure: Infrastructure::Local, ..account };
    assert_eq!(client.account_add(of_another_kind).await.unwrap_err().code(), ErrorCode::Conflict);
    succeed(&client, client.cluster_delete(&name("demo"), None).await.unwrap()).await;
    client.account_remove(&name("trial")).await.unwrap();
    assert!(client.account_list().await.unwrap().is_empty());
    let events: Vec<_> = client.events(EventQuery::default()).try_collect().await.unwrap();
    assert_eq!(events.iter().filter(|event| event.kind == EventKind::Account).count(), 2);
}

#[tokio::test]
async fn the_catalog_doctor_and_whoami_answer() {
    let daemon = TestDaemon::start().await;
    let client = daemon.client().await;
    let catalog = client.catalog_list().await.unwrap();
    assert!(catalog.templates.iter().any(|template| template.name == name("nginx")));
    assert_eq!(client.catalog_show(&name("nginx")).await.unwrap().name, name("nginx"));
    assert_eq!(client.catalog_show(&name("ngins")).await.unwrap_err().code(), ErrorCode::NotFound);
    let findings = client.doctor().await.unwrap();
    for subject in ["store", "disk", "clock", "catalog"] {
        assert!(findings.iter().any(|finding| finding.subject == subject && finding.ok), "{subject}: {findings:?}");
    }
    let whoami = client.whoami().await.unwrap();
    assert_eq!((whoami.role.as_str(), whoami.instance), ("admin", daemon.daemon.instance()));
}

#[tokio::test]
async fn a_failure_is_in_the_clusters_info_within_a_second_with_step_code_and_next_try() {
    let daemon = TestDaemon::start().await;
    let client = daemon.client().await;
    daemon.world.keep_history();
    let refused = Fault::Refused { code: ErrorCode::Provider, permanent: false };
    daemon.world.inject(every(|call| call.kind == CallKind::Create, refused));
    // The best of a few, for a host may stall; a daemon that is slow to tell is so each time.
    let mut info = None;
    for number in 1..=10 {
        let cluster = name(&format!("demo-{number}"));
        let created = client.cluster_create(spec(cluster.as_str()), None).await.unwrap().cluster_id;
        let is_it = |call: &Call| call.kind == CallKind::Create && call.cluster == created;
        until("the provider was asked", async || daemon.world.history().iter().any(is_it)).await;
        let refused_at = Instant::now();
        until("the cause is shown", async || !client.cluster_info(&cluster).await.unwrap().causes.is_empty()).await;
        if refused_at.elapsed() < Duration::from_secs(1) {
            info = Some(client.cluster_info(&cluster).await.unwrap());
            break;
        }
    }

    let info = info.expect("the cause is shown within a second");
    let cause = &info.causes[0];
    assert_eq!((cause.code, cause.step.as_str()), (ErrorCode::Provider, "create network"));
    assert_eq!(cause.provider_code.as_deref(), Some("SimRefused"));
    assert!(cause.remedy.is_some());
    let step = info.steps.iter().find(|step| step.name == "create network").unwrap();
    assert_eq!(step.status, StepStatus::Retrying);
    assert!(step.attempts >= 1 && step.since.is_some() && step.waits_for.is_some(), "{step:?}");
    assert!(step.next_try.unwrap() < step.deadline.unwrap(), "{step:?}");
    assert_eq!(step.cause.as_ref(), Some(cause));
}

#[tokio::test]
async fn an_account_that_is_replaced_reaches_its_clusters_at_once_and_no_others() {
    let daemon = TestDaemon::start().await;
    let client = daemon.client().await;
    let account = AccountSpec {
        name: name("trial"),
        infrastructure: Infrastructure::Sim,
        endpoint: None,
        credentials: BTreeMap::new(),
        defaults: BTreeMap::new(),
    };
    client.account_add(account.clone()).await.unwrap();
    let mut used = spec("demo");
    used.account = Some(name("trial"));
    let demo = succeed(&client, client.cluster_create(used, None).await.unwrap()).await.cluster_id;
    let other = succeed(&client, client.cluster_create(spec("other"), None).await.unwrap()).await.cluster_id;
    let pinned = |cluster| daemon.daemon.board().cluster_by_id(cluster).unwrap();
    let supervisor_of = |cluster| pinned(cluster).supervisor.map(|actor| actor.get_id());
    let before = [demo, other].map(supervisor_of);
    assert!(before.iter().all(Option::is_some));
    let replaced_at = daemon.daemon.context().now();
    client.account_add(account).await.unwrap();
    // What the one before has seen is not handed on.
    let has_looked = |cluster| pinned(cluster).state.observed.orchestrator_at >= Some(replaced_at);
    until("it is looked at by a new supervisor", async || {
        supervisor_of(demo).is_some_and(|new| Some(new) != before[0]) && has_looked(demo)
    })
    .await;
    assert_eq!(supervisor_of(other), before[1], "who does not use the account goes on as before");
    let scaled = client.cluster_scale(&name("demo"), None, Some(3), None).await.unwrap();
    succeed(&client, scaled).await;
}

#[tokio::test]
async fn a_cluster_has_the_machines_of_all_its_pools_and_no_option_that_its_kinds_do_not_know() {
    let daemon = TestDaemon::start().await;
    let client = daemon.client().await;
    let pools =
        vec![Pool::new(name("large"), Role::Worker, 2), Pool::new(name("control-plane-b"), Role::ControlPlane, 2)];
    let pooled = ClusterSpec { pools, ..spec("demo") };
    let ended = client.cluster_create(pooled.clone(), None).await.unwrap();
    let cluster = succeed(&client, ended).await.cluster;
    let hosts = client.host_list(Some(&cluster), PageRequest::default()).await.unwrap().items;
    let mut names: Vec<String> = hosts.iter().map(|host| format!("{} {}", host.name, host.role)).collect();
    names.sort();
    let expected = [
        "control-plane-1 control-plane",
        "control-plane-b-1 control-plane",
        "control-plane-b-2 control-plane",
        "large-1 worker",
        "large-2 worker",
        "worker-1 worker",
        "worker-2 worker",
    ];
    assert_eq!(names, expected);
    let info = client.cluster_info(&cluster).await.unwrap();
    assert_eq!((info.summary.control_planes.ready, info.summary.workers.ready), (3, 4));
    let scaled = client.cluster_scale(&cluster, None, Some(0), None).await.unwrap();
    succeed(&client, scaled).await;
    assert_eq!(client.cluster_info(&cluster).await.unwrap().summary.workers.wanted, 2);

    let options = [("podCidr".to_owned(), "10.1.0.0/16".to_owned())].into();
    let refused = client.cluster_create(ClusterSpec { options, ..spec("other") }, None).await.unwrap_err().to_error();
    assert_eq!((refused.code, refused.details["field"].as_str()), (ErrorCode::Unsupported, "options.podCidr"));
}

#[tokio::test]
async fn the_doctor_says_each_thing_that_is_wrong_with_its_remedy() {
    let passwords = tempfile::tempdir().unwrap();
    let password_file = passwords.path().join("password");
    std::fs::write(&password_file, "hunter2\n").unwrap();
    let daemon = TestDaemon::with(|config| {
        let login = LoginConfig { user: "me".to_owned(), password_file: password_file.clone() };
        config.logins.insert("registry.example".to_owned(), login);
    })
    .await;
    let client = daemon.client().await;
    let wrong = async || -> BTreeMap<String, Finding> {
        let findings = client.doctor().await.unwrap();
        // The host of a test has what it has.
        let ours =
            findings.into_iter().filter(|finding| !["disk", "docker engine"].contains(&finding.subject.as_str()));
        ours.filter(|finding| !finding.ok).map(|finding| (finding.subject.clone(), finding)).collect()
    };
    for subject in ["store", "clock", "catalog", "logins", "leftovers", "broken: docker engine"] {
        assert!(!wrong().await.contains_key(subject), "{subject}");
    }

    let context = daemon.daemon.context();
    let endpoint = daemon.folder.path().join("nobody.sock").display().to_string();
    let account = AccountSpec {
        name: name("broken"),
        infrastructure: Infrastructure::Local,
        endpoint: Some(endpoint),
        credentials: BTreeMap::new(),
        defaults: BTreeMap::new(),
    };
    client.account_add(account).await.unwrap();
    std::fs::remove_file(&password_file).unwrap();
    let templates = daemon.folder.path().join("templates");
    std::fs::create_dir_all(&templates).unwrap();
    std::fs::write(templates.join("bad.yaml"), "name: [").unwrap();
    let clock = &context.provisioner.shared.clock;
    clock.not_before(clock.now() + Duration::from_secs(3600));
    let mut batch = Batch::new();
    batch.delete::<StoredInstance>(StoredInstance::KEY).unwrap();
    context.store.commit(batch).await.unwrap();

    let wrong = wrong().await;
    for (subject, said) in [
        ("store", "the installation's own record is missing"),
        ("clock", "less than it did"),
        ("catalog", "bad.yaml"),
        ("logins", "registry.example"),
        ("broken: docker engine", "does not answer"),
    ] {
        let finding = wrong.get(subject).unwrap_or_else(|| panic!("no {subject} in {wrong:#?}"));
        assert!(finding.message.contains(said), "{finding:?}");
        assert!(finding.cause.as_ref().unwrap().remedy.is_some(), "{finding:?}");
    }
}
