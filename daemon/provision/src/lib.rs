//! From a plain Debian- or Ubuntu-like host that SSH reaches to one on which an orchestrator can be formed or joined.
//!
//! ```text
//!   muster_material                  keys and certificates of one cluster, made once
//!   SwarmPreparer ── recipes/swarm   the steps, as small scripts
//!   SshMachines ── recipes/machine   a step as a unit of systemd that outlives its caller
//!        └── ssh::Session            one connection, pinned host key, scripts on stdin
//! ```
//!
//! Recipes rely on nothing but a POSIX shell, apt and systemd, so the same ones run on clouds, bare metal and local machines.

pub mod docker_engine;
pub mod kubernetes;
pub mod kubernetes_pki;
pub mod logins;
pub mod machines;
pub mod recipe;
pub mod ssh;
pub mod swarm;

pub use kubernetes::KubernetesPreparer;
pub use muster_material::{material, pki, ssh_key};
pub use swarm::{PreparerOptions, SwarmPreparer};
