//! How answers look: JSON, pages, and operations that may be waited for.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response as HttpResponse};
use muster_protocol::model::operation::OperationInfo;
use muster_protocol::page::{Page, PageRequest};
use muster_protocol::{ErrorCode, Request, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::caller::{Caller, unexpected};
use crate::extract::{Change, Fields};
use crate::problem::Problem;

/// One page of a list.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct List<T: ToSchema> {
    /// What is on it. A page with a filter may have fewer than `limit` although more follow.
    pub items: Vec<T>,
    /// Give it as `after` to get the next page; null on the last one.
    pub next: Option<String>,
}

/// A value as JSON, or what `fields` leaves of it.
///
/// # Errors
/// If it cannot be put into JSON, which would be a mistake in Muster.
pub fn json<T: Serialize>(value: &T, fields: Option<&Fields>) -> Result<HttpResponse, Problem> {
    let bytes = match fields {
        None => serde_json::to_vec(value),
        Some(fields) => serde_json::to_value(value).and_then(|value| serde_json::to_vec(&fields.of(value))),
    };
    raw(bytes)
}

/// A page as JSON, with what `fields` leaves of each item.
///
/// # Errors
/// As [`json`].
pub fn list<T: Serialize>(page: &Page<T>, fields: Option<&Fields>) -> Result<HttpResponse, Problem> {
    let Some(fields) = fields else { return json(page, None) };
    let items: Result<Vec<_>, _> = page.items.iter().map(serde_json::to_value).collect();
    let items = items.map(|items| items.into_iter().map(|item| fields.of(item)).collect());
    raw(items.and_then(|items| serde_json::to_vec(&Page::<serde_json::Value> { items, next: page.next.clone() })))
}

fn raw(bytes: serde_json::Result<Vec<u8>>) -> Result<HttpResponse, Problem> {
    let bytes = bytes.map_err(|error| {
        let code = ErrorCode::Internal.as_str();
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, code, format!("the answer is no JSON: {error}"))
    })?;
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
    Ok((headers, bytes).into_response())
}

/// Makes a change. Answers at once with the operation, or when it has ended if the caller wants to wait.
///
/// # Errors
/// If the change is refused.
pub async fn change(caller: &Caller, mut request: Request, change: Change) -> Result<HttpResponse, Problem> {
    if let Some(key) = request.idempotency_key_mut() {
        *key = change.key;
    }
    let Response::Operation(operation) = caller.ask(request).await? else {
        return Err(unexpected("an operation"));
    };
    let (operation, waited) = match change.wait {
        None => (operation, None),
        Some(limit) => (ended(caller, operation, limit).await?, Some(limit)),
    };
    let mut response = json(&operation, None)?;
    if !operation.phase.is_ended() {
        *response.status_mut() = StatusCode::ACCEPTED;
    }
    let headers = response.headers_mut();
    insert(headers, header::LOCATION, &format!("/v1/operations/{}", operation.id));
    if let Some(limit) = waited {
        insert(headers, header::HeaderName::from_static("preference-applied"), &format!("wait={}", limit.as_secs()));
    }
    Ok(response)
}

/// The operation at its end, or as it is when the time is over.
async fn ended(
    caller: &Caller,
    operation: OperationInfo,
    limit: std::time::Duration,
) -> Result<OperationInfo, Problem> {
    let id = operation.id;
    let watch = Request::OperationWatch { id };
    let mut changes = caller.stream(&watch, |client| client.operation_watch(id)).await?;
    let mut last = operation;
    let until_it_ends = async {
        while let Some(change) = changes.next().await {
            last = change?;
            if last.phase.is_ended() {
                break;
            }
        }
        Ok::<_, Problem>(())
    };
    match tokio::time::timeout(limit, until_it_ends).await {
        Ok(watched) => watched?,
        Err(_) => return Ok(last),
    }
    Ok(last)
}

fn insert(headers: &mut axum::http::HeaderMap, name: header::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// Pages that are looked through for one answer of a filtered list.
const PAGES_LOOKED_THROUGH: usize = 20;

/// How one kind of list is asked for.
pub struct Listing<'a, T> {
    /// The request for a page.
    pub request: &'a (dyn Fn(PageRequest) -> Request + Sync),
    /// The page that an answer holds; none if it is another answer.
    pub page_of: fn(Response) -> Option<Page<T>>,
    /// What the caller wants to see of it.
    pub passes: &'a (dyn Fn(&T) -> bool + Sync),
}

impl<T> Listing<'_, T> {
    /// The first page on which anything passes the filter.
    ///
    /// # Errors
    /// As the daemon has them.
    pub async fn first(&self, caller: &Caller, mut page: PageRequest) -> Result<Page<T>, Problem> {
        let limit = page.limit;
        for is_last_try in (0..PAGES_LOOKED_THROUGH).map(|page| page + 1 == PAGES_LOOKED_THROUGH) {
            let answer = caller.ask((self.request)(page)).await?;
            let mut found = (self.page_of)(answer).ok_or_else(|| unexpected("a page of this list"))?;
            found.items.retain(|item| (self.passes)(item));
            if !found.items.is_empty() || found.next.is_none() || is_last_try {
                return Ok(found);
            }
            page = PageRequest { limit, after: found.next };
        }
        Ok(Page { items: Vec::new(), next: page.after })
    }
}
