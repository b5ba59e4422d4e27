//! Operations on operations.

pub mod cancel;
pub mod info;
pub mod list;
pub mod watch;
