//! Golden bytes of everything that the daemon stores: a shape that was changed in place would make the stores of users
//! unreadable, and no other test would say so, since all others write and read with the same build.

#![allow(clippy::unwrap_used, reason = "a helper of tests may panic as they do")]

#[path = "../../protocol/tests/samples/mod.rs"]
mod samples;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use muster_engine::context::Material;
use muster_engine::desired::take_secrets;
use muster_engine::desired::{ClusterRecord, Desired, ServiceRecord, ServiceVersion};
use muster_engine::ledger::{
    Duty, Facts, InfraKey, InfraKind, LedgerEntry, MachineAccess, Present, ResourceKey, ResourceState, StepRun,
};
use muster_engine::operation::{OperationRecord, ServiceTarget, Target};
use muster_engine::recipe::{MachineStep, Prepared, Recipe};
use muster_engine::session::KeptEntry;
use muster_protocol::model::cluster::ClusterPhase;
use muster_protocol::model::event::EventKind;
use muster_protocol::model::host::Role;
use muster_protocol::model::operation::{OperationKind, OperationPhase};
use muster_protocol::model::service::ServicePhase;
use muster_protocol::model::token::AccessRole;
use muster_protocol::{ClusterId, ErrorCode, InstanceId, OperationId, Principal, SecretBytes, SecretString, ServiceId};
use muster_store::codec::{self, CodecError};
use muster_store::{Batch, KeySource, OpenOptions, Payload, Sealer, Store, fixtures};
use musterd::journal::records::{
    StoredAccount, StoredAnswer, StoredAudit, StoredCluster, StoredEntry, StoredEvent, StoredInstance, StoredKept,
    StoredOperation, StoredService, StoredToken,
};
use musterd::journal::vault::{self, SecretValues, Vault};
use samples::model::{account_info, at, cause, cluster_spec, event, name, operation};
use samples::service::{processes, service_spec};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

const CLUSTER: ClusterId = ClusterId::from_u128(0xc1);
const SERVICE: ServiceId = ServiceId::from_u128(0x5e);

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn check<T: Payload + PartialEq + std::fmt::Debug>(table: &str, cases: &[(&str, T)]) {
    fixtures::check(&golden(), table, cases).unwrap();
}

fn desired(absent: bool) -> Desired {
    Desired { generation: 3, spec: cluster_spec(), absent }
}

fn version() -> ServiceVersion {
    let mut spec = service_spec();
    // Values of secrets lie sealed in a place of their own.
    take_secrets(&mut spec);
    ServiceVersion::new(spec, 7)
}

/// A version with what came with schema 2.
fn version_with_processes() -> ServiceVersion {
    let mut spec = processes();
    take_secrets(&mut spec);
    ServiceVersion { digest: Some(format!("sha256:{}", "0a".repeat(32))), ..ServiceVersion::new(spec, 7) }
}

fn network() -> InfraKey {
    InfraKey::only(InfraKind::new("network"))
}

fn recipe() -> Recipe {
    Recipe { version: Some("1.36".to_owned()), revision: "swarm-1".to_owned() }
}

fn prepared() -> Prepared {
    Prepared { recipe: recipe(), role: Role::ControlPlane, peers: "p1".to_owned() }
}

#[test]
fn the_installation_has_its_golden_bytes() {
    check("instance", &[("one", StoredInstance { id: InstanceId::from_u128(0x1d) })]);
}

#[test]
fn clusters_have_their_golden_bytes() {
    let head = |absent| ClusterRecord {
        id: CLUSTER,
        desired: desired(absent),
        phase: if absent { ClusterPhase::Released } else { ClusterPhase::Ready },
        phase_since: at(1_000),
        was_ready: !absent,
        created_at: at(10),
        removal_deadline: absent.then(|| at(2_000)),
        swept: absent,
        recipe: recipe(),
        renewal: 2,
    };
    check("cluster", &[("wanted", StoredCluster(head(false))), ("going", StoredCluster(head(true)))]);
}

#[test]
fn the_ledgers_keys_states_and_facts_have_their_golden_bytes() {
    let machine = Present {
        id: "3f2a".to_owned(),
        facts: Facts::Machine(MachineAccess {
            address: "192.0.2.7".to_owned(),
            private_address: "10.20.0.2".to_owned(),
            ssh_port: 22,
            ssh_user: "root".to_owned(),
            host_key: "ssh-ed25519 AAAA".to_owned(),
        }),
    };
    let other =
        Present { id: "sg-1".to_owned(), facts: Facts::Other(BTreeMap::from([("zone".to_owned(), "a".to_owned())])) };
    let plain = Present { id: "n1".to_owned(), facts: Facts::None };
    let service = Present { id: "s1".to_owned(), facts: Facts::Service { generation: 9 } };
    let line = |key: ResourceKey, state| StoredEntry {
        cluster: CLUSTER,
        entry: LedgerEntry {
            state,
            since: at(1_000),
            created_at: at(10),
            failures: 2,
            attempt: 3,
            next_try: Some(at(2_000)),
            cause: Some(cause()),
            formed_on: Some(name("control-plane-2")),
            after: vec![network()],
            input: 0x51,
            role: Some(Role::Worker),
            prepared: Some(prepared()),
            step: Some(StepRun { step: MachineStep::Upgrade, target: prepared(), run: 4 }),
            runs: 4,
            duty: Duty::Drained,
            renewed: 1,
        },
        key,
    };
    let untouched =
        StoredEntry { cluster: CLUSTER, key: ResourceKey::Orchestrator, entry: LedgerEntry::wanted(at(10)) };
    check(
        "ledger",
        &[
            ("orchestrator-wanted", untouched),
            ("network-unknown", line(ResourceKey::Infra(network()), ResourceState::Unknown(None))),
            ("machine-present", line(ResourceKey::for_machine(name("worker-1")), ResourceState::Present(machine))),
            (
                "group-present",
                line(ResourceKey::Infra("security-group/nodes".parse().unwrap()), ResourceState::Present(other)),
            ),
            ("node-removing", line(ResourceKey::Node(name("worker-1")), ResourceState::Removing(plain))),
            ("service-unknown", line(ResourceKey::Service(name("web")), ResourceState::Unknown(Some(service)))),
        ],
    );
}

#[test]
fn services_have_their_golden_bytes() {
    let of = |changed: bool| StoredService {
        cluster: CLUSTER,
        name: name("web"),
        service: ServiceRecord {
            id: SERVICE,
            generation: 4,
            version: version(),
            absent: changed,
            last_good: changed.then(version),
            template: changed.then(|| "nginx@1.2.0".to_owned()),
            phase: if changed { ServicePhase::Degraded } else { ServicePhase::Running },
            created_at: at(10),
            updated_at: at(20),
            withdrawn: changed.then(cause),
        },
    };
    let mut processes = of(false);
    processes.service.version = version_with_processes();
    check("service", &[("first", of(false)), ("changed", of(true)), ("processes", processes)]);
}

#[test]
fn what_sessions_keep_has_its_golden_bytes() {
    let kept = |entry| StoredKept { cluster: CLUSTER, key: "task/t-1".to_owned(), entry };
    check("kept", &[("plain", kept(KeptEntry::Plain(vec![1, 2, 3]))), ("sealed", kept(KeptEntry::Sealed))]);
}

#[test]
fn operations_have_their_golden_bytes() {
    let targets = vec![
        ServiceTarget { name: name("web"), generation: 1, before: None },
        ServiceTarget { name: name("db"), generation: 2, before: Some(version()) },
    ];
    let before = Some(version_with_processes());
    let processes = vec![ServiceTarget { name: name("web"), generation: 2, before }];
    let of = |kind, phase, target| StoredOperation(OperationRecord { info: operation(kind, phase), target });
    check(
        "operation",
        &[
            ("create", of(OperationKind::ClusterCreate, OperationPhase::Running, Target::Cluster { before: None })),
            (
                "scale",
                of(
                    OperationKind::ClusterScale,
                    OperationPhase::Succeeded,
                    Target::Cluster { before: Some(desired(false)) },
                ),
            ),
            ("services", of(OperationKind::ServiceUpdate, OperationPhase::Failed, Target::Services(targets))),
            ("processes", of(OperationKind::ServiceUpdate, OperationPhase::Running, Target::Services(processes))),
        ],
    );
}

#[test]
fn accounts_answers_and_events_have_their_golden_bytes() {
    check("account", &[("one", StoredAccount(account_info()))]);
    let answer = StoredAnswer {
        principal: Principal::user("anna"),
        idempotency_key: "k-1".to_owned(),
        request: [7; 32],
        operation: OperationId::from_u128(0x0f),
        at: at(10),
    };
    check("answer", &[("one", answer)]);
    let full = event(EventKind::StepFailed);
    let full = StoredEvent {
        at: full.at,
        kind: full.kind,
        cluster: Some((CLUSTER, name("demo"))),
        operation: full.operation,
        service: full.service,
        who: full.who,
        message: full.message,
        cause: full.cause,
    };
    let bare = StoredEvent {
        at: at(10),
        kind: EventKind::Daemon,
        cluster: None,
        operation: None,
        service: None,
        who: None,
        message: "started".to_owned(),
        cause: None,
    };
    check("event", &[("full", full), ("bare", bare)]);
}

#[test]
fn audit_records_have_their_golden_bytes() {
    let full = StoredAudit {
        at: at(10),
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
        operation: Some(OperationId::from_u128(0x0f)),
    };
    let bare = StoredAudit {
        at: at(10),
        who: Principal::user("anna"),
        through: None,
        uid: 1000,
        pid: None,
        address: None,
        request: "addAccount".to_owned(),
        noun: "account".to_owned(),
        cluster: None,
        name: None,
        refusal: None,
        operation: None,
    };
    check("audit", &[("full", full), ("bare", bare)]);
}

#[test]
fn tokens_have_their_golden_bytes() {
    let of = |clusters: &[&str]| StoredToken {
        name: name("ci"),
        role: AccessRole::Operator,
        clusters: clusters.iter().map(|cluster| name(cluster)).collect(),
        sha256: [7; 32],
        created_at: at(10),
        created_by: Principal::user("anna"),
        expires_at: at(1_000),
    };
    check("token", &[("all", of(&[])), ("limited", of(&["demo", "lab"]))]);
}

/// What is sealed has no schema of its own: it is this, and stays so.
#[derive(PartialEq, Debug, Serialize, Deserialize)]
struct Sealed<T>(T);

impl<T: Serialize + DeserializeOwned + Send + 'static> Payload for Sealed<T> {
    const SCHEMA: u16 = 1;

    fn decode(_: u16, bytes: &[u8]) -> Result<Self, CodecError> {
        codec::decode(bytes)
    }
}

#[tokio::test]
async fn sealed_things_are_written_and_read_as_their_golden_bytes() {
    let secret = |text: &str| SecretString::new(text.to_owned());
    let material =
        Material(BTreeMap::from([("ca-key".to_owned(), secret("PEM")), ("ssh-key".to_owned(), secret("KEY"))]));
    let values = SecretValues::from([(name("password"), SecretBytes::new("hunter2"))]);
    let credentials = BTreeMap::from([("token".to_owned(), secret("t-1"))]);
    check("sealed-material", &[("one", Sealed(material.clone()))]);
    check("sealed-secrets", &[("one", Sealed(values.clone()))]);
    check("sealed-credentials", &[("one", Sealed(credentials.clone()))]);

    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path().join("store"), OpenOptions::default()).await.unwrap().0;
    let sealer = Sealer::load(&store, KeySource::KeyFile(dir.path().join("key"))).await.unwrap();
    let of_daemon = Vault::new(store.clone(), sealer.clone());
    let mut batch = Batch::new();
    of_daemon.put_material(&mut batch, CLUSTER, &material).unwrap();
    of_daemon.put_secrets(&mut batch, SERVICE, 2, &values).unwrap();
    of_daemon.put_credentials(&mut batch, &name("lab"), &credentials).unwrap();
    store.commit(batch).await.unwrap();
    for (key, file) in [
        (vault::material_key(CLUSTER), "sealed-material.v1.one.bin"),
        (vault::secrets_key(SERVICE, 2), "sealed-secrets.v1.one.bin"),
        (vault::credentials_key(&name("lab")), "sealed-credentials.v1.one.bin"),
    ] {
        let written = store.get_sealed(&sealer, &key).await.unwrap().unwrap();
        assert_eq!(written.to_vec(), std::fs::read(golden().join(file)).unwrap(), "{file}");
    }
    assert_eq!(of_daemon.material(CLUSTER).await.unwrap(), Some(material));
    assert_eq!(of_daemon.secrets(SERVICE, 2).await.unwrap(), values);
    assert_eq!(of_daemon.credentials(&name("lab")).await.unwrap(), credentials);
    store.close().await;
}

#[test]
fn everything_lies_where_it_lay() {
    let cluster = CLUSTER.as_bytes().as_slice();
    let service = SERVICE.as_bytes().as_slice();
    let ledger = StoredEntry::key_of(CLUSTER, &ResourceKey::for_machine(name("worker-1")));
    assert_eq!(ledger, [cluster, b"machine/worker-1"].concat());
    assert_eq!(StoredService::key_of(CLUSTER, &name("web")), [cluster, b"web"].concat());
    assert_eq!(StoredAnswer::key_of(&Principal::token("ci"), "k-1"), b"token:ci\0k-1");
    assert_eq!(StoredKept::key_of(CLUSTER, "task/t-1"), [cluster, b"task/t-1"].concat());
    assert_eq!(StoredInstance::KEY, b"instance");
    assert_eq!(vault::material_key(CLUSTER), [b"material/", cluster].concat());
    assert_eq!(vault::secrets_key(SERVICE, 2), [b"service/", service, &[0, 0, 0, 0, 0, 0, 0, 2]].concat());
    assert_eq!(vault::credentials_key(&name("lab")), b"account/lab");
    assert_eq!(vault::kept_key(CLUSTER, "token"), [b"kept/", cluster, b"token"].concat());
}
