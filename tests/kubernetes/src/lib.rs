//! Kubernetes on machines of this host, without a daemon: what the tests of the lifecycle and of the handler stand on.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "for tests only, which panic and say what they saw"
)]

mod cluster;
mod kubectl;

pub use cluster::{LocalCluster, with_cluster};
pub use kubectl::Kubectl;
