//! What the API's answers, and the lack of one, mean.

use std::error::Error as StdError;

use kube::Error as ApiError;
use kube::core::Status;
use muster_engine::failure::Failure;
use muster_engine::words::chain;
use muster_protocol::ErrorCode;

/// Turns an answer of the API into ours, honest about whether the call may have had an effect.
pub(crate) trait Answer<T> {
    /// For calls that change nothing: no answer is no effect.
    fn reading(self, what: &str) -> Result<T, Failure>;

    /// For calls that change something: no answer leaves it open.
    fn writing(self, what: &str) -> Result<T, Failure>;
}

impl<T> Answer<T> for Result<T, ApiError> {
    fn reading(self, what: &str) -> Result<T, Failure> {
        self.map_err(|error| failure(what, &error).of_reading())
    }

    fn writing(self, what: &str) -> Result<T, Failure> {
        self.map_err(|error| failure(what, &error))
    }
}

/// The API's refusal, if it gave one.
pub(crate) fn refusal(error: &ApiError) -> Option<&Status> {
    if let ApiError::Api(status) = error { Some(status) } else { None }
}

/// Whether the API says that the thing is not there.
pub(crate) fn is_missing(error: &ApiError) -> bool {
    refusal(error).is_some_and(|status| status.code == 404)
}

/// Whether a disruption budget does not allow an eviction now. The API answers 429 for it.
pub(crate) fn is_held_by_budget(error: &ApiError) -> bool {
    refusal(error).is_some_and(|status| status.code == 429 && status.message.contains("disruption budget"))
}

pub(crate) fn failure(what: &str, error: &ApiError) -> Failure {
    if let Some(status) = refusal(error) {
        return refused(what, status);
    }
    let message = format!("{what}: {}", chain(error));
    if cause::<rustls::Error>(error).is_some() {
        return Failure::not_applied(ErrorCode::Credentials, message).with_remedy(
            "the API server's certificate and Muster's are not of the same cluster, or do not name the address; check the machine's clock",
        );
    }
    // Connecting failed, so nothing was sent; anything later may have reached the API.
    let client = cause::<hyper_util::client::legacy::Error>(error);
    match client {
        Some(client) if client.is_connect() => Failure::not_applied(ErrorCode::Unreachable, message),
        Some(_) | None => Failure::maybe_applied(ErrorCode::Unreachable, message),
    }
}

/// Source of the codes: `k8s.io/apimachinery/pkg/api/errors`.
fn refused(what: &str, status: &Status) -> Failure {
    let words = status.message.trim().trim_end_matches('.');
    let text = if words.is_empty() { format!("{what}: {}", status.reason) } else { format!("{what}: {words}") };
    let failure = match status.code {
        _ if lacks_quorum(status) => Failure::maybe_applied(ErrorCode::QuorumLost, text)
            .with_remedy("bring back the control planes that are down; most of them must be up"),
        400 | 413 | 415 | 422 => Failure::not_applied(ErrorCode::Orchestrator, text).permanent(),
        401 => Failure::not_applied(ErrorCode::Credentials, text),
        403 if is_quota(status) => Failure::not_applied(ErrorCode::Quota, text)
            .with_remedy("raise the quota of the namespace `muster`, or ask for less"),
        // Just after a control plane has started, its rights are not loaded yet: worth another try.
        403 => Failure::not_applied(ErrorCode::Credentials, text),
        404 => Failure::not_applied(ErrorCode::NotFound, text),
        409 => Failure::not_applied(ErrorCode::Conflict, text),
        429 => Failure::not_applied(ErrorCode::Throttled, text),
        code if code < 500 => Failure::not_applied(ErrorCode::Orchestrator, text),
        _ => Failure::maybe_applied(ErrorCode::Orchestrator, text),
    };
    let code = if status.reason.is_empty() { status.code.to_string() } else { status.reason.clone() };
    failure.with_provider_code(code)
}

/// What the API says while etcd has no leader.
fn lacks_quorum(status: &Status) -> bool {
    const WORDS: [&str; 4] =
        ["etcdserver: no leader", "etcdserver: leader changed", "etcdserver: request timed out", "etcd failed"];
    status.code >= 500 && WORDS.iter().any(|words| status.message.contains(words))
}

fn is_quota(status: &Status) -> bool {
    status.message.contains("exceeded quota") || status.message.contains("failed quota")
}

/// The first cause of this type. I/O errors hide theirs from `source`, so they are opened.
fn cause<'a, E: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<E>() {
            return Some(found);
        }
        let inner = error.downcast_ref::<std::io::Error>().and_then(|io| io.get_ref());
        next = match inner {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}

#[cfg(test)]
mod tests {
    use muster_engine::failure::Certainty;
    use muster_protocol::Retry;

    use super::*;

    fn answer(code: u16, message: &str) -> Result<(), ApiError> {
        Err(ApiError::Api(Status::failure(message, "Reason").with_code(code).boxed()))
    }

    #[test]
    fn a_refusal_certainly_had_no_effect_and_a_server_error_may_have_had_one() {
        assert_eq!(answer(409, "taken").writing("create").unwrap_err().certainty, Certainty::NotApplied);
        assert_eq!(answer(500, "deadline").writing("create").unwrap_err().certainty, Certainty::MaybeApplied);
        assert_eq!(answer(500, "deadline").reading("list").unwrap_err().certainty, Certainty::NotApplied);
    }

    #[test]
    fn what_is_invalid_is_not_tried_again() {
        let failure = answer(422, "spec.replicas: Invalid value.").writing("submit").unwrap_err();
        assert_eq!((failure.retry, failure.message.as_str()), (Retry::Never, "submit: spec.replicas: Invalid value"));
    }

    #[test]
    fn etcd_without_a_leader_is_a_lost_quorum() {
        let failure = answer(500, "etcdserver: no leader").writing("submit").unwrap_err();
        assert_eq!((failure.code, failure.certainty), (ErrorCode::QuorumLost, Certainty::MaybeApplied));
    }

    #[test]
    fn a_quota_is_called_one() {
        let words = "pods \"x\" is forbidden: exceeded quota: q, requested: pods=1, used: pods=3, limited: pods=3";
        assert_eq!(answer(403, words).writing("submit").unwrap_err().code, ErrorCode::Quota);
    }

    #[tokio::test]
    async fn who_is_not_reached_was_sent_nothing() {
        let url = "http://127.0.0.1:1".parse().unwrap();
        let client = kube::Client::try_from(kube::Config::new(url)).unwrap();
        let failure = client.apiserver_version().await.writing("ask").unwrap_err();
        assert_eq!((failure.code, failure.certainty), (ErrorCode::Unreachable, Certainty::NotApplied), "{failure}");
    }
}
