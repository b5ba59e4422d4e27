//! The Muster daemon.
//!
//! A request's way: socket → [`gateway`] → [`cluster::supervisor`] → planner (`muster-engine`) →
//! [`cluster::driver`] or [`cluster::handler`] → [`journal`]. And back: journal → event → gateway → client.

pub mod app;
pub mod board;
pub mod clock;
pub mod cluster;
pub mod collector;
pub mod config;
pub mod core;
pub mod daemon;
pub mod fleet;
pub mod gateway;
pub mod journal;
pub mod kinds;
mod own_events;
pub mod permits;
pub mod provisioner;
pub mod recover;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "test code, though not in a test function")]
mod reference;
mod reloads;
pub mod root;
pub mod state_dir;
mod systemd;
pub mod telemetry;
mod unmanaged;
pub mod upkeep;
mod vital;
