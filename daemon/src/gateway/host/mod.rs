//! Operations on hosts.

pub mod read;
