//! listAuditRecords: newest first.

use muster_protocol::model::audit::AuditRecord;
use muster_protocol::page::PageRequest;
use muster_protocol::{Error, Principal, Response, Timestamp};

use crate::app::App;
use crate::gateway::paging;
use crate::gateway::refusals::store_error;
use crate::journal::records::StoredAudit;

/// Records read from the store at once.
const READ_AT_ONCE: usize = 512;

/// A page of records, of those that were asked for since a time, or by one principal.
pub async fn list(
    app: &App,
    since: Option<Timestamp>,
    principal: Option<&Principal>,
    request: &PageRequest,
) -> Result<Response, Error> {
    let limit = paging::limit(request);
    let mut before = paging::place::<u64>(request)?.unwrap_or(u64::MAX);
    let mut found = Vec::new();
    while found.len() <= limit {
        let links = app.store.read_audit(before, READ_AT_ONCE).await.map_err(store_error)?;
        let Some(oldest) = links.last() else { break };
        before = oldest.number;
        for link in links {
            let stored = link.decode::<StoredAudit>().map_err(store_error)?;
            let is_wanted = since.is_none_or(|since| stored.at >= since)
                && principal.is_none_or(|principal| stored.who == *principal);
            if is_wanted {
                found.push(stored.numbered(link.number, &link.hash));
            }
        }
    }
    Ok(Response::Audit(paging::page(found, limit, |record: &AuditRecord| record.number)?))
}
