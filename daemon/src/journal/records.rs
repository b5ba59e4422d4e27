//! The stored types. Each is the engine's type with its place; a new shape is a new schema version.

use muster_engine::desired::{ClusterRecord, ServiceRecord};
use muster_engine::ledger::{LedgerEntry, ResourceKey};
use muster_engine::operation::OperationRecord;
use muster_protocol::model::account::AccountInfo;
use muster_protocol::model::event::{Event, EventKind};
use muster_protocol::{Cause, ClusterId, InstanceId, Name, OperationId, Timestamp};
use muster_store::codec::{self, CodecError};
use muster_store::{Payload, Record, Table};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Reads a value of a type that has had one shape only.
fn first_version<T: DeserializeOwned>(schema: u16, bytes: &[u8]) -> Result<T, CodecError> {
    match schema {
        1 => codec::decode(bytes),
        other => Err(CodecError::unknown_schema::<T>(other)),
    }
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
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
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
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
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
    const SCHEMA: u16 = 1;

    fn decode(schema: u16, bytes: &[u8]) -> Result<Self, CodecError> {
        first_version(schema, bytes)
    }
}

impl Record for StoredEntry {
    const TABLE: Table = Table::Ledger;

    fn key(&self) -> Vec<u8> {
        Self::key_of(self.cluster, &self.key)
    }
}

/// One service of a cluster.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
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
    const SCHEMA: u16 = 1;

    fn decode(schema: u16, bytes: &[u8]) -> Result<Self, CodecError> {
        first_version(schema, bytes)
    }
}

impl Record for StoredService {
    const TABLE: Table = Table::Services;

    fn key(&self) -> Vec<u8> {
        Self::key_of(self.cluster, &self.name)
    }
}

/// One operation, running or ended.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct StoredOperation(pub OperationRecord);

impl Payload for StoredOperation {
    const SCHEMA: u16 = 1;

    fn decode(schema: u16, bytes: &[u8]) -> Result<Self, CodecError> {
        first_version(schema, bytes)
    }
}

impl Record for StoredOperation {
    const TABLE: Table = Table::Operations;

    fn key(&self) -> Vec<u8> {
        self.0.info.id.as_bytes().to_vec()
    }
}

/// An account without its credentials, which are in the vault.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
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
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct StoredAnswer {
    /// The caller: keys of different users do not meet.
    pub uid: u32,
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
    pub uid: u32,
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
        let Self { uid, idempotency_key, request, at } = self;
        StoredAnswer { uid, idempotency_key, request, operation, at }
    }
}

impl StoredAnswer {
    /// The key of an answer.
    pub fn key_of(uid: u32, idempotency_key: &str) -> Vec<u8> {
        [uid.to_be_bytes().as_slice(), idempotency_key.as_bytes()].concat()
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
        Self::key_of(self.uid, &self.idempotency_key)
    }
}

/// An event without its number, which the store gives.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
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
