//! A JSON body, of limited size and in limited time.

use std::time::Duration;

use axum::extract::{FromRequest, Request};
use axum::http::{StatusCode, header};
use bytes::Bytes;
use muster_protocol::ErrorCode;
use serde::de::DeserializeOwned;

use crate::app::App;
use crate::problem::Problem;

/// A body that is one JSON value.
pub struct Json<T>(pub T);

impl<T: DeserializeOwned> FromRequest<App> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        let media = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        if !media.is_some_and(is_json) {
            let detail = "the body must be application/json";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", detail));
        }
        let limit = Duration::from_millis(app.config.limits.body_ms);
        let body = tokio::time::timeout(limit, Bytes::from_request(request, app)).await;
        let body = body.map_err(|_| {
            let code = ErrorCode::DeadlineExceeded.as_str();
            Problem::new(StatusCode::REQUEST_TIMEOUT, code, "the body did not come in time")
        })?;
        let body = body.map_err(|refused| match refused.status() {
            StatusCode::PAYLOAD_TOO_LARGE => {
                let detail = format!("the body has more than {} bytes", app.config.limits.body_bytes);
                Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", detail)
            }
            _ => Problem::invalid("body", "the body could not be read to its end"),
        })?;
        Ok(Self(parse(&body)?))
    }
}

fn is_json(media: &str) -> bool {
    let media = media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    media == "application/json" || (media.starts_with("application/") && media.ends_with("+json"))
}

/// Reads a body; what is wrong is named by its path in the body.
fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let mut reader = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        let field = if path == "." { "body" } else { path.as_str() };
        Problem::invalid(field, error.inner().to_string())
    })?;
    reader.end().map_err(|error| Problem::invalid("body", error.to_string()))?;
    Ok(value)
}

#[cfg(test)]
mod tests {
    use muster_protocol::model::cluster::ClusterSpec;

    use super::*;

    #[test]
    fn what_is_wrong_in_a_body_is_named_by_its_path() {
        let body = br#"{"name":"a","orchestrator":"swarm","infrastructure":"local","machine":{"memory":"much"}}"#;
        let problem = parse::<ClusterSpec>(body).unwrap_err();
        assert_eq!(problem.field.as_deref(), Some("machine.memory"));
        assert_eq!(parse::<u32>(b"1 2").unwrap_err().field.as_deref(), Some("body"));
    }

    #[test]
    fn json_is_known_with_parameters_and_suffixes() {
        assert!(is_json("application/json; charset=utf-8") && is_json("application/merge-patch+json"));
        assert!(!is_json("text/plain") && !is_json("application/jsonp"));
    }
}
