//! The audit trail: who asked for which change, and what came of it.

use axum::response::Response as HttpResponse;
use muster_protocol::{Principal, Request, Response, Timestamp};
use serde::Deserialize;
use utoipa::IntoParams;

use super::answer;
use super::caller::{Caller, unexpected};
use super::responses::Problems;
use crate::extract::query::page;
use crate::extract::{Fields, Query};
use crate::problem::Problem;
use crate::schema;

/// Which records.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AuditQuery {
    /// At most so many.
    #[param(required = false, minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// Behind the page whose `next` this is.
    #[param(required = false, max_length = 512)]
    after: Option<String>,
    /// Only these fields of each, with commas between.
    #[param(value_type = Option<String>, required = false, example = "number,who,request")]
    fields: Option<Fields>,
    /// Only what was asked for since then.
    #[param(value_type = Option<String>, required = false, format = DateTime)]
    since: Option<Timestamp>,
    /// Only what this principal asked for.
    #[param(required = false, max_length = 160, example = "token:ci")]
    principal: Option<String>,
}

/// The audit trail, newest first.
#[utoipa::path(
    get, path = "/v1/audit", operation_id = "listAuditRecords", tag = "audit", params(AuditQuery),
    responses((status = 200, description = "A page of records.", body = answer::List<schema::AuditRecord>), Problems)
)]
pub async fn list(caller: Caller, Query(query): Query<AuditQuery>) -> Result<HttpResponse, Problem> {
    let AuditQuery { limit, after, fields, since, principal } = query;
    let page = page(limit, after)?;
    let principal = principal.map(|text| text.parse::<Principal>()).transpose();
    let principal = principal.map_err(|message| Problem::invalid("principal", message))?;
    let Response::Audit(page) = caller.ask(Request::AuditList { since, principal, page }).await? else {
        return Err(unexpected("audit records"));
    };
    answer::list(&page, fields.as_ref())
}

/// Check that every record of the audit trail is as it was written.
#[utoipa::path(
    get, path = "/v1/audit/verification", operation_id = "verifyAuditTrail", tag = "audit",
    responses((status = 200, description = "What was found.", body = schema::AuditVerification), Problems)
)]
pub async fn verify(caller: Caller) -> Result<HttpResponse, Problem> {
    let Response::AuditVerification(verification) = caller.ask(Request::AuditVerify).await? else {
        return Err(unexpected("a check of the audit trail"));
    };
    answer::json(&verification, None)
}
