//! Operations on services.

pub mod create;
pub mod delete;
pub mod info;
pub mod list;
pub mod logs;
pub mod scale;
pub mod update;
