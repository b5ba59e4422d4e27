//! How a connection or a command over it fails.

use std::time::Duration;

use muster_engine::failure::Failure;
use muster_protocol::ErrorCode;
use russh::keys::ssh_key;

/// Why something over SSH did not work.
#[derive(Debug, thiserror::Error)]
pub enum SshError {
    /// No connection, or it broke before the login.
    #[error("{address} cannot be reached over SSH: {source}")]
    Connect {
        /// Address and port.
        address: String,
        /// What broke.
        #[source]
        source: russh::Error,
    },
    /// The connection was accepted, but nothing came.
    #[error("sshd at {address} does not answer")]
    Silent {
        /// Address and port.
        address: String,
    },
    /// Somebody else answers, or the machine was made anew behind our back.
    #[error("{address} shows the host key {offered}, not {expected}")]
    HostKey {
        /// Address and port.
        address: String,
        /// The pinned key's fingerprint.
        expected: String,
        /// The shown key's fingerprint.
        offered: String,
    },
    /// The key or password was refused.
    #[error("{address} refuses {whose} for user {user}")]
    Login {
        /// Address and port.
        address: String,
        /// As whom.
        user: String,
        /// Whose key or password, in words.
        whose: String,
    },
    /// One of our own keys cannot be read.
    #[error("a stored SSH key cannot be read")]
    Key(#[source] ssh_key::Error),
    /// The connection broke while a command ran.
    #[error("the connection to {address} broke while `{command}` ran")]
    Lost {
        /// Address and port.
        address: String,
        /// What ran, in one word.
        command: String,
    },
    /// The command did not end in its time.
    #[error("`{command}` did not end within {} s", limit.as_secs())]
    TimedOut {
        /// What ran, in one word.
        command: String,
        /// How long it was given.
        limit: Duration,
    },
    /// The command ended with another code than 0.
    #[error("`{command}` ended with {outcome}{}", if last_line.is_empty() { String::new() } else { format!(": {last_line}") })]
    Exit {
        /// What ran, in one word.
        command: String,
        /// The exit code or signal, in words.
        outcome: String,
        /// The last that it said.
        last_line: String,
    },
}

impl SshError {
    /// Whether a machine that is still booting answers like this.
    pub(super) fn may_pass(&self) -> bool {
        match self {
            Self::Connect { .. } | Self::Silent { .. } | Self::Login { .. } => true,
            Self::HostKey { .. } | Self::Key(_) | Self::Lost { .. } | Self::TimedOut { .. } | Self::Exit { .. } => {
                false
            }
        }
    }
}

impl From<SshError> for Failure {
    fn from(error: SshError) -> Self {
        let message = error.to_string();
        match error {
            SshError::Connect { .. } | SshError::Silent { .. } => Self::not_applied(ErrorCode::Unreachable, message)
                .with_remedy("see that the machine runs and that its SSH port is reachable from the daemon"),
            SshError::HostKey { .. } => Self::not_applied(ErrorCode::Preparation, message).permanent().with_remedy(
                "the machine is not the one that Muster made: see who has its address, or delete and create the cluster anew",
            ),
            SshError::Login { .. } => Self::not_applied(ErrorCode::Preparation, message)
                .with_remedy("see that the user exists and that its authorized_keys has the cluster's key"),
            SshError::Key(_) => Self::not_applied(ErrorCode::Internal, message).permanent(),
            SshError::Lost { .. } => Self::maybe_applied(ErrorCode::Unreachable, message),
            SshError::TimedOut { .. } => Self::maybe_applied(ErrorCode::Preparation, message)
                .with_remedy("see on the machine what it waits for; Muster tries again by itself"),
            SshError::Exit { .. } => Self::maybe_applied(ErrorCode::Preparation, message)
                .with_remedy("the daemon's debug log has the whole output; Muster tries again by itself"),
        }
    }
}
