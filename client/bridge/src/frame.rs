//! What every answer has, whoever made it: a request id, headers that keep browsers strict, a log line, a measurement.

use std::net::SocketAddr;
use std::time::Instant;

use axum::extract::{ConnectInfo, MatchedPath, Request};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tracing::info;
use uuid::Uuid;

use crate::auth::Principal;
use crate::problem::Problem;
use crate::telemetry;

/// The header with a request's id.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const LONGEST_ID: usize = 64;

/// Nothing but the page's own files, and no inline script or style.
const CSP: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
    manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; \
    require-trusted-types-for 'script'; trusted-types 'none'";

/// Frames a request.
pub async fn frame(ConnectInfo(address): ConnectInfo<SocketAddr>, mut request: Request, next: Next) -> Response {
    let began = Instant::now();
    let id = request_id(request.headers().get(&REQUEST_ID));
    // Those behind see the same id, whoever chose it.
    request.headers_mut().insert(REQUEST_ID, id.clone());
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let route = request.extensions().get::<MatchedPath>().map(|route| route.as_str().to_owned());
    let mut response = named(next.run(request).await, &id);
    let headers = response.headers_mut();
    headers.insert(REQUEST_ID, id.clone());
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(CSP));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin"));
    headers.insert(HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin"));
    let (status, took) = (response.status().as_u16(), began.elapsed());
    let route = route.as_deref().unwrap_or("none");
    telemetry::note_request(method.as_str(), route, status, took.as_secs_f64());
    let token = response.extensions().get::<Principal>().map_or("-", |principal| principal.grant.name.as_str());
    let (id, ms) = (id.to_str().unwrap_or_default(), took.as_millis());
    info!(id, %address, token, %method, path, status, ms, "answered");
    response
}

/// The caller's id if it is one that can stand in a log, or a new one.
fn request_id(given: Option<&HeaderValue>) -> HeaderValue {
    let is_good = |value: &&HeaderValue| {
        let bytes = value.as_bytes();
        (1..=LONGEST_ID).contains(&bytes.len())
            && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(byte))
    };
    match given.filter(is_good) {
        Some(value) => value.clone(),
        None => HeaderValue::from_str(&Uuid::now_v7().to_string()).unwrap_or(HeaderValue::from_static("none")),
    }
}

/// Puts the request's id into a problem, and makes problems of the refusals that axum makes itself.
fn named(mut response: Response, id: &HeaderValue) -> Response {
    let status = response.status();
    let problem = response.extensions_mut().remove::<Box<Problem>>();
    let problem = match (problem, status) {
        (Some(problem), _) => *problem,
        (None, StatusCode::METHOD_NOT_ALLOWED) => {
            Problem::new(status, "method-not-allowed", "this path does not take this method")
        }
        (None, _) => return response,
    };
    let request_id = id.to_str().ok().map(str::to_owned);
    let renewed = Problem { request_id, ..problem }.into_response();
    let (parts, body) = renewed.into_parts();
    // Headers of the refusal stay: `Retry-After`, `Allow`.
    for (name, value) in &parts.headers {
        if name != header::RETRY_AFTER || !response.headers().contains_key(header::RETRY_AFTER) {
            response.headers_mut().insert(name, value.clone());
        }
    }
    response.headers_mut().remove(header::CONTENT_LENGTH);
    *response.body_mut() = body;
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_could_forge_a_log_line_is_replaced() {
        let value = HeaderValue::from_static;
        assert_eq!(request_id(Some(&value("abc-1.2:3_x"))), value("abc-1.2:3_x"));
        for bad in ["", "two words", "a\"b"] {
            assert_ne!(request_id(Some(&value(bad))), value(bad));
        }
    }
}
