//! What the engine's answers, and the lack of one, mean.

use std::error::Error as StdError;

use bollard::errors::Error as EngineError;
use muster_engine::failure::Failure;
use muster_engine::words::chain;
use muster_protocol::ErrorCode;

use crate::tls_end::TlsEnd;

/// Turns an engine's answer into ours, honest about whether the call may have had an effect.
pub(crate) trait Answer<T> {
    /// For calls that change nothing: no answer is no effect.
    fn reading(self, what: &str) -> Result<T, Failure>;

    /// For calls that change something: no answer leaves it open.
    fn writing(self, what: &str) -> Result<T, Failure>;
}

impl<T> Answer<T> for Result<T, EngineError> {
    fn reading(self, what: &str) -> Result<T, Failure> {
        self.map_err(|error| failure(what, &error).of_reading())
    }

    fn writing(self, what: &str) -> Result<T, Failure> {
        self.map_err(|error| failure(what, &error))
    }
}

/// The status and words of an answer, if the engine gave one.
pub(crate) fn refusal(error: &EngineError) -> Option<(u16, &str)> {
    if let EngineError::DockerResponseServerError { status_code, message } = error {
        Some((*status_code, message))
    } else {
        None
    }
}

/// Whether the engine says that the thing is not there.
pub(crate) fn is_missing(error: &EngineError) -> bool {
    refusal(error).is_some_and(|(status, _)| status == 404)
}

/// Whether the engine says that the name is taken.
pub(crate) fn is_taken(error: &EngineError) -> bool {
    refusal(error).is_some_and(|(status, _)| status == 409)
}

/// Whether the engine keeps a thing because something else has it: an image, a container; or it is being removed already.
pub(crate) fn is_in_use(error: &EngineError) -> bool {
    refusal(error).is_some_and(|(status, _)| status == 409)
}

/// Whether the thing was changed since it was read: read again and try again.
pub(crate) fn is_out_of_sequence(error: &EngineError) -> bool {
    refusal(error).is_some_and(|(_, message)| message.contains("out of sequence"))
}

/// Whether this manager sees no leader, or is one no more: an election, or a lost quorum.
pub(crate) fn lacks_leader(error: &EngineError) -> bool {
    const WORDS: [&str; 3] = ["does not have a leader", "too few managers are online", "lost leader status"];
    refusal(error).is_some_and(|(_, message)| WORDS.iter().any(|words| message.contains(words)))
}

/// Whether this engine is a node of a swarm, but only as a worker.
pub(crate) fn is_only_a_worker(error: &EngineError) -> bool {
    refusal(error).is_some_and(|(_, message)| message.contains("Worker nodes can't be used"))
}

fn failure(what: &str, error: &EngineError) -> Failure {
    if let Some((status, message)) = refusal(error) {
        return refused(what, status, message, error);
    }
    if let EngineError::RequestTimeoutError = error {
        return Failure::maybe_applied(ErrorCode::Unreachable, format!("{what}: the engine did not answer in time"));
    }
    let message = format!("{what}: {}", chain(error));
    let client = cause::<hyper_util::client::legacy::Error>(error);
    let tls = cause::<rustls::Error>(error).cloned().or_else(|| client.and_then(TlsEnd::of));
    if let Some(tls) = tls {
        return tls_failure(what, &tls);
    }
    // Connecting failed, so nothing was sent; anything later may have reached the engine.
    match client {
        Some(client) if client.is_connect() => Failure::not_applied(ErrorCode::Unreachable, message),
        Some(_) | None => Failure::maybe_applied(ErrorCode::Unreachable, message),
    }
}

fn refused(what: &str, status: u16, message: &str, error: &EngineError) -> Failure {
    let text = format!("{what}: {}", message.trim().trim_end_matches('.'));
    let failure = match status {
        _ if lacks_leader(error) => Failure::maybe_applied(ErrorCode::QuorumLost, text)
            .with_remedy("bring back the managers that are down; most of them must be up"),
        _ if is_out_of_sequence(error) => Failure::not_applied(ErrorCode::Conflict, text),
        400 => Failure::not_applied(ErrorCode::Orchestrator, text).permanent(),
        401 | 403 => Failure::not_applied(ErrorCode::Credentials, text),
        404 => Failure::not_applied(ErrorCode::NotFound, text),
        409 => Failure::not_applied(ErrorCode::Conflict, text),
        // "not a manager", "already part of a swarm": refused for the state that the engine is in.
        503 => Failure::not_applied(ErrorCode::Orchestrator, text),
        _ if status < 500 => Failure::not_applied(ErrorCode::Orchestrator, text),
        _ => Failure::maybe_applied(ErrorCode::Orchestrator, text),
    };
    failure.with_provider_code(status.to_string())
}

/// One side did not accept the other's certificate: the request was never heard.
fn tls_failure(what: &str, error: &rustls::Error) -> Failure {
    Failure::not_applied(ErrorCode::Credentials, format!("{what}: mutual TLS failed: {error}")).with_remedy(
        "the engine's certificate and Muster's are not of the same cluster; prepare the machine again, and check its clock",
    )
}

/// The first cause of this type. I/O errors hide theirs from `source`, so they are opened.
fn cause<E: StdError + 'static>(error: &EngineError) -> Option<&E> {
    // A transparent variant's `source` skips the error itself, so the ones that carry causes are taken by hand.
    let mut next: Option<&(dyn StdError + 'static)> = if let EngineError::HyperLegacyError { err } = error {
        Some(err)
    } else if let EngineError::HyperResponseError { err } = error {
        Some(err)
    } else if let EngineError::IOError { err } = error {
        Some(err)
    } else {
        error.source()
    };
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

    fn answer(status_code: u16, message: &str) -> Result<(), EngineError> {
        Err(EngineError::DockerResponseServerError { status_code, message: message.to_owned() })
    }

    #[test]
    fn a_refusal_certainly_had_no_effect_and_a_server_error_may_have_had_one() {
        assert_eq!(answer(409, "taken").writing("create").unwrap_err().certainty, Certainty::NotApplied);
        assert_eq!(answer(500, "deadline exceeded").writing("create").unwrap_err().certainty, Certainty::MaybeApplied);
    }

    #[test]
    fn reading_never_has_an_effect() {
        let failure = Err::<(), _>(EngineError::RequestTimeoutError).reading("list").unwrap_err();
        assert_eq!((failure.certainty, failure.code), (Certainty::NotApplied, ErrorCode::Unreachable));
    }

    #[test]
    fn a_lost_answer_to_a_change_is_in_doubt() {
        let failure = Err::<(), _>(EngineError::RequestTimeoutError).writing("create").unwrap_err();
        assert_eq!(failure.certainty, Certainty::MaybeApplied);
    }

    #[test]
    fn a_bad_request_is_not_tried_again() {
        assert_eq!(answer(400, "name must be valid.").writing("create").unwrap_err().retry, Retry::Never);
    }

    #[test]
    fn a_swarm_without_leader_is_a_lost_quorum() {
        for words in [
            "rpc error: code = Unknown desc = The swarm does not have a leader. It's possible that too few managers are online.",
            "rpc error: code = Unknown desc = raft: failed to process the request: node lost leader status",
        ] {
            let failure = answer(500, words).writing("change").unwrap_err();
            assert_eq!((failure.code, failure.certainty), (ErrorCode::QuorumLost, Certainty::MaybeApplied));
        }
    }

    #[test]
    fn an_update_out_of_sequence_had_no_effect() {
        let failure = answer(500, "rpc error: code = Unknown desc = update out of sequence").writing("update");
        assert_eq!(failure.unwrap_err().certainty, Certainty::NotApplied);
    }
}
