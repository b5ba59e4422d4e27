//! How a command fails, and how that is shown: error, cause, remedy.

use std::io::{self, Write};

use muster_client::ClientError;
use muster_protocol::model::operation::{OperationInfo, OperationPhase};
use muster_protocol::{Cause, Error, ErrorCode};

use super::change::title;
use super::exit::Exit;
use super::output::Format;

/// Why a command did not end well.
#[derive(Debug)]
pub enum Failure {
    /// The command or the daemon refused, or the daemon could not be asked.
    Refused(Box<Error>),
    /// An operation ended without success. It is shown with its cause.
    Operation(Box<OperationInfo>),
    /// Everything was said already.
    Said(Exit),
    /// Whoever read our output went away (`muster events | head`): nobody is left to tell.
    ReaderGone,
}

/// The result of a command's parts.
pub type Result<T, E = Failure> = std::result::Result<T, E>;

impl Failure {
    /// The command line or a file is wrong.
    pub fn usage(message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Error::new(ErrorCode::InvalidArgument, message).with_remedy(remedy).into()
    }

    /// What the shell is told.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Refused(error) => Exit::of_code(error.code),
            Self::Operation(operation) => Exit::of_operation(operation),
            Self::Said(exit) => *exit,
            Self::ReaderGone => Exit::Success,
        }
    }

    /// Tells the user, on standard error. A standard error that is gone cannot be told about.
    pub fn show(&self, format: Format, styled: bool, to: &mut dyn Write) {
        let (error, cause) = match self {
            Self::Refused(error) => ((**error).clone(), None),
            Self::Operation(operation) => (operation_error(operation), operation.cause.as_ref()),
            Self::Said(_) | Self::ReaderGone => return,
        };
        let text = match format {
            Format::Table => text(&error, cause, styled),
            Format::Json | Format::Yaml => match serde_json::to_string(&error) {
                Ok(json) => json + "\n",
                Err(problem) => format!("error: {error}; it could not be shown as json: {problem}\n"),
            },
        };
        let _told_nobody = to.write_all(text.as_bytes());
    }
}

/// An operation that ended badly, as the one error type: its cause's code, its own id in the details.
fn operation_error(operation: &OperationInfo) -> Error {
    let code = match (operation.phase, &operation.cause) {
        (OperationPhase::Cancelled, _) => ErrorCode::Cancelled,
        (OperationPhase::Superseded, _) => ErrorCode::Superseded,
        (
            OperationPhase::Failed | OperationPhase::Running | OperationPhase::Succeeded | OperationPhase::Unknown(_),
            cause,
        ) => cause.as_ref().map_or(ErrorCode::Internal, |cause| cause.code),
    };
    let message = format!("{} {}", title(operation), operation.phase);
    let mut error = Error::new(code, message).with_detail("operation", operation.id);
    if let Some(cause) = &operation.cause {
        error.remedy = cause.remedy.clone();
        error.retry = cause.retry;
        error = error.with_detail("step", &cause.step).with_detail("cause", &cause.message);
    }
    error
}

fn text(error: &Error, cause: Option<&Cause>, styled: bool) -> String {
    let label = |word: &str, colour: anstyle::AnsiColor| {
        if styled {
            let style = colour.on_default().bold();
            format!("{style}{word}:{style:#}")
        } else {
            format!("{word}:")
        }
    };
    let mut lines = vec![format!("{} {error}", label("error", anstyle::AnsiColor::Red))];
    if let Some(cause) = cause {
        lines.push(format!("{} {cause}", label("cause", anstyle::AnsiColor::Yellow)));
        lines.extend(cause.provider_code.iter().map(|code| format!("       provider's code: {code}")));
        lines.extend(cause.provider_request_id.iter().map(|id| format!("       provider's request id: {id}")));
    } else if let Some(cause) = error.details.get("cause") {
        lines.push(format!("{} {cause}", label("cause", anstyle::AnsiColor::Yellow)));
    }
    if let Some(remedy) = &error.remedy {
        lines.push(format!("{} {remedy}", label("remedy", anstyle::AnsiColor::Green)));
    }
    if let Some(key) = error.details.get("idempotencyKey") {
        lines.push(format!("        idempotency key: {key}"));
    }
    lines.join("\n") + "\n"
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Refused(Box::new(error))
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let mut shown = error.to_error();
        if let ClientError::Connect { socket, source } = error {
            shown.message = format!("cannot connect to musterd at {}", socket.display());
            shown = shown.with_detail("cause", source);
        }
        shown.into()
    }
}

/// Only for writing to standard output; files are read with their own words.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::ReaderGone;
        }
        Error::new(ErrorCode::Internal, "the output cannot be written")
            .with_detail("cause", error)
            .with_remedy("check that where the output goes is writable and has room")
            .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::samples;

    fn shown(failure: &Failure, format: Format) -> String {
        let mut text = Vec::new();
        failure.show(format, false, &mut text);
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn people_see_error_cause_and_remedy() {
        let mut operation = samples::operation();
        operation.phase = OperationPhase::Failed;
        operation.cause = Some(samples::cause(ErrorCode::Preparation));
        insta::assert_snapshot!(shown(&Failure::Operation(Box::new(operation)), Format::Table));
        insta::assert_snapshot!(shown(&Error::not_found("cluster", "demo").into(), Format::Table));
    }

    #[test]
    fn scripts_see_one_json_object() {
        let failure = Failure::from(Error::not_found("cluster", "demo"));
        insta::assert_snapshot!(shown(&failure, Format::Json));
    }

    #[test]
    fn a_reader_that_left_is_no_error() {
        let failure = Failure::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!(failure.exit(), Exit::Success);
        assert_eq!(shown(&failure, Format::Table), "");
    }
}
