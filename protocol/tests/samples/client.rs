//! What clients say, by the name of its golden file.

use muster_protocol::model::access::AccessKind;
use muster_protocol::model::cluster::{Infrastructure, Orchestrator};
use muster_protocol::model::plan::PlanChange;
use muster_protocol::model::token::AccessRole;
use muster_protocol::page::PageRequest;
use muster_protocol::request::ServiceSource;
use muster_protocol::{
    ClientFrame, MachineId, OperationId, Principal, Request, SecretString, StreamInput, TerminalSize,
};

use super::model::{account_spec, at, cluster_spec, name, plain_cluster_spec, token_spec};
use super::service::{processes, service_spec, variations};

/// Every variant of [`Request`], in its order, most with every field filled.
pub fn requests() -> Vec<(String, Request)> {
    let cluster = || name("demo");
    let service = || name("web");
    let key = || Some("key-1".to_owned());
    let page = || PageRequest { limit: Some(1000), after: Some("demo".to_owned()) };
    let id = OperationId::from_u128(2);
    [
        ("cluster-create", Request::ClusterCreate { spec: cluster_spec(), idempotency_key: key() }),
        ("cluster-delete", Request::ClusterDelete { cluster: cluster(), idempotency_key: key() }),
        ("cluster-info", Request::ClusterInfo { cluster: cluster() }),
        ("cluster-list", Request::ClusterList { page: page() }),
        ("cluster-plan", Request::ClusterPlan { change: PlanChange::Create(cluster_spec()) }),
        (
            "cluster-scale",
            Request::ClusterScale {
                cluster: cluster(),
                control_planes: Some(3),
                workers: Some(300),
                idempotency_key: key(),
            },
        ),
        ("cluster-retry", Request::ClusterRetry { cluster: cluster(), idempotency_key: key() }),
        (
            "cluster-upgrade",
            Request::ClusterUpgrade { cluster: cluster(), version: Some("1.36".to_owned()), idempotency_key: key() },
        ),
        ("cluster-renew", Request::ClusterRenew { cluster: cluster(), idempotency_key: key() }),
        (
            "service-create",
            Request::ServiceCreate {
                cluster: cluster(),
                source: ServiceSource::Spec(Box::new(service_spec())),
                idempotency_key: key(),
            },
        ),
        ("service-delete", Request::ServiceDelete { cluster: cluster(), service: service(), idempotency_key: key() }),
        ("service-info", Request::ServiceInfo { cluster: cluster(), service: service() }),
        ("service-list", Request::ServiceList { cluster: Some(cluster()), page: page() }),
        (
            "service-update",
            Request::ServiceUpdate {
                cluster: cluster(),
                spec: Box::new(service_spec()),
                expected_generation: Some(300),
                idempotency_key: key(),
            },
        ),
        (
            "service-scale",
            Request::ServiceScale { cluster: cluster(), service: service(), replicas: 4, idempotency_key: key() },
        ),
        (
            "service-logs",
            Request::ServiceLogs { cluster: cluster(), service: service(), follow: true, tail: Some(100) },
        ),
        ("host-info", Request::HostInfo { id: MachineId::from_u128(4) }),
        ("host-list", Request::HostList { cluster: Some(cluster()), page: page() }),
        ("container-info", Request::ContainerInfo { id: "c1".to_owned() }),
        ("container-list", Request::ContainerList { cluster: Some(cluster()), service: Some(service()), page: page() }),
        ("catalog-list", Request::CatalogList),
        ("catalog-show", Request::CatalogShow { template: name("hello") }),
        ("operation-info", Request::OperationInfo { id }),
        ("operation-list", Request::OperationList { cluster: Some(cluster()), page: page() }),
        ("operation-watch", Request::OperationWatch { id }),
        ("operation-cancel", Request::OperationCancel { id }),
        ("events", Request::Events { since: Some(70_000), cluster: Some(cluster()), follow: true }),
        ("account-add", Request::AccountAdd { spec: account_spec() }),
        ("account-check", Request::AccountCheck { account: name("aws") }),
        ("account-list", Request::AccountList),
        ("account-remove", Request::AccountRemove { account: name("aws") }),
        ("doctor", Request::Doctor),
        ("whoami", Request::Whoami),
        (
            "container-exec",
            Request::ContainerExec {
                cluster: cluster(),
                service: service(),
                container: Some("c1".to_owned()),
                command: vec!["sh".to_owned(), "-c".to_owned()],
                tty: true,
            },
        ),
        ("service-port-forward", Request::ServicePortForward { cluster: cluster(), service: service(), port: 8080 }),
        (
            "cluster-access",
            Request::ClusterAccess {
                cluster: cluster(),
                kind: Some(AccessKind::Kubeconfig),
                role: Some(AccessRole::Operator),
                valid_seconds: Some(3600),
            },
        ),
        (
            "audit-list",
            Request::AuditList { since: Some(at(1)), principal: Some(Principal::token("ci")), page: page() },
        ),
        ("audit-verify", Request::AuditVerify),
        ("token-create", Request::TokenCreate { spec: token_spec() }),
        ("token-list", Request::TokenList { page: page() }),
        ("token-revoke", Request::TokenRevoke { token: name("ci") }),
        ("token-resolve", Request::TokenResolve { token: SecretString::new("mst_ci_s3cret") }),
        ("metrics", Request::Metrics),
        ("service-refresh", Request::ServiceRefresh { cluster: cluster(), service: service(), idempotency_key: key() }),
    ]
    .map(|(file, request)| (file.to_owned(), request))
    .into()
}

/// Other forms of the same variants: what may be left out is left out, and the other values of their enums.
fn other_forms() -> Vec<(String, Request)> {
    let template = ServiceSource::Template {
        template: name("hello"),
        name: Some(name("web")),
        values: [("password".to_owned(), SecretString::new("s3cret"))].into(),
    };
    let changes = [
        ("scale", PlanChange::Scale { cluster: name("demo"), control_planes: Some(3), workers: None }),
        ("delete", PlanChange::Delete { cluster: name("demo") }),
        ("current", PlanChange::Current { cluster: name("demo") }),
    ];
    let mut forms = vec![
        ("cluster-list-first".to_owned(), Request::ClusterList { page: PageRequest::default() }),
        ("events-all".to_owned(), Request::Events { since: None, cluster: None, follow: false }),
        (
            "service-create-template".to_owned(),
            Request::ServiceCreate { cluster: name("demo"), source: template, idempotency_key: None },
        ),
    ];
    for (change, plan) in changes {
        forms.push((format!("cluster-plan-{change}"), Request::ClusterPlan { change: plan }));
    }
    let access = |kind, role| Request::ClusterAccess { cluster: name("demo"), kind, role, valid_seconds: None };
    forms.push(("cluster-access-own".to_owned(), access(None, None)));
    for kind in AccessKind::ALL {
        forms.push((format!("cluster-access-{kind}"), access(Some(kind), None)));
    }
    for role in AccessRole::ALL {
        forms.push((format!("cluster-access-{role}"), access(None, Some(role))));
    }
    for orchestrator in Orchestrator::ALL {
        let spec = plain_cluster_spec(orchestrator, Infrastructure::Sim);
        forms.push((format!("cluster-create-{orchestrator}"), Request::ClusterCreate { spec, idempotency_key: None }));
    }
    for infrastructure in Infrastructure::ALL {
        let spec = plain_cluster_spec(Orchestrator::Sim, infrastructure);
        forms.push((
            format!("cluster-create-on-{infrastructure}"),
            Request::ClusterCreate { spec, idempotency_key: None },
        ));
    }
    let (cluster, spec) = (name("demo"), Box::new(processes()));
    let request = Request::ServiceUpdate { cluster, spec, expected_generation: None, idempotency_key: None };
    forms.push(("service-update-processes".to_owned(), request));
    for (number, spec) in variations().into_iter().enumerate() {
        let (cluster, spec) = (name("demo"), Box::new(spec));
        let request = Request::ServiceUpdate { cluster, spec, expected_generation: None, idempotency_key: None };
        forms.push((format!("service-update-{number}"), request));
    }
    forms
}

/// Every variant of every type that a client sends.
pub fn frames() -> Vec<(String, ClientFrame)> {
    let requests = requests().into_iter().chain(other_forms());
    let mut frames: Vec<_> =
        requests.map(|(file, request)| (format!("request-{file}"), ClientFrame::request(7, request))).collect();
    frames.push(("credit".to_owned(), ClientFrame::credit(300, 64)));
    frames.push(("cancel".to_owned(), ClientFrame::cancel(u64::MAX)));
    let principal = Principal::token("ci");
    frames.push(("request-on-behalf".to_owned(), ClientFrame::request_for(7, principal.clone(), Request::Whoami)));
    for (file, address) in [("4", "192.0.2.7"), ("6", "2001:db8::7")] {
        let frame = ClientFrame::request_from(7, principal.clone(), address.parse().unwrap(), Request::Whoami);
        frames.push((format!("request-from-{file}"), frame));
    }
    let size = TerminalSize { columns: 120, rows: 40 };
    for (file, item) in [
        ("bytes", StreamInput::Bytes(b"ls\n".to_vec())),
        ("end", StreamInput::End),
        ("resize", StreamInput::Resize(size)),
    ] {
        frames.push((format!("item-{file}"), ClientFrame::item(7, item)));
    }
    frames
}
