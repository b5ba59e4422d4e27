//! From the Docker Engine's errors to failures with a code and a remedy.

use std::error::Error as StdError;
use std::io;

use bollard::errors::Error;
use muster_engine::failure::Failure;
use muster_protocol::ErrorCode;

/// Parts of the engine's messages (they carry no codes), what they mean, and what helps.
const KNOWN: [(&str, ErrorCode, &str); 7] = [
    (
        "No such image",
        ErrorCode::NotFound,
        "make the machine image: `cargo xtask image`, or `docker build -t muster/machine:bookworm daemon/drivers/local/image` where a registry is in reach; an image of your own has to be on this Docker Engine: `docker pull` it",
    ),
    ("no space left on device", ErrorCode::Quota, "free disk space under the Docker Engine's data directory"),
    ("cannot allocate memory", ErrorCode::Quota, "free memory on the host, or give machines less"),
    (
        "unable to apply caps",
        ErrorCode::Provider,
        "the Docker Engine itself lacks a capability: run it outside of a restricted container",
    ),
    (
        "Address already in use",
        ErrorCode::Conflict,
        "something else took the machine's address in the cluster's network: `docker network inspect` shows it",
    ),
    ("is not running", ErrorCode::Provider, "see why it ended: `docker logs` of the machine's container"),
    ("iptables failed", ErrorCode::Provider, "restart the Docker Engine: something removed its firewall rules"),
];

/// What failed, in Muster's words. `step` says what was tried, for example `start the machine`.
pub(crate) fn failure(step: &str, error: Error) -> Failure {
    if let Error::DockerResponseServerError { status_code, message } = &error {
        return refused(step, *status_code, message);
    }
    if is_permission_denied(&error) {
        return Failure::not_applied(
            ErrorCode::Credentials,
            format!("{step}: the Docker Engine's socket may not be opened"),
        )
        .permanent()
        .with_remedy(
            "let the daemon use it: a service by the drop-in `local-engine.conf`, see docs/install.md; \
             a daemon of your own as a member of the group `docker`",
        );
    }
    if never_sent(&error) {
        return Failure::not_applied(ErrorCode::Unreachable, format!("{step}: the Docker Engine does not answer"))
            .with_remedy("start it (`systemctl start docker`), and see that the account's endpoint is its socket");
    }
    Failure::maybe_applied(ErrorCode::Unreachable, format!("{step}: no clear answer from the Docker Engine: {error}"))
}

/// The status of the engine's own answer, if it gave one.
pub(crate) fn status(error: &Error) -> Option<u16> {
    if let Error::DockerResponseServerError { status_code, .. } = error { Some(*status_code) } else { None }
}

/// Whether the engine's own answer says this.
pub(crate) fn says(error: &Error, words: &str) -> bool {
    if let Error::DockerResponseServerError { message, .. } = error { message.contains(words) } else { false }
}

fn refused(step: &str, status_code: u16, message: &str) -> Failure {
    // The engine's messages may have several lines; users see one.
    let message = message.lines().next().unwrap_or_default();
    let known = KNOWN.iter().find(|(words, ..)| message.contains(words));
    let code = known.map_or(ErrorCode::Provider, |(_, code, _)| *code);
    let text = format!("{step}: {message}");
    // A 4xx is said before anything is done; at a 5xx the engine may have stopped half-way.
    let mut failure =
        if status_code < 500 { Failure::not_applied(code, text) } else { Failure::maybe_applied(code, text) };
    failure = failure.with_provider_code(status_code.to_string());
    match known {
        Some((_, _, remedy)) => failure.with_remedy(*remedy),
        None => failure,
    }
}

fn never_sent(error: &Error) -> bool {
    if let Error::HyperLegacyError { err } = error {
        return err.is_connect();
    }
    matches!(error, Error::SocketNotFoundError(_))
}

fn is_permission_denied(error: &Error) -> bool {
    let mut source: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(error) = source {
        if error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::PermissionDenied) {
            return true;
        }
        source = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use muster_engine::failure::Certainty;

    use super::*;

    fn answer(status_code: u16, message: &str) -> Failure {
        failure("make it", Error::DockerResponseServerError { status_code, message: message.to_owned() })
    }

    #[test]
    fn a_missing_image_is_named_with_the_way_to_make_it() {
        let failure = answer(404, "No such image: muster/machine:bookworm");
        assert_eq!((failure.code, failure.certainty), (ErrorCode::NotFound, Certainty::NotApplied));
        assert!(failure.message.contains("muster/machine:bookworm"));
        assert!(failure.remedy.unwrap().contains("cargo xtask image"));
    }

    #[test]
    fn only_an_answer_that_refuses_is_certain() {
        assert_eq!(answer(409, "conflict").certainty, Certainty::NotApplied);
        assert_eq!(answer(500, "half-way").certainty, Certainty::MaybeApplied);
        assert_eq!(failure("make it", Error::RequestTimeoutError).certainty, Certainty::MaybeApplied);
    }

    #[test]
    fn an_engine_that_is_not_there_was_never_asked() {
        let failure = failure("make it", Error::SocketNotFoundError("/run/none.sock".to_owned()));
        assert_eq!((failure.code, failure.certainty), (ErrorCode::Unreachable, Certainty::NotApplied));
    }
}
