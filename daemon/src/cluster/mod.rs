//! One cluster's actors: the supervisor with its state and loop, and its two children that make the outside calls.

pub mod account;
mod admit;
pub mod calls;
mod commit;
mod dispatch;
pub mod driver;
pub mod handler;
pub mod intent;
mod kept;
pub mod message;
mod pending_reply;
mod session;
pub mod supervisor;
pub mod workshop;

/// Why a supervisor stops whose cluster is gone.
pub const RETIRED: &str = "retired";
/// Why a supervisor stops that is started again with other tools.
pub const RENEWED: &str = "renewed";
