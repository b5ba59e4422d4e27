//! The Common Gateway API: the socket, its sessions, who may do what, and one file an operation.
//!
//! Nothing here talks to a handler or a driver: operations read snapshots from the board, and hand what is asked for to the
//! cluster's supervisor.

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
