//! The simulated twins: an infrastructure and an orchestrator that exist only in memory.
//!
//! They ship (`infrastructure = "sim"`, `orchestrator = "sim"`) for trying Muster out, and they are what the
//! tests prove the daemon against. So they are strict where real ones are strict, remember what nobody should
//! ever have done ([`Audit`]), and misbehave on demand ([`Fault`]).
//!
//! - `world`: [`SimWorld`], what is shared and outlives the daemon; every call goes through its one door
//! - `state`: machines, what they stand on, and formed clusters, as plain data with one way to change them
//! - `things`: that data behind its lock; `journal`: the same on disk, so that a killed daemon finds its world again
//! - `cluster`: an orchestrator's rules: quorum, membership, services
//! - `view`: what an orchestrator shows: nodes, rollouts, containers
//! - `driver`, `preparer`, `handler`: the traits on top of it
//! - `framework`: the handler of an orchestrator that knows tasks only; `tasks`: what such an orchestrator does
//! - `faults`, `audit`: how it misbehaves, and what it noticed

mod audit;
mod cluster;
mod driver;
mod faults;
mod framework;
mod handler;
mod journal;
mod kubeadm;
mod preparer;
mod shell;
mod state;
mod tasks;
mod things;
mod view;
mod world;

#[cfg(test)]
mod tests;

pub use audit::Audit;
pub use driver::NETWORK;
pub use faults::{Call, CallKind, Fault, Hook, Moment, every, nth};
pub use world::{SimOptions, SimWorld};
