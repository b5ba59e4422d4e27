//! The Muster daemon.
