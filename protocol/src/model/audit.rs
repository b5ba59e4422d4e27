//! The audit trail: who asked for which change, and what came of it.

use serde::{Deserialize, Serialize};

use crate::{ErrorCode, Name, OperationId, Principal, Timestamp};

/// One record of the audit trail.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct AuditRecord {
    /// Its number: 1 for the first record ever, without gaps.
    pub number: u64,
    /// When it was asked for.
    pub at: Timestamp,
    /// Who asked.
    pub who: Principal,
    /// The user of the host who spoke for it, as the HTTP bridge does; none if it spoke for itself.
    pub through: Option<Principal>,
    /// The number of the user at the other end of the socket.
    pub uid: u32,
    /// The process there, if the system knew it.
    pub pid: Option<u32>,
    /// The network address that it asked from, if whoever spoke for it has said one.
    pub address: Option<String>,
    /// What was asked for: the operation's name, such as `deleteOrchestrator`.
    pub request: String,
    /// What it is about: `cluster`, `service`, `container`, `operation`, `account` or `token`.
    pub noun: String,
    /// The cluster that it is about or in.
    pub cluster: Option<Name>,
    /// The name of what it is about, unless that is the cluster.
    pub name: Option<String>,
    /// Why it was refused or failed; none if it was made or begun.
    pub refusal: Option<ErrorCode>,
    /// The operation that came of it, if one did.
    pub operation: Option<OperationId>,
    /// SHA-256 of the hash of the record before and of this record as it is stored, in hexadecimal digits.
    pub hash: String,
}

/// What a check of the whole audit trail found.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct AuditVerification {
    /// How many records are intact, from the oldest that is kept on.
    pub intact: u64,
    /// The number of the last record that was pruned, which the oldest is bound to; 0 if none was.
    pub pruned: u64,
    /// The number of the last intact record.
    pub last: u64,
    /// Its hash: kept elsewhere, it shows later that nothing up to this record was changed since.
    pub hash: String,
    /// The first record that is not as it was written; none if all are.
    pub broken: Option<AuditBreak>,
}

/// Where the chain of the audit trail breaks.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct AuditBreak {
    /// The record's number.
    pub number: u64,
    /// What is wrong with it.
    pub message: String,
}
