//! Problem details (RFC 9457): how every refusal looks over HTTP.

use std::collections::BTreeMap;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use muster_client::ClientError;
use muster_protocol::{Error, ErrorCode, Retry};
use serde::Serialize;
use utoipa::ToSchema;

/// The media type of a problem.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// What a remote caller can do while the daemon behind the bridge does not answer.
const UNREACHED: &str = "ask again when `GET /readyz` answers 200; if it stays so, whoever runs the host finds the cause \
                         with `muster doctor`";

/// Why a request was not fulfilled. It changed nothing, unless `details.maybeApplied` is `true`.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Problem)]
pub struct Problem {
    /// `urn:muster:error:` and the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// The code in words.
    pub title: String,
    /// The HTTP status.
    #[serde(serialize_with = "as_number")]
    #[schema(value_type = u16, minimum = 400, maximum = 599)]
    pub status: StatusCode,
    /// What is wrong with this request.
    pub detail: String,
    /// The stable word for it; `docs/errors.md` explains each.
    pub code: String,
    /// What the caller can do about it.
    pub remedy: Option<String>,
    /// The field of the request that is wrong, if it is one.
    pub field: Option<String>,
    /// Whether asking again can help: `never` or `later`.
    pub retry: &'static str,
    /// More, by name.
    pub details: BTreeMap<String, String>,
    /// The id of the request, as in the header `X-Request-Id` and in the bridge's log.
    pub request_id: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's form")]
fn as_number<S: serde::Serializer>(status: &StatusCode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u16(status.as_u16())
}

impl Problem {
    /// A problem that asking again does not mend.
    pub fn new(status: StatusCode, code: &str, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("urn:muster:error:{code}"),
            title: code.replace('-', " "),
            status,
            detail: detail.into(),
            code: code.to_owned(),
            remedy: None,
            field: None,
            retry: "never",
            details: BTreeMap::new(),
            request_id: None,
        }
    }

    /// A part of the request has a value that cannot be.
    pub fn invalid(field: &str, detail: impl Into<String>) -> Self {
        Error::invalid(field, detail).into()
    }

    /// Says what the caller can do.
    #[must_use]
    pub fn with_remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    /// Says that asking again can help.
    #[must_use]
    pub fn retry_later(mut self) -> Self {
        self.retry = "later";
        self
    }

    /// The caller is not known.
    pub fn unauthenticated(detail: &str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthenticated", detail)
            .with_remedy("send `Authorization: Bearer TOKEN`; an administrator makes one with `muster token create`")
    }

    /// The caller is known and may not do this.
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Error::new(ErrorCode::PermissionDenied, detail).into()
    }

    /// Too many requests.
    pub fn too_many(detail: &str) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "rate-limited", detail)
            .with_remedy("wait as long as `Retry-After` says")
            .retry_later()
    }

    /// Something took too long, and nobody waits for it any more.
    pub fn timed_out(detail: &str) -> Self {
        Self::new(StatusCode::GATEWAY_TIMEOUT, ErrorCode::DeadlineExceeded.as_str(), detail).retry_later()
    }
}

/// The HTTP status for one of Muster's codes.
pub const fn status_of(code: ErrorCode) -> StatusCode {
    match code {
        ErrorCode::InvalidArgument => StatusCode::BAD_REQUEST,
        ErrorCode::NotFound => StatusCode::NOT_FOUND,
        ErrorCode::AlreadyExists
        | ErrorCode::Conflict
        | ErrorCode::Cancelled
        | ErrorCode::Superseded
        | ErrorCode::QuorumLost => StatusCode::CONFLICT,
        ErrorCode::Unsupported | ErrorCode::IdempotencyMismatch => StatusCode::UNPROCESSABLE_ENTITY,
        ErrorCode::PermissionDenied => StatusCode::FORBIDDEN,
        ErrorCode::Busy => StatusCode::TOO_MANY_REQUESTS,
        ErrorCode::Unavailable | ErrorCode::Throttled | ErrorCode::Store => StatusCode::SERVICE_UNAVAILABLE,
        ErrorCode::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        ErrorCode::Protocol
        | ErrorCode::VersionMismatch
        | ErrorCode::Quota
        | ErrorCode::Credentials
        | ErrorCode::Provider
        | ErrorCode::Unreachable
        | ErrorCode::Preparation
        | ErrorCode::Orchestrator
        | ErrorCode::Unhealthy => StatusCode::BAD_GATEWAY,
        ErrorCode::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
        // Of a later daemon: a refusal that this bridge cannot judge.
        ErrorCode::Unknown(_) => StatusCode::BAD_GATEWAY,
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let mut problem = Self::new(status_of(error.code), error.code.as_str(), error.message);
        problem.remedy = error.remedy;
        problem.field = error.details.get("field").cloned();
        problem.retry = match error.retry {
            Retry::Never => "never",
            Retry::Later => "later",
        };
        problem.details = error.details;
        problem
    }
}

impl From<ClientError> for Problem {
    fn from(error: ClientError) -> Self {
        let is_of_the_daemon = matches!(error, ClientError::Remote(_));
        let mut problem = Self::from(error.to_error());
        if !is_of_the_daemon {
            // The library's words are for whoever runs `muster` on this host; a remote caller cannot follow them.
            problem.remedy = Some(UNREACHED.to_owned());
        }
        problem
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.status;
        let should_wait = self.retry == "later";
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = (status, [(header::CONTENT_TYPE, PROBLEM_JSON)], body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"muster\""));
        }
        if should_wait && !headers.contains_key(header::RETRY_AFTER) {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        // For the outer layer, which adds the request's id.
        response.extensions_mut().insert(Box::new(self));
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_status_of_a_failure_and_refusals_of_the_request_are_the_callers() {
        for code in ErrorCode::ALL {
            assert!(status_of(code).is_client_error() || status_of(code).is_server_error(), "{code}");
        }
        for code in [ErrorCode::InvalidArgument, ErrorCode::Unsupported, ErrorCode::Conflict, ErrorCode::Busy] {
            assert!(status_of(code).is_client_error(), "{code}");
        }
    }

    #[test]
    fn the_field_and_the_remedy_of_an_error_are_in_the_problem() {
        let problem = Problem::from(Error::unsupported("mode", "sim").with_remedy("take another"));
        assert_eq!((problem.status, problem.field.as_deref()), (StatusCode::UNPROCESSABLE_ENTITY, Some("mode")));
        assert_eq!(problem.remedy.as_deref(), Some("take another"));
    }
}
