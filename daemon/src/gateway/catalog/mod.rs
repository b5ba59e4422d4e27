//! Operations on the catalog.

pub mod list;
pub mod shelf;
pub mod show;
