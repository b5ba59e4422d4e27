//! What Muster's daemon and its clients say to each other.
//!
//! Nothing here decides anything: this crate is the words both sides share, and how
//! they cross the socket: [`handshake`] agrees on a version, [`stream`] carries
//! [`frame`]s, [`shared_writer`] lets many tasks send them, [`codec`] turns them into bytes, [`credit`] holds streams back.
//!
//! The types serve two encodings at once, bincode on the socket and JSON or YAML
//! for people, so they avoid what bincode cannot carry (`flatten`, untagged
//! enums, skipped fields). Enums are append-only; a struct that was released
//! is never changed in place. `golden/` holds the bytes of every sample.

pub mod codec;
pub mod credit;
pub mod duplex;
pub mod error;
pub mod frame;
mod growing;
pub mod handshake;
pub mod hello;
pub mod ids;
pub mod model;
pub mod name;
pub mod nearest;
pub mod page;
pub mod principal;
pub mod quantity;
pub mod request;
pub mod response;
pub mod room;
#[cfg(feature = "schema")]
mod schema;
pub mod secret;
pub mod shared_writer;
pub mod stream;
pub mod subject;
pub mod time;
mod written;

pub use duplex::{ExecOutput, StreamInput, TerminalSize};
pub use error::{Cause, Error, ErrorCode, Retry};
pub use frame::{ClientBody, ClientFrame, RequestId, ServerBody, ServerFrame};
pub use ids::{ClusterId, InstanceId, MachineId, OperationId, ServiceId};
pub use name::{Name, NameError};
pub use nearest::nearest;
pub use principal::{Asker, Principal, PrincipalKind};
pub use request::Request;
pub use response::{Response, StreamItem};
pub use secret::{SecretBytes, SecretString};
pub use time::Timestamp;
