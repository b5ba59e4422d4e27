//! The Common Gateway API: the socket, its sessions, who may do what, and one file an operation.
//!
//! Operations read snapshots from the board, and hand what is asked for to the cluster's supervisor. Only the checks before a
//! change (preflight, accounts, doctor) ask a driver, and they change nothing.

pub mod accept;
pub mod account;
pub mod actor;
pub mod ask;
pub mod catalog;
pub mod cluster;
pub mod container;
pub mod context;
pub mod dispatch;
pub mod doctor;
pub mod events;
pub mod host;
pub mod idempotency;
pub mod listener;
pub mod meters;
pub mod operation;
pub mod outbox;
pub mod paging;
pub mod recent_keys;
mod request;
pub mod roles;
pub mod service;
pub mod session;
pub mod whoami;
