//! Operations on hosts.

pub mod info;
pub mod list;
