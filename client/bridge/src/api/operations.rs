//! Operations: the records of changes that were asked for.

use axum::http::HeaderMap;
use axum::response::Response as HttpResponse;
use muster_protocol::model::operation::{OperationInfo, OperationPhase};
use muster_protocol::{Name, Request, Response};
use serde::Deserialize;
use utoipa::IntoParams;

use super::answer::{self, Listing};
use super::caller::{Caller, unexpected};
use super::responses::Problems;
use crate::auth::random::{hash_of, to_hex};
use crate::extract::path::OperationPath;
use crate::extract::query::{FieldsQuery, page};
use crate::extract::{Fields, Path, Query, wants_events};
use crate::problem::Problem;
use crate::schema;

/// Which operations.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct OperationQuery {
    /// At most so many.
    #[param(required = false, minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// Behind the page whose `next` this is.
    #[param(required = false, max_length = 512)]
    after: Option<String>,
    /// Only these fields of each, with commas between.
    #[param(value_type = Option<String>, required = false, example = "id,phase")]
    fields: Option<Fields>,
    /// Only those on the cluster that has this name, or had it last.
    #[param(value_type = Option<String>, required = false)]
    cluster: Option<Name>,
    /// Only those in this phase.
    #[param(value_type = Option<String>, required = false, example = "running")]
    phase: Option<OperationPhase>,
}

/// Operations, newest first.
#[utoipa::path(
    get, path = "/v1/operations", operation_id = "listOperations", tag = "operations", params(OperationQuery),
    responses((status = 200, description = "A page of operations.", body = answer::List<schema::OperationInfo>), Problems)
)]
pub async fn list(caller: Caller, Query(query): Query<OperationQuery>) -> Result<HttpResponse, Problem> {
    let first = page(query.limit, query.after)?;
    let request = |page| Request::OperationList { cluster: query.cluster.clone(), page };
    let passes = |operation: &OperationInfo| query.phase.is_none_or(|phase| operation.phase == phase);
    let page_of = |answer| if let Response::Operations(page) = answer { Some(page) } else { None };
    let listing = Listing { request: &request, page_of, passes: &passes };
    answer::list(&listing.first(&caller, first).await?, query.fields.as_ref())
}

/// One operation; with `Accept: text/event-stream` now and at each change, until it ends.
#[utoipa::path(
    get, path = "/v1/operations/{id}", operation_id = "getOperation", tag = "operations",
    params(OperationPath, FieldsQuery),
    responses(
        (status = 200, description = "The operation.", content(
            (schema::OperationInfo = "application/json"),
            (String = "text/event-stream"),
        )),
        Problems
    )
)]
pub async fn info(
    caller: Caller,
    Path(path): Path<OperationPath>,
    Query(query): Query<FieldsQuery>,
    headers: HeaderMap,
) -> Result<HttpResponse, Problem> {
    let id = path.id;
    // Also for a stream: a refusal is then an answer of its own.
    let Response::Operation(operation) = caller.ask(Request::OperationInfo { id }).await? else {
        return Err(unexpected("an operation"));
    };
    if !wants_events(&headers) {
        return answer::json(&operation, query.fields.as_ref());
    }
    let seen = headers.get("last-event-id").and_then(|id| id.to_str().ok()).map(str::to_owned);
    let watch = Request::OperationWatch { id };
    let changes = caller.stream(&watch, |client| client.operation_watch(id)).await?;
    let changes = changes.filter(move |operation| seen.is_none() || state_id(operation) != seen);
    Ok(changes.as_events("operation", state_id))
}

/// Names a state of an operation, so that a follower that comes again is not told what it knows.
fn state_id(operation: &OperationInfo) -> Option<String> {
    let text = serde_json::to_string(operation).ok()?;
    Some(to_hex(&hash_of(&text))[..16].to_owned())
}

/// End an operation; what was asked for before it is restored.
#[utoipa::path(
    post, path = "/v1/operations/{id}/cancel", operation_id = "cancelOperation", tag = "operations",
    params(OperationPath),
    responses((status = 200, description = "The operation.", body = schema::OperationInfo), Problems)
)]
pub async fn cancel(caller: Caller, Path(path): Path<OperationPath>) -> Result<HttpResponse, Problem> {
    let Response::Operation(operation) = caller.ask(Request::OperationCancel { id: path.id }).await? else {
        return Err(unexpected("an operation"));
    };
    answer::json(&operation, None)
}
