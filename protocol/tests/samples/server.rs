//! What the server says, by the name of its golden file.

use muster_protocol::model::access::{AccessFile, AccessKind};
use muster_protocol::model::cluster::ClusterPhase;
use muster_protocol::model::container::ContainerPhase;
use muster_protocol::model::event::EventKind;
use muster_protocol::model::host::{HostPhase, Role};
use muster_protocol::model::operation::{OperationKind, OperationPhase};
use muster_protocol::model::service::{LogSource, ServicePhase};
use muster_protocol::model::token::AccessRole;
use muster_protocol::model::token::NewToken;
use muster_protocol::page::Page;
use muster_protocol::response::Whoami;
use muster_protocol::{
    Error, ErrorCode, ExecOutput, InstanceId, Principal, Response, SecretBytes, SecretString, ServerFrame, StreamItem,
};

use super::model::{
    account_check, account_info, at, audit_record, audit_verification, catalog, cluster_info, cluster_summary,
    container_info, event, finding, host_info, log_line, operation, plan, service_info, template, token_info,
};

const CLUSTER_PHASES: [ClusterPhase; 7] = [
    ClusterPhase::Creating,
    ClusterPhase::Ready,
    ClusterPhase::Updating,
    ClusterPhase::Degraded,
    ClusterPhase::Deleting,
    ClusterPhase::Deleted,
    ClusterPhase::Released,
];
const SERVICE_PHASES: [ServicePhase; 6] = [
    ServicePhase::Deploying,
    ServicePhase::Running,
    ServicePhase::Updating,
    ServicePhase::Degraded,
    ServicePhase::Complete,
    ServicePhase::Removing,
];
const HOST_PHASES: [HostPhase; 6] = [
    HostPhase::Creating,
    HostPhase::Preparing,
    HostPhase::Ready,
    HostPhase::NotReady,
    HostPhase::Missing,
    HostPhase::Removing,
];
const CONTAINER_PHASES: [ContainerPhase; 6] = [
    ContainerPhase::Pending,
    ContainerPhase::Starting,
    ContainerPhase::Running,
    ContainerPhase::Complete,
    ContainerPhase::Failed,
    ContainerPhase::Stopped,
];
const OPERATION_KINDS: [OperationKind; 8] = [
    OperationKind::ClusterCreate,
    OperationKind::ClusterScale,
    OperationKind::ClusterDelete,
    OperationKind::ClusterRetry,
    OperationKind::ServiceCreate,
    OperationKind::ServiceUpdate,
    OperationKind::ServiceScale,
    OperationKind::ServiceDelete,
];
const OPERATION_PHASES: [OperationPhase; 5] = [
    OperationPhase::Running,
    OperationPhase::Succeeded,
    OperationPhase::Failed,
    OperationPhase::Cancelled,
    OperationPhase::Superseded,
];
const EVENT_KINDS: [EventKind; 14] = [
    EventKind::OperationStarted,
    EventKind::OperationEnded,
    EventKind::ClusterPhase,
    EventKind::StepStarted,
    EventKind::StepDone,
    EventKind::StepFailed,
    EventKind::ServicePhase,
    EventKind::Host,
    EventKind::Account,
    EventKind::Daemon,
    EventKind::Session,
    EventKind::Access,
    EventKind::Token,
    EventKind::ContainerKilled,
];

fn page<T>(items: impl IntoIterator<Item = T>) -> Page<T> {
    Page { items: items.into_iter().collect(), next: Some("demo".to_owned()) }
}

/// Every variant of [`Response`], in its order. Lists hold one item for each value of the items' enums.
pub fn responses() -> Vec<(&'static str, Response)> {
    let hosts = HOST_PHASES.map(|phase| host_info(Role::Worker, phase));
    let managers = [host_info(Role::ControlPlane, HostPhase::Ready)];
    let operations = OPERATION_KINDS.map(|kind| operation(kind, OperationPhase::Running));
    let ended = OPERATION_PHASES.map(|phase| operation(OperationKind::ClusterCreate, phase));
    let whoami = Whoami {
        principal: Principal::user("anna"),
        uid: 1000,
        role: "operator".to_owned(),
        daemon_version: "0.1.0".to_owned(),
        instance: InstanceId::from_u128(5),
    };
    let access = AccessFile {
        kind: AccessKind::DockerContext,
        name: "demo.tar".to_owned(),
        role: AccessRole::Admin,
        not_after: at(123),
        content: SecretBytes::new(vec![1, 2, 255]),
    };
    let token = SecretString::new("mst_ci_s3cret");
    let new_token = NewToken { token, info: token_info(AccessRole::Operator) };
    vec![
        ("operation", Response::Operation(operation(OperationKind::ClusterCreate, OperationPhase::Running))),
        ("cluster", Response::Cluster(Box::new(cluster_info()))),
        ("clusters", Response::Clusters(page(CLUSTER_PHASES.map(cluster_summary)))),
        ("plan", Response::Plan(plan())),
        ("service", Response::Service(Box::new(service_info(ServicePhase::Running)))),
        ("services", Response::Services(page(SERVICE_PHASES.map(service_info)))),
        ("host", Response::Host(Box::new(host_info(Role::Worker, HostPhase::Ready)))),
        ("hosts", Response::Hosts(page(hosts.into_iter().chain(managers)))),
        ("container", Response::Container(Box::new(container_info(ContainerPhase::Running)))),
        ("containers", Response::Containers(page(CONTAINER_PHASES.map(container_info)))),
        ("catalog", Response::Catalog(catalog())),
        ("template", Response::Template(Box::new(template()))),
        ("operations", Response::Operations(page(operations.into_iter().chain(ended)))),
        ("account", Response::Account(account_info())),
        ("accounts", Response::Accounts(vec![account_info()])),
        ("account-check", Response::AccountCheck(account_check())),
        ("done", Response::Done),
        ("doctor", Response::Doctor(vec![finding()])),
        ("whoami", Response::Whoami(whoami)),
        ("access", Response::Access(Box::new(access))),
        ("audit", Response::Audit(page([audit_record()]))),
        ("audit-verification", Response::AuditVerification(audit_verification())),
        ("new-token", Response::NewToken(Box::new(new_token))),
        ("tokens", Response::Tokens(page(AccessRole::ALL.map(token_info)))),
        ("token-grant", Response::TokenGrant(Some(Box::new(token_info(AccessRole::Operator))))),
        ("text", Response::Text("up 1\n".to_owned())),
    ]
}

/// Every variant of [`StreamItem`], in its order, and every value of the items' enums.
pub fn items() -> Vec<(String, StreamItem)> {
    let operation = operation(OperationKind::ClusterCreate, OperationPhase::Running);
    let mut items = vec![("operation".to_owned(), StreamItem::Operation(operation))];
    items.extend(EVENT_KINDS.map(|kind| (format!("event-{kind}"), StreamItem::Event(event(kind)))));
    items.push(("log-stdout".to_owned(), StreamItem::Log(log_line(LogSource::Stdout))));
    items.push(("log-stderr".to_owned(), StreamItem::Log(log_line(LogSource::Stderr))));
    for (file, output) in [
        ("stdout", ExecOutput::Stdout(b"a\n".to_vec())),
        ("stderr", ExecOutput::Stderr(b"b\n".to_vec())),
        ("exit", ExecOutput::Exit(-1)),
    ] {
        items.push((format!("exec-{file}"), StreamItem::Exec(output)));
    }
    items.push(("bytes".to_owned(), StreamItem::Bytes(vec![0, 255])));
    items
}

/// One error of each code; the first can be retried.
pub fn errors() -> Vec<(String, Error)> {
    let mut errors: Vec<_> = ErrorCode::ALL
        .map(|code| {
            let error = Error::new(code, "it is so").with_remedy("do this").with_detail("field", "name");
            (format!("error-{code}"), error)
        })
        .into();
    errors.push(("error-later".to_owned(), Error::new(ErrorCode::Busy, "too much at once").retry_later()));
    errors
}

/// Every variant of every type that the server sends.
pub fn frames() -> Vec<(String, ServerFrame)> {
    let mut frames = Vec::new();
    for (file, response) in responses() {
        frames.push((format!("answer-{file}"), ServerFrame::answer(7, Ok(response))));
    }
    for (file, error) in errors() {
        frames.push((file, ServerFrame::answer(7, Err(error))));
    }
    for (file, item) in items() {
        frames.push((format!("item-{file}"), ServerFrame::item(7, item)));
    }
    frames.push(("credit".to_owned(), ServerFrame::credit(300, 16)));
    frames.push(("end".to_owned(), ServerFrame::end(300, Ok(()))));
    let stopping = Error::new(ErrorCode::Unavailable, "the daemon is stopping");
    frames.push(("end-error".to_owned(), ServerFrame::end(u64::MAX, Err(stopping))));
    frames
}
