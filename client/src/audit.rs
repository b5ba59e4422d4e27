//! Calls about the audit trail.

use muster_protocol::model::audit::{AuditRecord, AuditVerification};
use muster_protocol::page::{Page, PageRequest};
use muster_protocol::{Principal, Request, Response, Timestamp};

use crate::{Client, ClientError, ItemStream};

impl Client {
    /// One page of the audit trail, newest first: of what was asked for since a time, or by one principal.
    pub async fn audit_list(
        &self,
        since: Option<Timestamp>,
        principal: Option<&Principal>,
        page: PageRequest,
    ) -> Result<Page<AuditRecord>, ClientError> {
        let request = Request::AuditList { since, principal: principal.cloned(), page };
        let Response::Audit(page) = self.request(request).await? else {
            return Err(ClientError::unexpected("audit records"));
        };
        Ok(page)
    }

    /// All of it, newest first, page after page as the records are taken.
    pub fn audit(&self, since: Option<Timestamp>, principal: Option<Principal>) -> ItemStream<AuditRecord> {
        self.all_pages(move |client, page| {
            let principal = principal.clone();
            async move { client.audit_list(since, principal.as_ref(), page).await }
        })
    }

    /// Has the whole trail checked.
    pub async fn audit_verify(&self) -> Result<AuditVerification, ClientError> {
        let Response::AuditVerification(verification) = self.request(Request::AuditVerify).await? else {
            return Err(ClientError::unexpected("a check of the audit trail"));
        };
        Ok(verification)
    }
}
