//! Whole-system tests and the harness that starts real parts.

pub mod images;
pub mod registry;
