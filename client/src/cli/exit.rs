//! Exit codes: what scripts can rely on.

use muster_protocol::ErrorCode;
use muster_protocol::model::operation::{OperationInfo, OperationPhase};
use serde::Serialize;

/// How a command ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Exit {
    /// What was asked for is so.
    Success,
    /// An operation failed, a check found something wrong, or any other error.
    Failed,
    /// The command line or a file is wrong; nothing was changed.
    Usage,
    /// The named thing does not exist.
    NotFound,
    /// The name is taken, or it contradicts the present state.
    Conflict,
    /// The caller's role does not allow it.
    Denied,
    /// No daemon that can be spoken with.
    NoDaemon,
    /// The orchestrator or infrastructure cannot do it.
    Unsupported,
    /// It ran out of time, was cancelled, or another operation took its place.
    CutShort,
    /// Ctrl-C while waiting; the operation goes on.
    Interrupted,
    /// A command in a container ended with this code.
    OfCommand(u8),
}

/// One line of the documentation.
#[derive(Serialize)]
pub struct ExitMeaning {
    /// The number.
    pub code: u8,
    /// What it means.
    pub meaning: &'static str,
}

impl Exit {
    /// All of them, by number.
    pub const ALL: [Self; 10] = [
        Self::Success,
        Self::Failed,
        Self::Usage,
        Self::NotFound,
        Self::Conflict,
        Self::Denied,
        Self::NoDaemon,
        Self::Unsupported,
        Self::CutShort,
        Self::Interrupted,
    ];

    /// The number that the shell sees.
    pub const fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::NotFound => 3,
            Self::Conflict => 4,
            Self::Denied => 5,
            Self::NoDaemon => 6,
            Self::Unsupported => 7,
            Self::CutShort => 8,
            Self::Interrupted => 130,
            Self::OfCommand(code) => code,
        }
    }

    /// What it means, for the documentation.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Success => "what was asked for is done (without --wait: it is accepted and on disk)",
            Self::Failed => {
                "an operation failed, a check found something wrong, or any error without a number of its own"
            }
            Self::Usage => "the command line or a file is wrong; nothing was changed",
            Self::NotFound => "the named thing does not exist",
            Self::Conflict => "the name is taken, or the request contradicts the present state",
            Self::Denied => "the caller's role does not allow it",
            Self::NoDaemon => "the daemon cannot be reached, is starting or stopping, or speaks no common version",
            Self::Unsupported => "the orchestrator or infrastructure cannot do it; nothing was changed",
            Self::CutShort => "the deadline passed, or the operation was cancelled or superseded",
            Self::Interrupted => "interrupted with Ctrl-C while waiting; the operation goes on",
            Self::OfCommand(_) => "`service exec` ends with the code of the command in the container",
        }
    }

    /// The exit code of an error.
    pub const fn of_code(code: ErrorCode) -> Self {
        match code {
            ErrorCode::InvalidArgument => Self::Usage,
            ErrorCode::NotFound => Self::NotFound,
            ErrorCode::AlreadyExists | ErrorCode::Conflict | ErrorCode::IdempotencyMismatch => Self::Conflict,
            ErrorCode::PermissionDenied => Self::Denied,
            ErrorCode::Unavailable | ErrorCode::VersionMismatch => Self::NoDaemon,
            ErrorCode::Unsupported => Self::Unsupported,
            ErrorCode::DeadlineExceeded | ErrorCode::Cancelled | ErrorCode::Superseded => Self::CutShort,
            ErrorCode::Busy
            | ErrorCode::Protocol
            | ErrorCode::Internal
            | ErrorCode::Store
            | ErrorCode::Quota
            | ErrorCode::Throttled
            | ErrorCode::Credentials
            | ErrorCode::Provider
            | ErrorCode::Unreachable
            | ErrorCode::Preparation
            | ErrorCode::Orchestrator
            | ErrorCode::Unhealthy
            | ErrorCode::QuorumLost
            | ErrorCode::Unknown(_) => Self::Failed,
        }
    }

    /// The exit code of a wait that saw this operation. One that failed is 1 whatever its cause (the cause's own
    /// code would say that the request was wrong), but for running out of time.
    pub fn of_operation(operation: &OperationInfo) -> Self {
        let cause = operation.cause.as_ref().map(|cause| cause.code);
        match operation.phase {
            OperationPhase::Running | OperationPhase::Succeeded => Self::Success,
            OperationPhase::Failed if cause == Some(ErrorCode::DeadlineExceeded) => Self::CutShort,
            OperationPhase::Failed | OperationPhase::Unknown(_) => Self::Failed,
            OperationPhase::Cancelled | OperationPhase::Superseded => Self::CutShort,
        }
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::samples;

    #[test]
    fn every_error_code_has_the_documented_exit_code() {
        let table: Vec<String> =
            ErrorCode::ALL.iter().map(|code| format!("{code} {}", Exit::of_code(*code).code())).collect();
        insta::assert_snapshot!(table.join("\n"));
    }

    #[test]
    fn the_page_on_errors_tells_the_exit_code_of_each() {
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/errors.md");
        let page = std::fs::read_to_string(page).unwrap();
        for code in ErrorCode::ALL {
            let (_, section) = page.split_once(&format!("\n### `{code}`\n")).unwrap();
            let (_, told) = section.split_once("Exit code ").unwrap();
            let told: String = told.chars().take_while(char::is_ascii_digit).collect();
            assert_eq!(told, Exit::of_code(code).code().to_string(), "{code}");
        }
    }

    #[test]
    fn exit_codes_are_distinct() {
        let mut codes: Vec<u8> = Exit::ALL.iter().map(|exit| exit.code()).collect();
        codes.dedup();
        assert_eq!(codes, [0, 1, 2, 3, 4, 5, 6, 7, 8, 130]);
    }

    #[test]
    fn a_wait_ends_with_the_operations_own_result() {
        let ended = |phase, code: Option<ErrorCode>| {
            let mut operation = samples::operation();
            operation.phase = phase;
            operation.cause = code.map(samples::cause);
            Exit::of_operation(&operation).code()
        };
        assert_eq!(ended(OperationPhase::Succeeded, None), 0);
        assert_eq!(ended(OperationPhase::Failed, Some(ErrorCode::Preparation)), 1);
        assert_eq!(ended(OperationPhase::Failed, Some(ErrorCode::NotFound)), 1);
        assert_eq!(ended(OperationPhase::Failed, Some(ErrorCode::DeadlineExceeded)), 8);
        assert_eq!(ended(OperationPhase::Cancelled, None), 8);
        assert_eq!(ended(OperationPhase::Superseded, None), 8);
    }
}
