//! Headers that say how a request is meant.

use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use muster_protocol::request::IdempotencyKey;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::app::App;
use crate::problem::Problem;

const IDEMPOTENCY_KEY: &str = "idempotency-key";
const LONGEST_KEY: usize = 64;

/// The headers of a change.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// Makes the change safe to ask for twice.
    pub key: Option<IdempotencyKey>,
    /// How long to wait for its end.
    pub wait: Option<Duration>,
}

/// The same for the description of the API.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "read by the description of the API only")]
pub struct ChangeHeaders {
    /// Makes the change safe to ask for twice: the same key with the same request is answered with the operation of the
    /// first time. 1 to 64 printable ASCII characters, remembered for a day.
    #[serde(rename = "Idempotency-Key")]
    #[param(value_type = Option<String>, required = false, min_length = 1, max_length = 64, pattern = r"^[!-~]+$")]
    idempotency_key: Option<String>,
    /// `wait=N`: answer when the operation has ended, or after N seconds at the latest.
    #[serde(rename = "Prefer")]
    #[param(value_type = Option<String>, required = false, pattern = r"^wait=[0-9]{1,4}$", example = "wait=60")]
    prefer: Option<String>,
}

impl FromRequestParts<App> for Change {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        refuse_condition(&parts.headers)?;
        let longest = Duration::from_secs(app.config.limits.wait_seconds);
        let wait = wait(&parts.headers).map(|wait| wait.min(longest));
        Ok(Self { key: key(&parts.headers)?, wait })
    }
}

/// Refuses a condition that nothing took ([`IfMatch`] takes it): a change must not happen as if none had been set.
fn refuse_condition(headers: &HeaderMap) -> Result<(), Problem> {
    if !headers.contains_key(header::IF_MATCH) {
        return Ok(());
    }
    let problem = Problem::invalid("If-Match", "this change takes no condition: what it changes has no ETag");
    Err(problem.with_remedy("leave `If-Match` out, or change the specification, which has an ETag"))
}

fn key(headers: &HeaderMap) -> Result<Option<IdempotencyKey>, Problem> {
    let Some(value) = headers.get(IDEMPOTENCY_KEY) else { return Ok(None) };
    let bytes = value.as_bytes();
    let is_good = (1..=LONGEST_KEY).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic);
    match value.to_str() {
        Ok(text) if is_good => Ok(Some(text.to_owned())),
        Ok(_) | Err(_) => {
            Err(Problem::invalid("Idempotency-Key", "an idempotency key is 1 to 64 printable ASCII characters"))
        }
    }
}

/// The time of `Prefer: wait=N`. A preference that is not understood is passed over (RFC 7240).
fn wait(headers: &HeaderMap) -> Option<Duration> {
    let lines = headers.get_all("prefer").into_iter().filter_map(|line| line.to_str().ok());
    let preferences = lines.flat_map(|line| line.split(','));
    let waits = preferences.filter_map(|preference| {
        let (name, value) = preference.split(';').next()?.split_once('=')?;
        let seconds = value.trim().trim_matches('"').parse().ok()?;
        name.trim().eq_ignore_ascii_case("wait").then(|| Duration::from_secs(seconds))
    });
    { waits }.next()
}

/// The generation that a change of a specification must find. Taken out of the request, so that a [`Change`] beside it
/// sees no condition that nobody looks at; so it stands before that.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IfMatch {
    /// No condition.
    None,
    /// Any that exists.
    Any,
    /// This one.
    Generation(u64),
}

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let Some(value) = parts.headers.remove(header::IF_MATCH) else { return Ok(Self::None) };
        match value.to_str().map(str::trim) {
            Ok("*") => Ok(Self::Any),
            Ok(text) => generation(text).map(Self::Generation).ok_or_else(no_match),
            Err(_) => Err(no_match()),
        }
    }
}

/// The tag of a generation.
pub fn etag(generation: u64) -> String {
    format!("\"{generation}\"")
}

fn generation(tag: &str) -> Option<u64> {
    tag.strip_prefix('"')?.strip_suffix('"')?.parse().ok()
}

/// A tag that was never given out matches nothing.
pub fn no_match() -> Problem {
    let problem = Problem::new(StatusCode::PRECONDITION_FAILED, "conflict", "If-Match is not the present ETag");
    problem.with_remedy("read the specification again, and change that")
}

/// Whether `If-None-Match` names the present generation, so that there is nothing new to send.
pub fn is_known(headers: &HeaderMap, present: u64) -> bool {
    let Some(tags) = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok()) else { return false };
    tags.split(',').map(|tag| tag.trim().trim_start_matches("W/")).any(|tag| tag == "*" || tag == etag(present))
}

/// Whether the caller asks for server-sent events.
pub fn wants_events(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(header::ACCEPT).into_iter().filter_map(|line| line.to_str().ok());
    let medias = lines.flat_map(|line| line.split(',')).filter_map(|media| media.split(';').next());
    { medias }.any(|media| media.trim().eq_ignore_ascii_case("text/event-stream"))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn headers(name: &'static str, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name.parse().unwrap(), HeaderValue::from_static(value))])
    }

    #[test]
    fn a_wait_is_found_among_other_preferences() {
        assert_eq!(wait(&headers("prefer", "respond-async, wait=10")), Some(Duration::from_secs(10)));
        assert_eq!(wait(&headers("prefer", "wait=\"3\"; x=y")), Some(Duration::from_secs(3)));
        assert_eq!(wait(&headers("prefer", "wait=soon")), None);
    }

    #[test]
    fn a_key_that_cannot_be_is_refused() {
        assert_eq!(key(&headers("idempotency-key", "k-1")).unwrap().as_deref(), Some("k-1"));
        assert!(key(&headers("idempotency-key", "")).is_err());
        assert!(key(&headers("idempotency-key", "two words")).is_err());
    }

    #[test]
    fn a_condition_that_nothing_took_is_refused() {
        assert!(refuse_condition(&headers("idempotency-key", "k-1")).is_ok());
        assert_eq!(refuse_condition(&headers("if-match", "\"3\"")).unwrap_err().field.as_deref(), Some("If-Match"));
    }

    #[test]
    fn tags_are_generations() {
        assert_eq!(generation(&etag(7)), Some(7));
        assert_eq!(generation("7"), None);
        assert!(is_known(&headers("if-none-match", "\"6\", W/\"7\""), 7));
        assert!(!is_known(&headers("if-none-match", "\"6\""), 7));
    }
}
