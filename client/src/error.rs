//! What can go wrong for a client, each with its cause and its remedy.

use std::io;
use std::path::{Path, PathBuf};

use muster_protocol::hello::{Refusal, VersionRange};
use muster_protocol::request::IdempotencyKey;
use muster_protocol::{Error, ErrorCode, Retry};

/// The detail of an error that tells the key of a change which may have been made.
pub(crate) const IDEMPOTENCY_KEY: &str = "idempotencyKey";

/// Why a call has no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody answers at the socket, or it may not be used.
    #[error("cannot connect to musterd at {}: {source}", .socket.display())]
    Connect {
        /// The socket that was tried.
        socket: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The daemon, or whatever listens there, did not complete the handshake.
    #[error("the handshake with the daemon at {} failed: {message}", .socket.display())]
    Handshake {
        /// The socket that was tried.
        socket: PathBuf,
        /// What was wrong.
        message: String,
    },
    /// The daemon refused the connection: it has too many, or it is stopping.
    #[error("the daemon at {} refused the connection: {message}", .socket.display())]
    Refused {
        /// The socket that was tried.
        socket: PathBuf,
        /// Why.
        refusal: Refusal,
        /// The daemon's words.
        message: String,
    },
    /// No protocol version is known to both sides.
    #[error("this client speaks protocol {client} and the daemon ({daemon_build}) speaks {daemon}")]
    VersionMismatch {
        /// What this client speaks.
        client: VersionRange,
        /// What the daemon speaks.
        daemon: VersionRange,
        /// The daemon's build.
        daemon_build: String,
    },
    /// The connection was lost before the answer, and the request could not be repeated safely.
    #[error("the connection to the daemon was lost before it answered: {reason}")]
    Lost {
        /// Whether the daemon may have done what was asked.
        maybe_applied: bool,
        /// The key that makes it safe to ask again, if the request had one.
        idempotency_key: Option<IdempotencyKey>,
        /// How the connection was lost.
        reason: String,
    },
    /// One side sent what the protocol does not allow.
    #[error("client and daemon do not understand each other: {message}")]
    Protocol {
        /// What was sent, or the daemon's words about it.
        message: String,
    },
    /// The request does not fit into one frame. Nothing was sent.
    #[error("the request has {bytes} bytes, at most {limit} fit into a frame")]
    TooLarge {
        /// Its size in bytes.
        bytes: usize,
        /// The most that fit, in bytes.
        limit: usize,
    },
    /// The request cannot be put into bytes at all. Nothing was sent.
    #[error("the request cannot be encoded: {message}")]
    Encode {
        /// The encoder's words.
        message: String,
    },
    /// The daemon answered that the request cannot be fulfilled. It changed nothing, unless it says
    /// ([`Error::is_maybe_applied`]) that nobody knows.
    #[error(transparent)]
    Remote(#[from] Error),
}

impl ClientError {
    /// The daemon sent another kind of thing than was asked for.
    pub fn unexpected(wanted: &str) -> Self {
        Self::Protocol { message: format!("the daemon was asked for {wanted} and sent something else") }
    }

    /// The stable word for it, the same that the daemon would use.
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Refused { refusal: Refusal::Busy, .. } => ErrorCode::Busy,
            Self::Connect { .. } | Self::Refused { .. } | Self::Lost { .. } => ErrorCode::Unavailable,
            Self::Handshake { .. } | Self::Protocol { .. } => ErrorCode::Protocol,
            Self::VersionMismatch { .. } => ErrorCode::VersionMismatch,
            Self::TooLarge { .. } => ErrorCode::InvalidArgument,
            Self::Encode { .. } => ErrorCode::Internal,
            Self::Remote(error) => error.code,
        }
    }

    /// What the user can do about it.
    pub fn remedy(&self) -> Option<String> {
        match self {
            Self::Connect { socket, source } => Some(connect_remedy(socket, source)),
            Self::Handshake { .. } => {
                Some("check that the socket is musterd's (`--socket`, MUSTER_SOCKET), and its log for why".to_owned())
            }
            Self::Refused { .. } => Some("try again in a moment".to_owned()),
            Self::VersionMismatch { client, daemon, .. } => Some(if client.max < daemon.min {
                "install the muster command that came with this daemon".to_owned()
            } else {
                "upgrade and restart musterd, or use the muster command that came with it".to_owned()
            }),
            Self::Lost { maybe_applied: true, idempotency_key: Some(_), .. } => Some(
                "the change may have been made: ask again with the same idempotency key, or see `muster operation list`"
                    .to_owned(),
            ),
            Self::Lost { maybe_applied: true, idempotency_key: None, .. } => {
                Some("the change may have been made: look before asking for it again".to_owned())
            }
            Self::Lost { maybe_applied: false, .. } => {
                Some("ask again once musterd runs; its log says why it went".to_owned())
            }
            Self::Protocol { .. } => Some("use the muster command that came with this daemon".to_owned()),
            Self::TooLarge { .. } => Some("make it smaller, for example put large files into an image".to_owned()),
            Self::Encode { .. } => Some("this is a mistake in Muster; please report it".to_owned()),
            Self::Remote(error) => error.remedy.clone(),
        }
    }

    /// Whether the same call may succeed if it is made again.
    pub const fn retry(&self) -> Retry {
        match self {
            Self::Connect { .. } | Self::Refused { .. } | Self::Lost { .. } => Retry::Later,
            Self::Handshake { .. }
            | Self::VersionMismatch { .. }
            | Self::Protocol { .. }
            | Self::TooLarge { .. }
            | Self::Encode { .. } => Retry::Never,
            Self::Remote(error) => error.retry,
        }
    }

    /// The error in the form in which the daemon would have sent it: for machine-readable output.
    pub fn to_error(&self) -> Error {
        if let Self::Remote(error) = self {
            return error.clone();
        }
        let mut error = Error::new(self.code(), self.to_string());
        error.remedy = self.remedy();
        error.retry = self.retry();
        if let Self::Lost { maybe_applied: true, idempotency_key, .. } = self {
            error = error.maybe_applied();
            error.details.extend(idempotency_key.iter().map(|key| (IDEMPOTENCY_KEY.to_owned(), key.clone())));
        }
        error
    }
}

fn connect_remedy(socket: &Path, source: &io::Error) -> String {
    let is_system = socket == Path::new(crate::socket::SYSTEM);
    let socket = socket.display();
    let kind = source.kind();
    if kind == io::ErrorKind::PermissionDenied {
        format!("you may not use {socket}: join the group that owns it, or run as root")
    } else if kind == io::ErrorKind::NotFound {
        format!("there is no {socket}: start musterd, or name its socket with `--socket` or MUSTER_SOCKET")
    } else if kind == io::ErrorKind::ConnectionRefused {
        let how = if is_system { "`systemctl start musterd`" } else { "`musterd`, or name another with `--socket`" };
        format!("nobody listens at {socket}: start {how}")
    } else if kind == io::ErrorKind::TimedOut {
        format!("something listens at {socket} and does not answer; if it is musterd, its log says why")
    } else {
        format!("check that musterd runs and listens at {socket}")
    }
}
