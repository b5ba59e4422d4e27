//! The Common Gateway API: the socket, its sessions, who may do what, and one file an operation.
//!
//! Operations read snapshots from the board, and hand what is asked for to the cluster's supervisor. Only the checks before a
//! change (preflight, accounts, doctor) ask a driver, and they change nothing.

pub mod accept;
pub mod account;
pub mod actor;
pub mod ask;
pub mod audit;
pub mod catalog;
pub mod cluster;
mod connection;
pub mod container;
pub mod dispatch;
pub mod doctor;
pub mod events;
pub mod host;
pub mod idempotency;
pub mod limits;
pub mod listener;
pub mod meters;
pub mod metrics;
pub mod note;
pub mod operation;
pub mod outbox;
pub mod paging;
pub mod policy;
pub mod recent_keys;
pub mod refusals;
pub mod reply;
mod request;
pub mod roles;
pub mod service;
pub mod session;
pub mod token;
pub mod whoami;
