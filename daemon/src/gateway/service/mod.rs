//! Operations on services.

pub mod create;
pub mod delete;
pub mod exec;
pub mod logs;
mod open;
pub mod read;
pub mod refresh;
pub mod scale;
pub mod update;
