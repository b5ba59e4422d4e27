//! Audit records.

use muster_protocol::{ErrorCode, Name, OperationId, Timestamp};

use super::cause::PrincipalForm;
use super::form;
use crate::journal::records::StoredAudit;

form!(AuditForm of StoredAudit {
    at: Timestamp,
    who: PrincipalForm,
    through: Option<PrincipalForm>,
    uid: u32,
    pid: Option<u32>,
    address: Option<String>,
    request: String,
    noun: String,
    cluster: Option<Name>,
    name: Option<String>,
    refusal: Option<ErrorCode>,
    operation: Option<OperationId>,
});
