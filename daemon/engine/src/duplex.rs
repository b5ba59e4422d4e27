//! Streams that go both ways between a caller and something at an orchestrator: a command in a container, a port.

use futures::stream::BoxStream;
use muster_protocol::{Error, ErrorCode, Name, StreamInput, StreamItem};
use tokio::sync::mpsc;

use crate::failure::Failure;

/// Both ends of such a stream. Dropping either end ends what is behind it.
pub struct Duplex {
    /// What comes back. An error is the last item.
    pub output: BoxStream<'static, Result<StreamItem, Failure>>,
    /// What goes there. A full channel holds the caller back.
    pub input: mpsc::Sender<StreamInput>,
}

/// Which command is to run in which container.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ExecOrder {
    /// The service.
    pub service: Name,
    /// The orchestrator's id of the container; any that runs, if none.
    pub container: Option<String>,
    /// The program and its arguments. Never logged as a whole: arguments may be secret.
    pub command: Vec<String>,
    /// Whether it gets a terminal.
    pub tty: bool,
}

/// Which port is to be connected to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ForwardOrder {
    /// The service.
    pub service: Name,
    /// The port that its containers listen on.
    pub port: u16,
}

impl ExecOrder {
    /// The most arguments that a command may have, its program included.
    const MAX_ARGUMENTS: usize = 1024;
    /// The most bytes that a command may have.
    const MAX_BYTES: usize = 64 * 1024;

    /// Refuses what is no command.
    pub fn check(&self) -> Result<(), Error> {
        let bytes: usize = self.command.iter().map(String::len).sum();
        let is_empty = self.command.first().is_none_or(String::is_empty);
        if is_empty || self.command.len() > Self::MAX_ARGUMENTS || bytes > Self::MAX_BYTES {
            let (arguments, bytes) = (Self::MAX_ARGUMENTS, Self::MAX_BYTES);
            let message = format!("a command has 1 to {arguments} arguments and at most {bytes} bytes");
            return Err(Error::invalid("command", message).with_remedy("say the program behind `--`"));
        }
        Ok(())
    }
}

/// The refusal of a handler that has no such stream.
pub fn unsupported(what: &str) -> Failure {
    Failure::not_applied(ErrorCode::Unsupported, format!("this orchestrator does not support `{what}`")).permanent()
}
