//! From a plain Debian- or Ubuntu-like host that SSH reaches to one on which an orchestrator can be formed or joined.
//!
//! ```text
//!   material ── pki, ssh_key         keys and certificates of one cluster, made once
//!   SwarmPreparer ── recipes/swarm   the steps, as small scripts
//!        └── ssh::Session            one connection, pinned host key, scripts on stdin
//! ```
//!
//! Recipes rely on nothing but a POSIX shell, apt and systemd, so the same ones run on clouds, bare metal and local machines.

pub mod docker_engine;
pub mod material;
pub mod pki;
pub mod recipe;
pub mod ssh;
pub mod ssh_key;
pub mod swarm;

pub use swarm::{PreparerOptions, SwarmPreparer};
