//! Operations on the catalog.

pub mod read;
pub mod shelf;
