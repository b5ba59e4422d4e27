//! Whole-system tests and the harness that starts real parts.

pub mod binary;
pub mod cli;
pub mod daemon;
pub mod images;
pub mod perf;
pub mod registry;
pub mod skip;
