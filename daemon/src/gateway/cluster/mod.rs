//! Operations on clusters.

pub mod create;
pub mod delete;
pub mod info;
pub mod list;
pub mod plan;
pub mod retry;
pub mod scale;
