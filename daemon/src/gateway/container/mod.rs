//! Operations on containers.

pub mod info;
pub mod list;
