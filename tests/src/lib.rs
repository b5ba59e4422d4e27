//! Whole-system tests and the harness that starts real parts.

pub mod crash;
pub mod images;
pub mod registry;
