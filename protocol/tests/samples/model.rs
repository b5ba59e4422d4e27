//! One of each thing of the model, with every field filled. Never changed, only added to.

use muster_protocol::model::account::{AccountCheck, AccountInfo, AccountSpec, Finding};
use muster_protocol::model::audit::{AuditBreak, AuditRecord, AuditVerification};
use muster_protocol::model::catalog::{BrokenTemplate, CatalogListing, ParameterInfo, ParameterKind, TemplateInfo};
use muster_protocol::model::cluster::{
    ClusterInfo, ClusterPhase, ClusterSpec, ClusterSummary, Infrastructure, Leftover, MachineShape, Orchestrator, Pool,
    Tally,
};
use muster_protocol::model::container::{ContainerInfo, ContainerPhase};
use muster_protocol::model::event::{Event, EventKind};
use muster_protocol::model::host::{HostInfo, HostPhase, Role};
use muster_protocol::model::operation::{OperationInfo, OperationKind, OperationPhase};
use muster_protocol::model::plan::{Plan, Step, StepStatus};
use muster_protocol::model::service::{LogLine, LogSource, ServiceInfo, ServicePhase};
use muster_protocol::model::token::{AccessRole, TokenInfo, TokenSpec};
use muster_protocol::quantity::{Bytes, CpuMillis};
use muster_protocol::{
    Cause, ClusterId, ErrorCode, MachineId, Name, OperationId, Principal, Retry, SecretString, ServiceId, Timestamp,
};

use super::service::service_spec;

pub fn name(text: &str) -> Name {
    text.parse().unwrap()
}

pub fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(1_763_900_000_000 + millis)
}

pub fn cause() -> Cause {
    Cause {
        code: ErrorCode::Provider,
        step: "create machine/worker-1".to_owned(),
        message: "the image is gone".to_owned(),
        provider_code: Some("InvalidAMIID.NotFound".to_owned()),
        provider_request_id: Some("req-1".to_owned()),
        remedy: Some("choose another image".to_owned()),
        retry: Retry::Later,
        at: at(1),
    }
}

pub fn cluster_spec() -> ClusterSpec {
    ClusterSpec {
        name: name("demo"),
        orchestrator: Orchestrator::Swarm,
        infrastructure: Infrastructure::Local,
        account: Some(name("laptop")),
        version: Some("20.10".to_owned()),
        control_planes: 3,
        workers: 300,
        machine: MachineShape {
            cpu: Some(CpuMillis(1500)),
            memory: Some(Bytes(2 << 30)),
            disk: Some(Bytes(20 << 30)),
            image: Some("debian-12".to_owned()),
        },
        pools: vec![Pool {
            name: name("gpu"),
            role: Role::Worker,
            count: 2,
            shape: MachineShape { cpu: Some(CpuMillis(8000)), ..MachineShape::default() },
            labels: [("gpu".to_owned(), "yes".to_owned())].into(),
            options: [("instanceType".to_owned(), "g5.xlarge".to_owned())].into(),
        }],
        labels: [("team".to_owned(), "blue".to_owned())].into(),
        options: [("podCidr".to_owned(), "10.1.0.0/16".to_owned())].into(),
    }
}

/// With nothing that may be left out.
pub fn plain_cluster_spec(orchestrator: Orchestrator, infrastructure: Infrastructure) -> ClusterSpec {
    ClusterSpec::new(name("plain"), orchestrator, infrastructure)
}

pub fn cluster_summary(phase: ClusterPhase) -> ClusterSummary {
    ClusterSummary {
        id: ClusterId::from_u128(1),
        name: name("demo"),
        orchestrator: Orchestrator::Swarm,
        infrastructure: Infrastructure::Local,
        phase,
        control_planes: Tally { ready: 2, wanted: 3 },
        workers: Tally { ready: 299, wanted: 300 },
        services: 4,
        created_at: at(2),
        cause: Some(cause()),
    }
}

pub fn cluster_info() -> ClusterInfo {
    ClusterInfo {
        summary: cluster_summary(ClusterPhase::Degraded),
        spec: cluster_spec(),
        generation: 7,
        phase_since: at(3),
        version: Some("20.10.24".to_owned()),
        endpoints: vec!["tcp://172.18.0.2:2376".to_owned()],
        steps: vec![step(StepStatus::Retrying)],
        causes: vec![cause()],
        operations: vec![OperationId::from_u128(2)],
        leftovers: vec![Leftover {
            key: "machine/worker-1".to_owned(),
            provider_id: Some("i-1".to_owned()),
            cause: Some(cause()),
        }],
        observed_at: Some(at(4)),
        recipe_offered: true,
    }
}

pub fn step(status: StepStatus) -> Step {
    Step {
        name: "create machine/worker-1".to_owned(),
        after: vec!["create network/main".to_owned()],
        status,
        waits_for: Some("the provider".to_owned()),
        since: Some(at(5)),
        deadline: Some(at(6)),
        attempts: 2,
        next_try: Some(at(7)),
        cause: Some(cause()),
    }
}

pub fn plan() -> Plan {
    use StepStatus::{Blocked, Ready, Retrying, Running, Waiting};
    Plan { cluster: name("demo"), steps: [Ready, Running, Waiting, Retrying, Blocked].map(step).into() }
}

pub fn service_info(phase: ServicePhase) -> ServiceInfo {
    ServiceInfo {
        id: ServiceId::from_u128(3),
        cluster_id: ClusterId::from_u128(1),
        cluster: name("demo"),
        spec: service_spec(),
        template: Some("hello@1".to_owned()),
        generation: 2,
        phase,
        ready: 1,
        wanted: 2,
        digest: Some(format!("sha256:{}", "0a".repeat(32))),
        image_health: Some("CMD-SHELL true".to_owned()),
        endpoints: vec![super::service::endpoint()],
        created_at: at(8),
        updated_at: at(9),
        cause: Some(cause()),
    }
}

pub fn log_line(source: LogSource) -> LogLine {
    LogLine {
        container: "c1".to_owned(), name: "web.1".to_owned(), source, at: Some(at(10)), text: "héllo".to_owned()
    }
}

pub fn host_info(role: Role, phase: HostPhase) -> HostInfo {
    HostInfo {
        id: MachineId::from_u128(4),
        name: name("worker-1"),
        cluster_id: ClusterId::from_u128(1),
        cluster: name("demo"),
        role,
        phase,
        address: Some("172.18.0.3".to_owned()),
        provider_id: Some("i-1".to_owned()),
        node_id: Some("n1".to_owned()),
        version: Some("20.10.24".to_owned()),
        cpu: Some(CpuMillis(2000)),
        memory: Some(Bytes(1 << 30)),
        labels: [("disk".to_owned(), "ssd".to_owned())].into(),
        containers: 5,
        created_at: Some(at(11)),
        cause: Some(cause()),
    }
}

pub fn container_info(phase: ContainerPhase) -> ContainerInfo {
    ContainerInfo {
        id: "c1".to_owned(),
        name: "web.1".to_owned(),
        cluster_id: ClusterId::from_u128(1),
        cluster: name("demo"),
        service_id: ServiceId::from_u128(3),
        service: name("web"),
        machine: Some(name("worker-1")),
        phase,
        healthy: Some(false),
        address: Some("10.0.0.7".to_owned()),
        image: "nginx:1".to_owned(),
        since: Some(at(12)),
        exit_code: Some(-9),
        message: Some("killed".to_owned()),
    }
}

pub fn operation(kind: OperationKind, phase: OperationPhase) -> OperationInfo {
    OperationInfo {
        id: OperationId::from_u128(2),
        kind,
        cluster_id: ClusterId::from_u128(1),
        cluster: name("demo"),
        services: vec![name("web")],
        phase,
        requested_by: Principal::user("anna"),
        created_at: at(13),
        deadline: at(14),
        ended_at: Some(at(15)),
        steps_done: 3,
        steps_total: 9,
        message: "joining worker-1".to_owned(),
        cause: Some(cause()),
    }
}

pub fn event(kind: EventKind) -> Event {
    Event {
        number: 70_000,
        at: at(16),
        kind,
        cluster_id: Some(ClusterId::from_u128(1)),
        cluster: Some(name("demo")),
        operation: Some(OperationId::from_u128(2)),
        service: Some(name("web")),
        who: Some(Principal::token("ci")),
        message: "it happened".to_owned(),
        cause: Some(cause()),
    }
}

pub fn template() -> TemplateInfo {
    use ParameterKind::{Boolean, Bytes, Cpu, Integer, Secret, String};
    let parameter = |kind| ParameterInfo {
        name: "size".to_owned(),
        kind,
        description: "how large".to_owned(),
        default: Some("1".to_owned()),
        minimum: Some(-1),
        maximum: Some(i64::MAX),
        one_of: vec!["1".to_owned()],
        required: true,
    };
    TemplateInfo {
        name: name("hello"),
        version: "1".to_owned(),
        title: "says hello".to_owned(),
        description: "over HTTP".to_owned(),
        origin: "built-in".to_owned(),
        parameters: [String, Integer, Boolean, Bytes, Cpu, Secret].map(parameter).into(),
        services: [("web".to_owned(), "hello:1".to_owned())].into(),
    }
}

pub fn catalog() -> CatalogListing {
    let broken = BrokenTemplate { file: "a.yaml".to_owned(), message: "no name".to_owned() };
    CatalogListing { templates: vec![template()], broken: vec![broken] }
}

pub fn account_spec() -> AccountSpec {
    AccountSpec {
        name: name("aws"),
        infrastructure: Infrastructure::Ec2,
        endpoint: Some("https://ec2.example".to_owned()),
        credentials: [("secretKey".to_owned(), SecretString::new("s3cret"))].into(),
        defaults: [("image".to_owned(), "ami-1".to_owned())].into(),
    }
}

pub fn account_info() -> AccountInfo {
    AccountInfo {
        name: name("aws"),
        infrastructure: Infrastructure::Ec2,
        endpoint: Some("https://ec2.example".to_owned()),
        credentials: vec!["secretKey".to_owned()],
        defaults: [("image".to_owned(), "ami-1".to_owned())].into(),
        clusters: 1,
        created_at: at(17),
    }
}

pub fn finding() -> Finding {
    Finding { subject: "disk".to_owned(), ok: false, message: "it is full".to_owned(), cause: Some(cause()) }
}

pub fn account_check() -> AccountCheck {
    AccountCheck { account: Some(name("aws")), infrastructure: Infrastructure::Ec2, findings: vec![finding()] }
}

pub fn audit_record() -> AuditRecord {
    AuditRecord {
        number: 70_000,
        at: at(18),
        who: Principal::token("ci"),
        through: Some(Principal::user("muster-bridge")),
        uid: 998,
        pid: Some(4_711),
        address: Some("192.0.2.7".to_owned()),
        request: "deleteOrchestratorService".to_owned(),
        noun: "service".to_owned(),
        cluster: Some(name("demo")),
        name: Some("web".to_owned()),
        refusal: Some(ErrorCode::PermissionDenied),
        operation: Some(OperationId::from_u128(2)),
        hash: "9f".repeat(32),
    }
}

pub fn audit_verification() -> AuditVerification {
    let broken = AuditBreak { number: 70_001, message: "it comes after number 69999".to_owned() };
    AuditVerification { intact: 1_000, pruned: 69_000, last: 70_000, hash: "9f".repeat(32), broken: Some(broken) }
}

pub fn token_spec() -> TokenSpec {
    TokenSpec {
        name: name("ci"),
        role: AccessRole::Operator,
        clusters: vec![name("demo")],
        lifetime_seconds: TokenSpec::MIN_LIFETIME_SECONDS,
    }
}

pub fn token_info(role: AccessRole) -> TokenInfo {
    TokenInfo {
        name: name("ci"),
        role,
        clusters: vec![name("demo")],
        created_at: at(19),
        created_by: Principal::user("anna"),
        expires_at: at(20),
    }
}
