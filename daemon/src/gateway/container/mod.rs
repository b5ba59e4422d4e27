//! Operations on containers.

pub mod read;
