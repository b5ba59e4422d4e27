//! One of each thing, for the tests of how they look.

mod services;

use std::time::Duration;

use muster_protocol::model::account::{AccountInfo, Finding};
use muster_protocol::model::audit::{AuditBreak, AuditRecord, AuditVerification};
use muster_protocol::model::cluster::{
    ClusterInfo, ClusterPhase, ClusterSpec, ClusterSummary, Infrastructure, Leftover, MachineShape, Orchestrator, Pool,
    Tally,
};
use muster_protocol::model::event::{Event, EventKind};
use muster_protocol::model::host::{HostInfo, HostPhase, Role};
use muster_protocol::model::operation::{OperationInfo, OperationKind, OperationPhase};
use muster_protocol::model::plan::{Plan, Step, StepStatus};
use muster_protocol::model::token::{AccessRole, TokenInfo};
use muster_protocol::quantity::{Bytes, CpuMillis};
use muster_protocol::{Cause, ClusterId, ErrorCode, MachineId, Name, OperationId, Principal, Retry, Timestamp};
use serde::Serialize;

pub use services::{catalog, container, log_line, service, template};

use super::sheet::{Describe, Sheet};
use super::table::{self, Row};

/// The present of all samples; everything else was before it.
pub const NOW: Timestamp = Timestamp::from_millis(1_763_900_000_123);

fn before(seconds: u64) -> Timestamp {
    Timestamp::from_millis(NOW.as_millis() - seconds * 1000)
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

pub fn table<T: Row + Serialize>(rows: &[T]) -> String {
    table::of_rows(rows, NOW, false)
}

pub fn sheet<T: Describe>(thing: &T) -> String {
    let mut sheet = Sheet::new(NOW, false);
    thing.describe(&mut sheet);
    sheet.into_text()
}

pub fn cause(code: ErrorCode) -> Cause {
    Cause {
        code,
        step: "prepare machine/worker-1".to_owned(),
        message: "apt-get ended with 100".to_owned(),
        provider_code: None,
        provider_request_id: Some("req-7".to_owned()),
        remedy: Some("check that the machine reaches its package mirror".to_owned()),
        retry: Retry::Later,
        at: before(61),
    }
}

pub fn operation() -> OperationInfo {
    OperationInfo {
        id: OperationId::from_u128(7),
        kind: OperationKind::ClusterCreate,
        cluster_id: ClusterId::from_u128(1),
        cluster: name("demo"),
        services: Vec::new(),
        phase: OperationPhase::Running,
        requested_by: Principal::user("anna"),
        created_at: before(125),
        deadline: NOW,
        ended_at: None,
        steps_done: 3,
        steps_total: 12,
        message: "preparing machines".to_owned(),
        cause: None,
    }
}

pub fn cluster_summary() -> ClusterSummary {
    ClusterSummary {
        id: ClusterId::from_u128(1),
        name: name("demo"),
        orchestrator: Orchestrator::Swarm,
        infrastructure: Infrastructure::Local,
        phase: ClusterPhase::Degraded,
        control_planes: Tally { ready: 1, wanted: 1 },
        workers: Tally { ready: 1, wanted: 2 },
        services: 2,
        created_at: before(3_700),
        cause: Some(cause(ErrorCode::Preparation)),
    }
}

pub fn cluster_info() -> ClusterInfo {
    ClusterInfo {
        summary: cluster_summary(),
        spec: ClusterSpec {
            workers: 2,
            machine: MachineShape { memory: Some(Bytes(2 << 30)), ..MachineShape::default() },
            pools: vec![Pool {
                shape: MachineShape { memory: Some(Bytes(16 << 30)), ..MachineShape::default() },
                ..Pool::new(name("large"), Role::Worker, 1)
            }],
            labels: [("team".to_owned(), "web".to_owned())].into(),
            options: [("podCidr".to_owned(), "10.1.0.0/16".to_owned())].into(),
            ..ClusterSpec::new(name("demo"), Orchestrator::Swarm, Infrastructure::Local)
        },
        generation: 2,
        phase_since: before(60),
        version: Some("20.10.24".to_owned()),
        endpoints: vec!["https://172.18.0.2:2376".to_owned()],
        steps: plan().steps,
        causes: vec![cause(ErrorCode::Preparation)],
        operations: vec![OperationId::from_u128(7)],
        leftovers: vec![Leftover { key: "machine/worker-9".to_owned(), provider_id: None, cause: None }],
        observed_at: Some(before(2)),
        recipe_offered: true,
    }
}

pub fn plan() -> Plan {
    let step = |name: &str, after: &[&str], status| Step {
        name: name.to_owned(),
        after: after.iter().map(|name| (*name).to_owned()).collect(),
        status,
        waits_for: None,
        since: None,
        deadline: None,
        attempts: 0,
        next_try: None,
        cause: None,
    };
    let mut failing = step("prepare machine/worker-1", &["create machine/worker-1"], StepStatus::Retrying);
    failing.attempts = 2;
    failing.since = Some(before(30));
    failing.waits_for = Some("its next try".to_owned());
    failing.deadline = Some(NOW + Duration::from_secs(840));
    failing.next_try = Some(NOW + Duration::from_secs(4));
    failing.cause = Some(cause(ErrorCode::Preparation));
    Plan {
        cluster: name("demo"),
        steps: vec![
            step("create machine/worker-2", &[], StepStatus::Ready),
            failing,
            step("join node/worker-1", &["form cluster", "prepare machine/worker-1"], StepStatus::Waiting),
        ],
    }
}

pub fn empty_plan() -> Plan {
    Plan { cluster: name("demo"), steps: Vec::new() }
}

pub fn host() -> HostInfo {
    HostInfo {
        id: MachineId::from_u128(2),
        name: name("worker-1"),
        cluster_id: ClusterId::from_u128(1),
        cluster: name("demo"),
        role: Role::Worker,
        phase: HostPhase::Ready,
        address: Some("172.18.0.3".to_owned()),
        provider_id: Some("f00f".to_owned()),
        node_id: None,
        version: Some("20.10.24".to_owned()),
        cpu: Some(CpuMillis(2000)),
        memory: Some(Bytes(2 << 30)),
        labels: Default::default(),
        containers: 2,
        created_at: Some(before(3_600)),
        cause: None,
    }
}

pub fn account() -> AccountInfo {
    AccountInfo {
        name: name("aws"),
        infrastructure: Infrastructure::Ec2,
        endpoint: None,
        credentials: vec!["accessKey".to_owned(), "secretKey".to_owned()],
        defaults: [("image".to_owned(), "ami-1".to_owned())].into(),
        clusters: 1,
        created_at: before(90_000),
    }
}

pub fn findings() -> Vec<Finding> {
    let good = Finding { subject: "store".to_owned(), ok: true, message: "writes in 2 ms".to_owned(), cause: None };
    let wrong = Finding {
        subject: "docker engine".to_owned(),
        ok: false,
        message: "does not answer".to_owned(),
        cause: Some(cause(ErrorCode::Unreachable)),
    };
    vec![good, wrong]
}

pub fn event() -> Event {
    Event {
        number: 41,
        at: before(10),
        kind: EventKind::StepFailed,
        cluster_id: Some(ClusterId::from_u128(1)),
        cluster: Some(name("demo")),
        operation: Some(OperationId::from_u128(7)),
        service: None,
        who: None,
        message: "prepare machine/worker-1 failed".to_owned(),
        cause: Some(cause(ErrorCode::Preparation)),
    }
}

pub fn audit_record() -> AuditRecord {
    AuditRecord {
        number: 12,
        at: before(60),
        who: Principal::token("ci"),
        through: Some(Principal::user("muster-bridge")),
        uid: 998,
        pid: Some(4711),
        address: Some("192.0.2.7".to_owned()),
        request: "deleteOrchestratorService".to_owned(),
        noun: "service".to_owned(),
        cluster: Some(name("demo")),
        name: Some("web".to_owned()),
        refusal: Some(ErrorCode::PermissionDenied),
        operation: None,
        hash: "9f".repeat(32),
    }
}

pub fn audit_verification() -> AuditVerification {
    let broken = AuditBreak { number: 13, message: "it comes after number 11".to_owned() };
    AuditVerification { intact: 7, pruned: 5, last: 12, hash: "9f".repeat(32), broken: Some(broken) }
}

pub fn token() -> TokenInfo {
    TokenInfo {
        name: name("ci"),
        role: AccessRole::Operator,
        clusters: vec![name("demo"), name("lab")],
        created_at: before(60),
        created_by: Principal::user("anna"),
        expires_at: NOW + Duration::from_secs(30 * 86_400),
    }
}
