//! The stored types: each is the engine's type with its place. How they lie on disk is said field by field in
//! `forms/`; a new shape is a new schema version.

use muster_engine::desired::{ClusterRecord, ServiceRecord};
use muster_engine::ledger::{LedgerEntry, ResourceKey};
use muster_engine::operation::OperationRecord;
use muster_engine::session::KeptEntry;
use muster_protocol::model::account::AccountInfo;
use muster_protocol::model::audit::AuditRecord;
use muster_protocol::model::event::{Event, EventKind};
use muster_protocol::model::token::{AccessRole, TokenInfo};
use muster_protocol::{Cause, ClusterId, ErrorCode, InstanceId, Name, OperationId, Principal, Timestamp};
use muster_store::codec::{self, CodecError};
use muster_store::{AuditHash, Payload, Record, Table};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::forms::{self, Form, Readable};

/// Reads a value of a type that has had one shape only.
fn first_version<T: DeserializeOwned>(schema: u16, bytes: &[u8]) -> Result<T, CodecError> {
    match schema {
        1 => codec::decode(bytes),
        other => Err(CodecError::unknown_schema::<T>(other)),
    }
}

/// Writes and reads a stored type as its form.
macro_rules! lies_as {
    ($($stored:ident: $form:ident of $value:ident => $inner:expr, $make:expr;)+) => {
        $(impl Serialize for $stored {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let $value = self;
                forms::$form::of($inner).serialize(serializer)
            }
        }

        impl<'de> Deserialize<'de> for $stored {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Ok($make(forms::$form::deserialize(deserializer)?.value()))
            }
        })+
    };
}

lies_as! {
    StoredCluster: ClusterForm of stored => &stored.0, Self;
    StoredOperation: OperationForm of stored => &stored.0, Self;
    StoredAccount: AccountForm of stored => &stored.0, Self;
    StoredEntry: EntryForm of stored => stored, Self::from;
    StoredService: ServiceForm of stored => stored, Self::from;
    StoredKept: KeptForm of stored => stored, Self::from;
    StoredAnswer: AnswerForm of stored => stored, Self::from;
    StoredEvent: EventForm of stored => stored, Self::from;
    StoredAudit: AuditForm of stored => stored, Self::from;
    StoredToken: TokenForm of stored => stored, Self::from;
}

/// Who this installation is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct StoredInstance {
    /// The owner in all owner marks.
    pub id: InstanceId,
}

impl StoredInstance {
    /// There is one.
    pub const KEY: &[u8] = b"instance";
}

impl Payload for StoredInstance {
    const SCHEMA: u16 = 1;

    fn decode(schema: u16, bytes: &[u8]) -> Result<Self, CodecError> {
        first_version(schema, bytes)
    }
}

impl Record for StoredInstance {
    const TABLE: Table = Table::Meta;

    fn key(&self) -> Vec<u8> {
        Self::KEY.to_vec()
    }
}

/// The head of a cluster.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredCluster(pub ClusterRecord);

impl Payload for StoredCluster {
    const SCHEMA: u16 = 1;

    fn decode(schema: u16, bytes: &[u8]) -> Result<Self, CodecError> {
        first_version(schema, bytes)
    }
}

impl Record for StoredCluster {
    const TABLE: Table = Table::Clusters;

    fn key(&self) -> Vec<u8> {
        self.0.id.as_bytes().to_vec()
    }
}

/// One line of a cluster's ledger.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredEntry {
    /// The cluster.
    pub cluster: ClusterId,
    /// Which resource.
    pub key: ResourceKey,
    /// What is known of it.
    pub entry: LedgerEntry,
}

impl StoredEntry {
    /// The key of a line.
    pub fn key_of(cluster: ClusterId, key: &ResourceKey) -> Vec<u8> {
        [cluster.as_bytes().as_slice(), key.to_string().as_bytes()].concat()
    }
}

impl Payload for StoredEntry {
    const SCHEMA: u16 = 2;

    fn decode(schema: u16, bytes: &[u8]) -> Result<Self, CodecError> {
        match schema {
            // Whether a machine was drained reads as its duty.
            1 | 2 => codec::decode(bytes),
            other => Err(CodecError::unknown_schema::<Self>(other)),
        }
    }
}

impl Record for StoredEntry {
    const TABLE: Table = Table::Ledger;

    fn key(&self) -> Vec<u8> {
        Self::key_of(self.cluster, &self.key)
    }
}

/// One service of a cluster.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredService {
    /// The cluster.
    pub cluster: ClusterId,
    /// The service.
    pub name: Name,
    /// What is asked for, and how it stands.
    pub service: ServiceRecord,
}

impl StoredService {
    /// The key of a service.
    pub fn key_of(cluster: ClusterId, name: &Name) -> Vec<u8> {
        [cluster.as_bytes().as_slice(), name.as_str().as_bytes()].concat()
    }
}

impl Payload for StoredService {
    const SCHEMA: u16 = 2;

    fn decode(schema: u16, bytes: &[u8]) -> Result<Self, CodecError> {
        match schema {
            1 => codec::decode(bytes).map(|form: forms::EarlierService| form.value()),
            2 => codec::decode(bytes),
            other => Err(CodecError::unknown_schema::<Self>(other)),
        }
    }
}

impl Record for StoredService {
    const TABLE: Table = Table::Services;

    fn key(&self) -> Vec<u8> {
        Self::key_of(self.cluster, &self.name)
    }
}

/// A value that a handler's session keeps. A sealed one itself lies in the vault.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredKept {
    /// The cluster.
    pub cluster: ClusterId,
    /// The session's key of it.
    pub key: String,
    /// The value.
    pub entry: KeptEntry,
}

impl StoredKept {
    /// The key of a kept value.
    pub fn key_of(cluster: ClusterId, key: &str) -> Vec<u8> {
        [cluster.as_bytes().as_slice(), key.as_bytes()].concat()
    }
}

impl Payload for StoredKept {
    const SCHEMA: u16 = 1;

    fn decode(schema: u16, bytes: &[u8]) -> Result<Self, CodecError> {
        first_version(schema, bytes)
    }
}

impl Record for StoredKept {
    const TABLE: Table = Table::Kept;

    fn key(&self) -> Vec<u8> {
        Self::key_of(self.cluster, &self.key)
    }
}

/// One operation, running or ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredOperation(pub OperationRecord);

impl Payload for StoredOperation {
    const SCHEMA: u16 = 2;

    fn decode(schema: u16, bytes: &[u8]) -> Result<Self, CodecError> {
        match schema {
            1 => codec::decode(bytes).map(|form: forms::EarlierOperation| Self(form.value())),
            2 => codec::decode(bytes),
            other => Err(CodecError::unknown_schema::<Self>(other)),
        }
    }
}

impl Record for StoredOperation {
    const TABLE: Table = Table::Operations;

    fn key(&self) -> Vec<u8> {
        self.0.info.id.as_bytes().to_vec()
    }
}

/// An account without its credentials, which are in the vault.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredAccount(pub AccountInfo);

impl Payload for StoredAccount {
    const SCHEMA: u16 = 1;

    fn decode(schema: u16, bytes: &[u8]) -> Result<Self, CodecError> {
        first_version(schema, bytes)
    }
}

impl Record for StoredAccount {
    const TABLE: Table = Table::Accounts;

    fn key(&self) -> Vec<u8> {
        self.0.name.as_str().as_bytes().to_vec()
    }
}

/// Which operation a request with an idempotency key was answered with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredAnswer {
    /// The caller: keys of different callers do not meet.
    pub principal: Principal,
    /// The key.
    pub idempotency_key: String,
    /// The request's fingerprint under the sealing key: it may have secrets in it.
    pub request: [u8; 32],
    /// The answer.
    pub operation: OperationId,
    /// When it was given.
    pub at: Timestamp,
}

/// An answer that is to be stored with a change, before whoever admits the change has made its operation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PendingAnswer {
    /// The caller.
    pub principal: Principal,
    /// The key.
    pub idempotency_key: String,
    /// The request's fingerprint under the sealing key.
    pub request: [u8; 32],
    /// When it was asked for.
    pub at: Timestamp,
}

impl PendingAnswer {
    /// The answer, which is this operation.
    pub fn with(self, operation: OperationId) -> StoredAnswer {
        let Self { principal, idempotency_key, request, at } = self;
        StoredAnswer { principal, idempotency_key, request, operation, at }
    }
}

impl StoredAnswer {
    /// The key of an answer.
    pub fn key_of(principal: &Principal, idempotency_key: &str) -> Vec<u8> {
        // No principal's name has a NUL in it, so keys of different callers do not meet.
        format!("{principal}\0{idempotency_key}").into_bytes()
    }
}

impl Payload for StoredAnswer {
    const SCHEMA: u16 = 1;

    fn decode(schema: u16, bytes: &[u8]) -> Result<Self, CodecError> {
        first_version(schema, bytes)
    }
}

impl Record for StoredAnswer {
    const TABLE: Table = Table::Idempotency;

    fn key(&self) -> Vec<u8> {
        Self::key_of(&self.principal, &self.idempotency_key)
    }
}

/// An event without its number, which the store gives.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredEvent {
    /// When.
    pub at: Timestamp,
    /// What happened.
    pub kind: EventKind,
    /// The cluster it is about.
    pub cluster: Option<(ClusterId, Name)>,
    /// The operation it belongs to.
    pub operation: Option<OperationId>,
    /// The service it is about.
    pub service: Option<Name>,
    /// Who asked for it, if somebody did.
    pub who: Option<Principal>,
    /// In words.
    pub message: String,
    /// Why.
    pub cause: Option<Cause>,
}

impl StoredEvent {
    /// The event as users see it.
    pub fn numbered(self, number: u64) -> Event {
        let (cluster_id, cluster) = self.cluster.unzip();
        Event {
            number,
            at: self.at,
            kind: self.kind,
            cluster_id,
            cluster,
            operation: self.operation,
            service: self.service,
            who: self.who,
            message: self.message,
            cause: self.cause,
        }
    }
}

impl Payload for StoredEvent {
    const SCHEMA: u16 = 1;

    fn decode(schema: u16, bytes: &[u8]) -> Result<Self, CodecError> {
        first_version(schema, bytes)
    }
}

/// An audit record without its number and hash, which the store gives.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredAudit {
    /// When it was asked for.
    pub at: Timestamp,
    /// Who asked.
    pub who: Principal,
    /// The user of the host who spoke for it.
    pub through: Option<Principal>,
    /// The number of the user at the other end of the socket.
    pub uid: u32,
    /// The process there.
    pub pid: Option<u32>,
    /// The network address that it asked from.
    pub address: Option<String>,
    /// The operation's name.
    pub request: String,
    /// What it is about.
    pub noun: String,
    /// The cluster that it is about or in.
    pub cluster: Option<Name>,
    /// The name of what it is about.
    pub name: Option<String>,
    /// Why it was refused or failed.
    pub refusal: Option<ErrorCode>,
    /// The operation that came of it.
    pub operation: Option<OperationId>,
}

impl StoredAudit {
    /// The record as users see it.
    pub fn numbered(self, number: u64, hash: &AuditHash) -> AuditRecord {
        AuditRecord {
            number,
            at: self.at,
            who: self.who,
            through: self.through,
            uid: self.uid,
            pid: self.pid,
            address: self.address,
            request: self.request,
            noun: self.noun,
            cluster: self.cluster,
            name: self.name,
            refusal: self.refusal,
            operation: self.operation,
            hash: hexadecimal(hash),
        }
    }
}

impl Payload for StoredAudit {
    const SCHEMA: u16 = 1;

    fn decode(schema: u16, bytes: &[u8]) -> Result<Self, CodecError> {
        first_version(schema, bytes)
    }
}

/// A token that a remote caller may show.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredToken {
    /// Its name.
    pub name: Name,
    /// What its holder may do.
    pub role: AccessRole,
    /// The only clusters that its holder may see and change; all if there are none.
    pub clusters: Vec<Name>,
    /// SHA-256 of its secret, which itself is nowhere.
    pub sha256: [u8; 32],
    /// When it was made.
    pub created_at: Timestamp,
    /// Who made it.
    pub created_by: Principal,
    /// When it ends.
    pub expires_at: Timestamp,
}

impl StoredToken {
    /// What is shown of it.
    pub fn info(self) -> TokenInfo {
        let Self { name, role, clusters, sha256: _, created_at, created_by, expires_at } = self;
        TokenInfo { name, role, clusters, created_at, created_by, expires_at }
    }
}

impl Payload for StoredToken {
    const SCHEMA: u16 = 1;

    fn decode(schema: u16, bytes: &[u8]) -> Result<Self, CodecError> {
        first_version(schema, bytes)
    }
}

impl Record for StoredToken {
    const TABLE: Table = Table::Tokens;

    fn key(&self) -> Vec<u8> {
        self.name.as_str().as_bytes().to_vec()
    }
}

/// A hash as people see it.
pub fn hexadecimal(hash: &AuditHash) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}
