//! Streams that go both ways: a command in a container, a connection to a port.
//!
//! What a client sends is held back by credit as what the server sends is: the client may send as many
//! [`StreamInput`]s as the server has granted with [`ServerBody::Credit`](crate::ServerBody::Credit), and starts with
//! none. Both sides must have [`FEATURE_DUPLEX`](crate::hello::FEATURE_DUPLEX).

use serde::{Deserialize, Serialize};

/// The most bytes that one item of either direction may carry.
pub const MAX_CHUNK_BYTES: usize = 32 * 1024;

/// How many items a client may have on their way for one stream.
pub const INPUT_WINDOW: u32 = 16;

/// The size of a terminal in characters.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TerminalSize {
    /// Characters in a line.
    pub columns: u16,
    /// Lines.
    pub rows: u16,
}

/// One item that a client sends.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum StreamInput {
    /// For the command's standard input, or for the connection; at most [`MAX_CHUNK_BYTES`].
    Bytes(Vec<u8>),
    /// No more bytes come.
    End,
    /// The caller's terminal has this size now.
    Resize(TerminalSize),
}

/// What a command in a container says.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum ExecOutput {
    /// On standard output; on the terminal, if it has one.
    Stdout(Vec<u8>),
    /// On standard error.
    Stderr(Vec<u8>),
    /// It ended with this exit code. Nothing comes behind it.
    Exit(i64),
}
