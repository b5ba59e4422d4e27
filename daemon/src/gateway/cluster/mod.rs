//! Operations on clusters.

pub mod access;
pub mod create;
pub mod delete;
pub mod plan;
pub mod read;
pub mod renew;
pub mod retry;
pub mod scale;
pub mod upgrade;
