//! The Debian package on machines with a real systemd.
//!
//! - `life`: from its installation to nothing left
//! - `upkeep`: restarts, hangs and upgrades while it is used
//! - `closed`: what systemd takes away from the daemon and the bridge, and what gives the daemon the Docker Engine

#![allow(clippy::print_stdout, reason = "figures are told to whoever runs the tests")]

mod closed;
mod life;
mod upkeep;
